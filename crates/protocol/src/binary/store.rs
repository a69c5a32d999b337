//! SET(Q), ADD(Q), REPLACE(Q): flags(4), exptime(4), a key, a value. APPEND(Q), PREPEND(Q): a key, a value.

use super::opcode::Opcode;
use super::packet::Packet;
use super::request::{BinaryRequest, BinaryStore};
use crate::text::StoreVerb;

/// Bytes of the extras.
const EXTRAS_BYTES: usize = 8;

/// The extras of SET, ADD and REPLACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreExtras {
    /// Client flags.
    pub client_flags: u32,
    /// The exptime as sent.
    pub exptime: u32,
}

impl StoreExtras {
    /// The extras in these bytes; `None` if their length is another.
    #[inline]
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Option<Self> {
        let &[f0, f1, f2, f3, e0, e1, e2, e3] = bytes else {
            return None;
        };
        Some(StoreExtras {
            client_flags: u32::from_be_bytes([f0, f1, f2, f3]),
            exptime: u32::from_be_bytes([e0, e1, e2, e3]),
        })
    }

    /// The bytes of these extras.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> [u8; EXTRAS_BYTES] {
        let [f0, f1, f2, f3] = self.client_flags.to_be_bytes();
        let [e0, e1, e2, e3] = self.exptime.to_be_bytes();
        [f0, f1, f2, f3, e0, e1, e2, e3]
    }
}

/// Parses SET, ADD, REPLACE.
#[inline]
pub(super) fn parse_store<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let extras = StoreExtras::of(packet.extras)?;
    let verb = match packet.opcode {
        // A cas unique turns all three into the same: store if the item is there and unchanged.
        _ if packet.cas != 0 => StoreVerb::Cas,
        Opcode::Add | Opcode::AddQ => StoreVerb::Add,
        Opcode::Replace | Opcode::ReplaceQ => StoreVerb::Replace,
        _ => StoreVerb::Set,
    };
    store(packet, verb, extras)
}

/// Parses APPEND, PREPEND.
pub(super) fn parse_concat<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    if !packet.extras.is_empty() {
        return None;
    }
    let verb = match packet.opcode {
        Opcode::Prepend | Opcode::PrependQ => StoreVerb::Prepend,
        _ => StoreVerb::Append,
    };
    let extras = StoreExtras {
        client_flags: 0,
        exptime: 0,
    };
    store(packet, verb, extras)
}

#[inline]
fn store<'a>(
    packet: &Packet<'a>,
    verb: StoreVerb,
    StoreExtras {
        client_flags,
        exptime,
    }: StoreExtras,
) -> Option<BinaryRequest<'a>> {
    let Packet {
        opcode,
        cas,
        key,
        value_bytes,
        ..
    } = *packet;
    let quiet = opcode.is_quiet();
    let store = BinaryStore {
        verb,
        key,
        client_flags,
        exptime,
        value_bytes,
        cas,
        quiet,
    };
    (!key.is_empty()).then_some(BinaryRequest::Store(store))
}
