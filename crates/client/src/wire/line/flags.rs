//! The flags of a meta reply.
//!
//! ```text
//!   VA 5 f30 c7 t-1 W        words = "f30 c7 t-1 W"
//!        '------'---'--- one letter each, its argument attached
//! ```

use super::Flag;
use corecached_protocol::number::{c_i64, c_u64};

/// Flags of a reply in the order they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyFlags<'a> {
    pub(super) words: &'a [u8],
}

impl<'a> ReplyFlags<'a> {
    /// The flags.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Flag<'a>> + Clone + use<'a> {
        Flag::in_words(self.words)
    }

    /// The argument of a flag, if it came back.
    #[inline]
    #[must_use]
    pub fn argument(&self, letter: u8) -> Option<&'a [u8]> {
        self.iter()
            .find(|flag| flag.letter == letter)
            .map(|flag| flag.argument)
    }

    /// The number of a flag, if it came back with one.
    #[inline]
    #[must_use]
    pub fn number(&self, letter: u8) -> Option<u64> {
        self.argument(letter).and_then(c_u64)
    }

    /// The number of a flag that may be negative, such as the time to live `t`, which is -1 if there is no end.
    #[must_use]
    pub fn signed(&self, letter: u8) -> Option<i64> {
        self.argument(letter).and_then(c_i64)
    }

    /// Whether a flag came back.
    #[inline]
    #[must_use]
    pub fn has(&self, letter: u8) -> bool {
        self.argument(letter).is_some()
    }
}
