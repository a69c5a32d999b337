//! A meta command as the rules look at it. Words are read here once more, in the simplest way there is: what is checked
//! must not be checked by itself.

use corecached_fuzz::streams::CAS_OF;

/// One request.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) words: Vec<&'a [u8]>,
    /// What follows the line.
    pub(super) data: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line that `request` begins with.
    pub(super) fn of(request: &'a [u8]) -> Line<'a> {
        let end = request.iter().position(|&byte| byte == b'\n');
        let (line, data) = request.split_at(end.expect("a line") + 1);
        let words = line.trim_ascii_end().split(|&byte| byte == b' ');
        Line {
            words: words.filter(|word| !word.is_empty()).collect(),
            data,
        }
    }

    pub(super) fn is(&self, verb: &str) -> bool {
        self.words[0] == verb.as_bytes()
    }

    /// The key as sent; nothing, if there is none.
    pub(super) fn key(&self) -> &'a [u8] {
        self.words.get(1).copied().unwrap_or_default()
    }

    /// Whether it is a meta command with flags.
    pub(super) fn is_meta(&self) -> bool {
        ["mg", "ms", "md", "ma"].iter().any(|verb| self.is(verb))
    }

    /// The words that are flags. Without a length `ms` is refused before they are looked at.
    pub(super) fn flags(&self) -> &[&'a [u8]] {
        let before = if self.is("ms") { 3 } else { 2 };
        let has_length = !self.is("ms") || self.length().is_some();
        if self.is_meta() && has_length {
            self.words.get(before..).unwrap_or(&[])
        } else {
            &[]
        }
    }

    /// The argument of a flag.
    pub(super) fn flag(&self, letter: u8) -> Option<&'a [u8]> {
        let flag = self.flags().iter().find(|flag| flag[0] == letter);
        flag.map(|flag| &flag[1..])
    }

    pub(super) fn has(&self, letters: &[u8]) -> bool {
        letters.iter().all(|&letter| self.flag(letter).is_some())
    }

    /// The announced length, as 1.6.45 reads it.
    pub(super) fn length(&self) -> Option<usize> {
        let word = self.words.get(2).filter(|word| word.len() <= 11)?;
        let digits = word.iter().all(u8::is_ascii_digit);
        digits.then(|| text(word)?.parse().ok())?
    }

    /// Whether some flag is there twice, is not known, or has no number where one is due.
    pub(super) fn has_wrong_flags(&self) -> bool {
        let flags = self.flags();
        let wrong = |(at, flag): (usize, &&[u8])| {
            let twice = flags[..at].iter().any(|other| other[0] == flag[0]);
            twice || !b"CDEFIJLMNOPRTbcfhklqstuvx".contains(&flag[0]) || !has_number(flag)
        };
        flags.iter().enumerate().any(wrong)
    }

    /// Whether a flag is there that 1.6.18 does not know.
    pub(super) fn has_new_flag(&self) -> bool {
        self.has(b"E") || self.has(b"x")
    }

    /// Whether anything is wrong but for new flags.
    pub(super) fn has_other_faults(&self) -> bool {
        let modes: [&[u8]; 9] = [b"S", b"E", b"A", b"P", b"R", b"I", b"D", b"+", b"-"];
        let mode = self.flag(b'M').is_some_and(|mode| !modes.contains(&mode));
        let opaque = self.flag(b'O').is_some_and(|opaque| opaque.len() > 31);
        let key = self.key().len() > 250 || self.has_bad_base64();
        let length = self.is("ms") && self.length().is_none();
        self.has_wrong_flags() || self.words.len() > 19 || mode || opaque || key || length
    }

    /// Whether the key is to be decoded and cannot be.
    pub(super) fn has_bad_base64(&self) -> bool {
        let wants = self.has(b"b") || (self.is("me") && self.words.get(2) == Some(&&b"b"[..]));
        wants && !is_base64(self.key())
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Whether the argument of a flag is the number that it must be, if it must be one.
fn has_number(flag: &[u8]) -> bool {
    let Some(argument) = text(&flag[1..]) else {
        return false;
    };
    match flag[0] {
        b'T' | b'N' | b'R' => argument.parse::<i32>().is_ok(),
        b'F' => argument.parse::<u32>().is_ok(),
        b'C' => argument.as_bytes().starts_with(CAS_OF) || argument.parse::<u64>().is_ok(),
        b'D' | b'E' | b'J' => argument.parse::<u64>().is_ok(),
        _ => true,
    }
}

/// Whether the number has a plus sign, or more characters than a new one may have.
pub(super) fn is_loose_number(flag: &[u8]) -> bool {
    let longest = match flag[0] {
        b'T' | b'N' | b'R' | b'F' => 11,
        b'C' | b'D' | b'E' | b'J' => 22,
        _ => return false,
    };
    let argument = &flag[1..];
    let is_long = argument.len() > longest && !argument.starts_with(CAS_OF);
    has_number(flag) && (is_long || argument.starts_with(b"+"))
}

/// Whether a number stands there that fits in 64 bits, but not in the 32 of its flag.
pub(super) fn is_cut_number(flag: &[u8]) -> bool {
    let number = text(&flag[1..]).and_then(|argument| argument.parse::<i64>().ok());
    let unsigned = flag[0] != b'F' || number.is_some_and(|number| number >= 0);
    b"TNRF".contains(&flag[0]) && number.is_some() && unsigned && !has_number(flag)
}

/// Whole groups of four digits, of which the last may be padded.
fn is_base64(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").or(key.strip_suffix(b"="));
    let digits = digits.unwrap_or(key);
    let known = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() % 4 == 0 && digits.iter().all(known)
}
