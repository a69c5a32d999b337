//! DELETE(Q): a key.

use super::packet::Packet;
use super::request::BinaryRequest;

/// Parses a deletion.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let valid = packet.is_keyed() && packet.extras.is_empty();
    valid.then_some(BinaryRequest::Delete {
        key: packet.key,
        cas: packet.cas,
        quiet: packet.opcode.is_quiet(),
    })
}
