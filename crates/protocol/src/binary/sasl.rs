//! SASL list: nothing. SASL auth, SASL step: the name of a mechanism as the key, a message as the value.

use super::opcode::Opcode;
use super::packet::Packet;
use super::request::BinaryRequest;

/// The mechanism that sends a user's name and password as they are (RFC 4616).
pub const MECHANISM_PLAIN: &[u8] = b"PLAIN";

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
