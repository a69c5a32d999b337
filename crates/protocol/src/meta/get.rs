//! `mg <key> <flag>*`.

use super::error::LineError;
use super::flags::Flags;
use super::head::keyed;
use super::key::MetaKey;

/// A fetch; with `N` one that creates the item on a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaGet<'a> {
    /// The key.
    pub key: MetaKey<'a>,
    /// The flags. `q` hides a miss.
    pub flags: Flags<'a>,
}

/// Parses what follows the command word.
#[inline]
pub(super) fn parse(rest: &[u8]) -> Result<MetaGet<'_>, LineError> {
    let (key, flags) = keyed(rest)?;
    flags.check_opaque()?;
    Ok(MetaGet { key, flags })
}
