//! `me <key> [b]`.

use super::error::LineError;
use super::head::key_word;
use super::key::MetaKey;
use crate::KEY_BYTES_MAX;
use crate::words::Words;

/// A look at an item's innards, which changes nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaDebug<'a> {
    /// The key.
    pub key: MetaKey<'a>,
}

/// Parses what follows the command word. Words after the key are ignored, but for a `b` that comes next.
pub(super) fn parse(rest: &[u8]) -> Result<MetaDebug<'_>, LineError> {
    let mut words = Words::new(rest);
    let wire = key_word(&mut words)?;
    if wire.len() > KEY_BYTES_MAX {
        return Err(LineError::KeyTooLong);
    }
    // Unlike the other commands, this one has no text of its own for a key that is not base64.
    let key = MetaKey::new(wire, words.next() == Some(b"b")).ok_or(LineError::Incomplete)?;
    Ok(MetaDebug { key })
}
