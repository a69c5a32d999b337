//! INCR(Q), DECR(Q): delta(8), initial(8), exptime(4), a key.

use super::opcode::Opcode;
use super::packet::Packet;
use super::request::BinaryRequest;

/// The exptime with which a miss creates no item.
const CREATE_NOTHING: u32 = u32::MAX;

/// Bytes of the extras.
const EXTRAS_BYTES: usize = 20;

/// The extras of INCR and DECR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArithExtras {
    /// The number to add or subtract.
    pub delta: u64,
    /// Number and exptime of the item that is created on a miss, if one is to be created.
    pub create: Option<(u64, u32)>,
}

impl ArithExtras {
    /// The extras in these bytes; `None` if their length is another.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (delta, rest) = bytes.split_first_chunk()?;
        let (initial, exptime) = rest.split_first_chunk()?;
        let exptime = u32::from_be_bytes(exptime.try_into().ok()?);
        Some(ArithExtras {
            delta: u64::from_be_bytes(*delta),
            create: (exptime != CREATE_NOTHING).then_some((u64::from_be_bytes(*initial), exptime)),
        })
    }

    /// The bytes of these extras.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> [u8; EXTRAS_BYTES] {
        let (initial, exptime) = self.create.unwrap_or((0, CREATE_NOTHING));
        let mut bytes = [0; EXTRAS_BYTES];
        bytes[..8].copy_from_slice(&self.delta.to_be_bytes());
        bytes[8..16].copy_from_slice(&initial.to_be_bytes());
        bytes[16..].copy_from_slice(&exptime.to_be_bytes());
        bytes
    }
}

/// Parses a change of a number.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    let ArithExtras { delta, create } = ArithExtras::of(packet.extras)?;
    packet.is_keyed().then_some(BinaryRequest::Arith {
        key: packet.key,
        incr: matches!(packet.opcode, Opcode::Incr | Opcode::IncrQ),
        delta,
        create,
        cas: packet.cas,
        quiet: packet.opcode.is_quiet(),
    })
}
