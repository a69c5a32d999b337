//! GET(Q), GETK(Q): a key. GAT(Q), GATK(Q), TOUCH: exptime(4) and a key.

use super::opcode::Opcode;
use super::packet::Packet;
use super::request::BinaryRequest;

/// Parses a fetch.
#[inline]
pub(super) fn parse_get<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let valid = packet.is_keyed() && packet.extras.is_empty();
    let with_key = packet.opcode.returns_key();
    valid.then_some(BinaryRequest::Get {
        key: packet.key,
        with_key,
        quiet: packet.opcode.is_quiet(),
    })
}

/// Parses what sets an exptime.
pub(super) fn parse_touch<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    if !packet.is_keyed() {
        return None;
    }
    let key = packet.key;
    let exptime = u32::from_be_bytes(packet.extras.try_into().ok()?);
    if packet.opcode == Opcode::Touch {
        return Some(BinaryRequest::Touch { key, exptime });
    }
    let with_key = packet.opcode.returns_key();
    Some(BinaryRequest::GetAndTouch {
        key,
        exptime,
        with_key,
        quiet: packet.opcode.is_quiet(),
    })
}
