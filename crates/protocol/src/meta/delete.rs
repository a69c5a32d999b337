//! `md <key> <flag>*`.

use super::error::LineError;
use super::flags::Flags;
use super::head::keyed;
use super::key::MetaKey;

/// A deletion; with `I` a marking as stale, with `x` an emptying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaDelete<'a> {
    /// The key.
    pub key: MetaKey<'a>,
    /// The flags. `q` hides success.
    pub flags: Flags<'a>,
}

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> Result<MetaDelete<'_>, LineError> {
    let (key, flags) = keyed(rest)?;
    flags.check_opaque()?;
    Ok(MetaDelete { key, flags })
}
