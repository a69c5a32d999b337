//! SET(Q), ADD(Q), REPLACE(Q): flags(4), exptime(4), a key, a value. APPEND(Q), PREPEND(Q): a key, a value.

use super::header::Packet;
use super::opcode::Opcode;
use super::request::{BinaryRequest, BinaryStore};
use crate::text::StoreVerb;

/// Parses SET, ADD, REPLACE.
#[inline]
pub(super) fn parse_store<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let &[f0, f1, f2, f3, e0, e1, e2, e3] = packet.extras else {
        return None;
    };
    let verb = match packet.opcode {
        // A cas unique turns all three into the same: store if the item is there and unchanged.
        _ if packet.cas != 0 => StoreVerb::Cas,
        Opcode::Add | Opcode::AddQ => StoreVerb::Add,
        Opcode::Replace | Opcode::ReplaceQ => StoreVerb::Replace,
        _ => StoreVerb::Set,
    };
    let client_flags = u32::from_be_bytes([f0, f1, f2, f3]);
    store(
        packet,
        verb,
        client_flags,
        u32::from_be_bytes([e0, e1, e2, e3]),
    )
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
    store(packet, verb, 0, 0)
}

#[inline]
fn store<'a>(
    packet: &Packet<'a>,
    verb: StoreVerb,
    client_flags: u32,
    exptime: u32,
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
