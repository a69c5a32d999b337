//! The keys of a retrieval command: all checked at once, or in steps if the line is long.

use std::iter::FusedIterator;

use crate::KEY_BYTES_MAX;
use crate::scan::find;
use crate::words::{Words, skip_spaces, split_word};

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
    #[inline]
    #[must_use]
    pub fn new(text: &'a [u8]) -> Option<Self> {
        let rest = skip_spaces(text);
        // A text this short holds no long key: the ordinary case needs no walk over the keys.
        let valid = !rest.is_empty() && (rest.len() <= KEY_BYTES_MAX || keys_are_short(rest));
        valid.then_some(Keys { rest })
    }

    /// Goes on where another iterator stopped, with the text that [`Keys::as_bytes`] gave; or begins with a text that
    /// [`KeyCheck`] has found good. The keys are not checked again.
    #[inline]
    #[must_use]
    pub fn resume(text: &'a [u8]) -> Self {
        Keys {
            rest: skip_spaces(text),
        }
    }

    /// The only key; `None` if there are several.
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
    Words::new(text).all(|key| key.len() <= KEY_BYTES_MAX)
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

    /// Lower bound: one key, if any is left; upper bound: one for every second byte.
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (
            usize::from(!self.rest.is_empty()),
            Some(self.rest.len().div_ceil(2)),
        )
    }
}

impl FusedIterator for Keys<'_> {}

/// The result of the checks of a long line's keys so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// No fault yet, and more to look at.
    Partly,
    /// There is a key, and none is too long.
    Good,
    /// There is no key, or one that is too long.
    Bad,
}

/// The check of [`Keys::new`], in steps, for a line that is too long to be checked in one go.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyCheck {
    /// Bytes that have been checked; a word or a space begins behind them.
    checked: usize,
    has_key: bool,
}

impl KeyCheck {
    /// Checks the next `bytes` bytes of `text`, give or take a key. `text` must be the same in each step.
    pub fn step(&mut self, text: &[u8], bytes: usize) -> Checked {
        let end = text.len().min(self.checked + bytes.max(2 * KEY_BYTES_MAX));
        let is_last = end == text.len();
        let mut words = Words::new(&text[self.checked..end]);
        while let Some(word) = words.next() {
            if word.len() > KEY_BYTES_MAX {
                return Checked::Bad;
            }
            self.has_key = true;
            if words.is_at_end() && !is_last {
                // The last word may go on behind the part that is checked in this step.
                self.checked = end - word.len();
                return Checked::Partly;
            }
        }
        self.checked = end;
        match (is_last, self.has_key) {
            (false, _) => Checked::Partly,
            (true, true) => Checked::Good,
            (true, false) => Checked::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_steps(text: &[u8], bytes: usize) -> bool {
        let mut check = KeyCheck::default();
        loop {
            match check.step(text, bytes) {
                Checked::Partly => {}
                outcome => return outcome == Checked::Good,
            }
        }
    }

    #[test]
    fn keys_are_judged_alike_in_steps_of_any_size() {
        let long = |bytes: usize| vec![b'k'; bytes];
        let mut texts = vec![Vec::new(), b" ".repeat(3000), b"a".to_vec()];
        for bytes in [249, 250, 251, 252, 499, 500, 501, 1000] {
            for before in [0, 1, 248, 249, 250, 251, 499, 500, 501] {
                for spaces in [1, 2, 300] {
                    let space = b" ".repeat(spaces);
                    let part = &long(before.min(250))[..];
                    texts.push([part, &space, &long(bytes), &space, b"x"].concat());
                    texts.push([&space, part, &space, part, &space, &long(bytes)].concat());
                    texts.push([&long(bytes), &space[..], part].concat());
                }
            }
        }
        for text in &texts {
            let whole = Keys::new(text).is_some();
            for bytes in [1, 500, 501, 502, 600, 999, 4096, 1 << 20] {
                assert_eq!(in_steps(text, bytes), whole, "{} bytes", text.len());
            }
        }
    }
}
