//! Text of servers (keys, versions, error messages) as text that may be shown: a key can be any bytes, and control
//! characters would move the cursor, change the title of the terminal, or reorder the line.

/// Most characters that are taken of a text.
const CHARS_MAX: usize = 300;

/// The text with everything escaped that is neither printable ASCII nor a letter or digit; a backslash is doubled.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(CHARS_MAX) {
        match character {
            '\\' => shown.push_str("\\\\"),
            ' '..='~' => shown.push(character),
            _ if character.is_alphanumeric() => shown.push(character),
            _ => shown.extend(character.escape_unicode()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("user:7 ä 日"), "user:7 ä 日");
        assert_eq!(printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(
            printable("\u{9b}31m\u{202e}\r\n\x7f"),
            "\\u{9b}31m\\u{202e}\\u{d}\\u{a}\\u{7f}"
        );
        assert_eq!(printable("\\u{1b}"), "\\\\u{1b}");
        assert_eq!(printable(&"x".repeat(9999)).len(), CHARS_MAX);
    }
}
