//! FLUSH(Q): nothing, or delay(4).

use super::packet::Packet;
use super::request::BinaryRequest;

/// Parses a flush.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let exptime = match packet.extras {
        [] => None,
        extras => Some(u32::from_be_bytes(extras.try_into().ok()?)),
    };
    packet.is_bare().then_some(BinaryRequest::Flush {
        exptime,
        quiet: packet.opcode.is_quiet(),
    })
}
