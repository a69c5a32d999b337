//! The key of a meta command.

use super::base64;
use crate::KEY_BYTES_MAX;

/// A key as it stands on the wire: 1 to 250 bytes, in base64 if the command has the flag `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaKey<'a> {
    wire: &'a [u8],
    base64: bool,
}

/// Room for the bytes of a decoded key.
pub type KeyScratch = [u8; KEY_BYTES_MAX];

impl<'a> MetaKey<'a> {
    /// The key `wire`; `None` if it is too long or, with `base64`, cannot be decoded.
    #[inline]
    pub(super) fn new(wire: &'a [u8], base64: bool) -> Option<Self> {
        let valid = wire.len() <= KEY_BYTES_MAX && (!base64 || decodes(wire));
        valid.then_some(MetaKey { wire, base64 })
    }

    /// Whether the key came in base64 and is to be sent back so.
    #[inline]
    #[must_use]
    pub const fn is_base64(&self) -> bool {
        self.base64
    }

    /// The key's bytes, if they are those on the wire.
    #[inline]
    #[must_use]
    pub const fn as_sent(&self) -> Option<&'a [u8]> {
        if self.base64 { None } else { Some(self.wire) }
    }

    /// The key's bytes, decoded into `scratch` if need be.
    #[inline]
    #[must_use]
    pub fn bytes<'s>(&self, scratch: &'s mut KeyScratch) -> &'s [u8]
    where
        'a: 's,
    {
        if !self.base64 {
            return self.wire;
        }
        let decoded = base64::decode(self.wire, scratch);
        &scratch[..decoded.expect("decoded once when it was parsed")]
    }
}

#[cold]
fn decodes(wire: &[u8]) -> bool {
    base64::decode(wire, &mut [0; KEY_BYTES_MAX]).is_some()
}
