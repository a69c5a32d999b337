//! Names of sends.

use std::num::NonZeroU32;

/// Names one send of a reactor, for as long as an event or a completion may refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendId {
    pub(crate) slot: u32,
    /// Counts the sends of the slot.
    pub(crate) serial: NonZeroU32,
}

impl SendId {
    /// The bits of the serial number that a completion carries: fewer sends of a slot than these bits count lie between
    /// a send and its completion.
    pub(crate) const SERIAL_MASK: u32 = (1 << 24) - 1;

    /// The id as the payload of a completion: `serial (24 bits) | slot (32 bits)`.
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.serial.get() & Self::SERIAL_MASK) << 32 | u64::from(self.slot)
    }
}
