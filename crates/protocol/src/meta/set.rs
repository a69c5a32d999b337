//! `ms <key> <bytes> <flag>*`, then the data block.

use super::error::LineError;
use super::flags::Flags;
use super::head::{key_and_flags, key_word};
use super::key::MetaKey;
use crate::VALUE_BYTES_MAX;
use crate::number::strict_u32;
use crate::reply::CRLF;
use crate::words::Words;

/// A store; `value_bytes` of data and `\r\n` follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaSet<'a> {
    /// The key.
    pub key: MetaKey<'a>,
    /// Length of the value that follows, without its line end; at most 2^31 - 3.
    pub value_bytes: u32,
    /// When to store.
    pub mode: SetMode,
    /// The flags. `q` hides success; a data block without its line end is reported in any case.
    pub flags: Flags<'a>,
}

/// The modes of `ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetMode {
    /// `S`: always; the default.
    Set,
    /// `E`: if there is no such item.
    Add,
    /// `A`: behind the value of an item; with `N` also as a new item.
    Append,
    /// `P`: before the value of an item; with `N` also as a new item.
    Prepend,
    /// `R`: if there is such an item.
    Replace,
}

/// A line that is refused, and what is dropped with it.
pub(super) struct Refused {
    pub(super) error: LineError,
    /// Bytes of the data block and its line end; 0 while their number is unknown.
    pub(super) swallow: usize,
}

/// Parses what follows the command word. Once the length is known, errors swallow the data.
pub(super) fn parse(rest: &[u8]) -> Result<MetaSet<'_>, Refused> {
    let refused = |swallow| move |error| Refused { error, swallow };
    let mut words = Words::new(rest);
    let (wire, value_bytes) = key_and_length(&mut words).map_err(refused(0))?;
    with_flags(wire, value_bytes, words.rest()).map_err(refused(value_bytes as usize + CRLF.len()))
}

fn key_and_length<'a>(words: &mut Words<'a>) -> Result<(&'a [u8], u32), LineError> {
    let wire = key_word(words)?;
    let length = words
        .next()
        .and_then(strict_u32)
        .filter(|&bytes| bytes <= VALUE_BYTES_MAX);
    Ok((wire, length.ok_or(LineError::Incomplete)?))
}

fn with_flags<'a>(
    wire: &'a [u8],
    value_bytes: u32,
    words: &'a [u8],
) -> Result<MetaSet<'a>, LineError> {
    let (key, flags) = key_and_flags(wire, words, 3)?;
    let mode = match flags.mode() {
        None | Some(b'S') => SetMode::Set,
        Some(b'E') => SetMode::Add,
        Some(b'A') => SetMode::Append,
        Some(b'P') => SetMode::Prepend,
        Some(b'R') => SetMode::Replace,
        Some(_) => return Err(LineError::SetMode),
    };
    flags.check_opaque()?;
    Ok(MetaSet {
        key,
        value_bytes,
        mode,
        flags,
    })
}
