//! NOOP, VERSION, QUIT(Q): a header and nothing else.

use super::opcode::Opcode;
use super::packet::Packet;
use super::request::BinaryRequest;

/// Parses a packet without a body.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let request = match packet.opcode {
        Opcode::Noop => BinaryRequest::Noop,
        Opcode::Version => BinaryRequest::Version,
        _ => BinaryRequest::Quit {
            quiet: packet.opcode.is_quiet(),
        },
    };
    (packet.is_bare() && packet.extras.is_empty()).then_some(request)
}
