//! `ma <key> <flag>*`.

use super::error::LineError;
use super::flags::Flags;
use super::head::keyed;
use super::key::MetaKey;

/// A change of a number; with `N` one that creates it on a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaArith<'a> {
    /// The key.
    pub key: MetaKey<'a>,
    /// Up or down.
    pub mode: ArithMode,
    /// The flags. `q` hides success.
    pub flags: Flags<'a>,
}

/// The modes of `ma`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithMode {
    /// `I` or `+`; the default.
    Incr,
    /// `D` or `-`.
    Decr,
}

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> Result<MetaArith<'_>, LineError> {
    let (key, flags) = keyed(rest)?;
    let mode = match flags.mode() {
        None | Some(b'I' | b'+') => ArithMode::Incr,
        Some(b'D' | b'-') => ArithMode::Decr,
        Some(_) => return Err(LineError::ArithMode),
    };
    flags.check_opaque()?;
    Ok(MetaArith { key, mode, flags })
}
