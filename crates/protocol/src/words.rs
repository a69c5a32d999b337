//! Words of a command line: separated by one or more spaces, and by nothing else.

use crate::scan::find;

/// The words of a line from left to right.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// The words of `line`, which has no line end.
    #[inline]
    #[must_use]
    pub fn new(line: &'a [u8]) -> Self {
        Words { rest: line }
    }

    /// The rest of the line, beginning with its next word; empty if there is none.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        skip_spaces(self.rest)
    }

    /// Whether the line ends right behind the last word taken, without a space.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = skip_spaces(self.rest);
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        let (word, rest) = split_word(rest);
        self.rest = rest;
        Some(word)
    }
}

/// The first word of `text`, which does not begin with a space, and the text behind that word.
#[inline]
pub(crate) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(find(b' ', text).unwrap_or(text.len()))
}

/// The text from its first byte that is no space.
#[inline]
pub(crate) fn skip_spaces(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Whether the last word of `line` is `noreply`; the words before it do not matter.
#[inline]
pub(crate) fn wants_no_reply(line: &[u8]) -> bool {
    let mut line = line;
    while let [rest @ .., b' '] = line {
        line = rest;
    }
    match line.strip_suffix(b"noreply") {
        Some(before) => matches!(before, [] | [.., b' ']),
        None => false,
    }
}
