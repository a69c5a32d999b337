//! INCR(Q), DECR(Q): delta(8), initial(8), exptime(4), a key.

use super::header::Packet;
use super::opcode::Opcode;
use super::request::BinaryRequest;

/// The exptime with which a miss creates no item.
pub const CREATE_NOTHING: u32 = u32::MAX;

/// Parses a change of a number.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let (delta, rest) = packet.extras.split_first_chunk::<8>()?;
    let (initial, exptime) = rest.split_first_chunk::<8>()?;
    let exptime = u32::from_be_bytes(exptime.try_into().ok()?);
    let create = (exptime != CREATE_NOTHING).then_some((u64::from_be_bytes(*initial), exptime));
    packet.is_keyed().then_some(BinaryRequest::Arith {
        key: packet.key,
        incr: matches!(packet.opcode, Opcode::Incr | Opcode::IncrQ),
        delta: u64::from_be_bytes(*delta),
        create,
        cas: packet.cas,
        quiet: packet.opcode.is_quiet(),
    })
}
