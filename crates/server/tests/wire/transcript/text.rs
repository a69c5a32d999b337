//! Texts with escapes, repetition and captures.

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// Any decimal number.
    Number,
    /// A number up to this one, and at most [`COUNTDOWN`] less: seconds that are running out.
    Left(u64),
    /// This number or a larger one.
    AtLeast(u64),
    /// Anything up to the line end.
    Any,
    /// A number known by name.
    Named(String),
    /// The Unix time so many seconds from now.
    Now(u64),
    /// So many bytes, known by name or not.
    Bytes(Option<String>, usize),
}

/// A slow machine takes less than so many seconds between a time to live and a look at it.
pub(crate) const COUNTDOWN: u64 = 20;

/// A parsed text.
pub(crate) type Text = Vec<Piece>;

/// Parses one text.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(source: &str) -> Result<Text, String> {
    let mut text = Text::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '\\' => escape(after, &mut text)?,
            '{' => braces(after, &mut text)?,
            _ => {
                push(&mut text, &rest.as_bytes()[..first.len_utf8()]);
                after
            }
        };
    }
    Ok(text)
}

/// Appends bytes to a text.
pub(crate) fn push(text: &mut Text, bytes: &[u8]) {
    if let Some(Piece::Literal(literal)) = text.last_mut() {
        literal.extend_from_slice(bytes);
    } else {
        text.push(Piece::Literal(bytes.to_vec()));
    }
}

fn escape<'a>(rest: &'a str, text: &mut Text) -> Result<&'a str, String> {
    let mut chars = rest.chars();
    let byte = match chars.next() {
        Some('r') => b'\r',
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('{') => b'{',
        Some('x') => {
            let digits = rest.get(1..3).ok_or("\\x needs two digits")?;
            let byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
            push(text, &[byte]);
            return Ok(&rest[3..]);
        }
        other => return Err(format!("unknown escape {other:?}")),
    };
    push(text, &[byte]);
    Ok(chars.as_str())
}

fn braces<'a>(rest: &'a str, text: &mut Text) -> Result<&'a str, String> {
    let (inside, after) = rest.split_once('}').ok_or("missing }")?;
    match inside.split_once('*') {
        Some((unit, count)) => {
            let count: usize = count.parse().map_err(|_| format!("bad count {count}"))?;
            for piece in parse(unit)? {
                let Piece::Literal(bytes) = piece else {
                    return Err("only plain text can be repeated".to_owned());
                };
                push(text, &bytes.repeat(count));
            }
        }
        None if inside == "number" => text.push(Piece::Number),
        None if inside == "any" => text.push(Piece::Any),
        None if inside.starts_with("now+") => {
            let seconds = inside[4..].parse().map_err(|_| "bad number of seconds")?;
            text.push(Piece::Now(seconds));
        }
        None => text.push(bounded(inside).unwrap_or_else(|| Piece::Named(inside.to_owned()))),
    }
    Ok(after)
}

fn bounded(inside: &str) -> Option<Piece> {
    if let Some(number) = inside.strip_suffix('-') {
        return number.parse().ok().map(Piece::Left);
    }
    let number = inside.strip_suffix('+')?;
    number.parse().ok().map(Piece::AtLeast)
}

/// Bytes in a form that fits a terminal: escaped, and long runs of one byte shortened.
pub(crate) fn show(bytes: &[u8]) -> String {
    const RUN_MIN: usize = 20;
    let mut shown = String::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|byte| *byte == first).count();
        let one = first.escape_ascii().to_string();
        if run >= RUN_MIN {
            shown.push_str(&format!("{{{one}*{run}}}"));
        } else {
            shown.push_str(&one.repeat(run));
        }
        rest = &rest[run..];
    }
    shown
}

/// A text as in the file.
pub(crate) fn show_text(text: &Text) -> String {
    text.iter()
        .map(|piece| match piece {
            Piece::Literal(bytes) => show(bytes),
            Piece::Number => "{number}".to_owned(),
            Piece::Any => "{any}".to_owned(),
            Piece::Left(number) => format!("{{{number}-}}"),
            Piece::AtLeast(number) => format!("{{{number}+}}"),
            Piece::Named(name) => format!("{{{name}}}"),
            Piece::Now(seconds) => format!("{{now+{seconds}}}"),
            Piece::Bytes(name, length) => format!("{{{length} bytes {name:?}}}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parsed() {
        let text = parse(r"a\r\x41{xy*2}{cas} {number}{any}\{").unwrap();
        let expected = vec![
            Piece::Literal(b"a\rAxyxy".to_vec()),
            Piece::Named("cas".to_owned()),
            Piece::Literal(b" ".to_vec()),
            Piece::Number,
            Piece::Any,
            Piece::Literal(b"{".to_vec()),
        ];
        assert_eq!(text, expected);
        let bounds = vec![Piece::Left(30), Piece::AtLeast(2)];
        assert_eq!(parse("{30-}{2+}").unwrap(), bounds);
        assert!(parse("{open").is_err());
        assert!(parse(r"\q").is_err());
    }

    #[test]
    fn shown_bytes_are_short() {
        assert_eq!(show(&[&b"a\r\n"[..], &[b'x'; 50]].concat()), r"a\r\n{x*50}");
    }
}
