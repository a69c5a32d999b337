//! What the meta commands begin with: a key, and the flags behind it.

use super::error::LineError;
use super::flags::Flags;
use super::key::MetaKey;
use crate::KEY_BYTES_MAX;
use crate::words::Words;

/// The key that `words` begin with.
#[inline]
pub(super) fn key_word<'a>(words: &mut Words<'a>) -> Result<&'a [u8], LineError> {
    words.next().ok_or(LineError::Incomplete)
}

/// The key and the flags of a command that consists of these only.
#[inline]
pub(super) fn keyed(rest: &[u8]) -> Result<(MetaKey<'_>, Flags<'_>), LineError> {
    let mut words = Words::new(rest);
    let wire = key_word(&mut words)?;
    key_and_flags(wire, words.rest(), 2)
}

/// The key `wire` with the flags in `words`, which `words_before` words of the line stand before.
#[inline]
pub(super) fn key_and_flags<'a>(
    wire: &'a [u8],
    words: &'a [u8],
    words_before: usize,
) -> Result<(MetaKey<'a>, Flags<'a>), LineError> {
    if wire.len() > KEY_BYTES_MAX {
        return Err(LineError::KeyTooLong);
    }
    let flags = Flags::parse(words, words_before)?;
    let key = MetaKey::new(wire, flags.has(b'b')).ok_or(LineError::UndecodableKey)?;
    Ok((key, flags))
}
