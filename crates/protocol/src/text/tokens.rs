//! Words of a command line: separated by one or more spaces, and by nothing else.

use std::iter::FusedIterator;

use crate::KEY_BYTES_MAX;
use crate::scan::find;

/// The words of a line from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// The words of `line`, which has no line end.
    #[inline]
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Tokens { rest: line }
    }

    /// What is left of the line, beginning with its next word; empty if there is none.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        skip_spaces(self.rest)
    }
}

impl<'a> Iterator for Tokens<'a> {
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

/// The first word of `text`, which does not begin with a space, and what follows it.
#[inline]
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(find(b' ', text).unwrap_or(text.len()))
}

#[inline]
fn skip_spaces(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Whether the last word of `line` is `noreply`; whatever stands before it does not matter.
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

/// Keys of a retrieval command: at least one, each at most [`KEY_BYTES_MAX`] bytes.
///
/// Borrows the rest of the command line and walks it; cloning is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys<'a> {
    /// Begins with a key, or is empty.
    rest: &'a [u8],
}

impl<'a> Keys<'a> {
    /// The keys in `text`, or `None` if there is none or one of them is too long.
    ///
    /// With what [`Keys::as_bytes`] gave, it goes on where another iterator stopped.
    #[inline]
    #[must_use]
    pub fn new(text: &'a [u8]) -> Option<Self> {
        let rest = skip_spaces(text);
        // A text this short holds no long key: the ordinary case needs no walk over the keys.
        let valid = !rest.is_empty() && (rest.len() <= KEY_BYTES_MAX || keys_are_short(rest));
        valid.then_some(Keys { rest })
    }

    /// The only key, if there is just one.
    #[inline]
    #[must_use]
    pub fn single(&self) -> Option<&'a [u8]> {
        match find(b' ', self.rest) {
            None if !self.rest.is_empty() => Some(self.rest),
            None => None,
            Some(end) => skip_spaces(&self.rest[end..])
                .is_empty()
                .then(|| &self.rest[..end]),
        }
    }

    /// The part of the line that is left: empty, or beginning with the next key.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

#[cold]
fn keys_are_short(text: &[u8]) -> bool {
    Tokens::new(text).all(|key| key.len() <= KEY_BYTES_MAX)
}

impl<'a> Iterator for Keys<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (key, rest) = split_word(self.rest);
        self.rest = skip_spaces(rest);
        Some(key)
    }

    /// Between one key (if any is left) and one for every second byte.
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (
            usize::from(!self.rest.is_empty()),
            Some(self.rest.len().div_ceil(2)),
        )
    }
}

impl FusedIterator for Keys<'_> {}
