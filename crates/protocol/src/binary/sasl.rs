//! SASL list: nothing. SASL auth, SASL step: the name of a mechanism as the key, a message as the value.

use super::header::Packet;
use super::opcode::Opcode;
use super::request::BinaryRequest;

/// Longest name of a mechanism.
pub const MECHANISM_BYTES_MAX: usize = 32;

/// Parses a step of an authentication.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let (mechanism, value_bytes) = (packet.key, packet.value_bytes);
    let (valid, request) = match packet.opcode {
        Opcode::SaslList => (packet.is_bare(), BinaryRequest::SaslList),
        Opcode::SaslAuth => (
            !mechanism.is_empty(),
            BinaryRequest::SaslAuth {
                mechanism,
                value_bytes,
            },
        ),
        _ => (
            !mechanism.is_empty(),
            BinaryRequest::SaslStep {
                mechanism,
                value_bytes,
            },
        ),
    };
    (valid && packet.extras.is_empty()).then_some(request)
}
