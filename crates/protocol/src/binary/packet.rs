//! A packet as the parsers of the opcodes see it: its lengths fit together, its value is still to come.

use super::opcode::Opcode;

/// A packet up to its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) opcode: Opcode,
    pub(super) cas: u64,
    pub(super) extras: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) value_bytes: u32,
}

impl Packet<'_> {
    /// Whether the packet has neither key nor value.
    pub(super) fn is_bare(&self) -> bool {
        self.key.is_empty() && self.value_bytes == 0
    }

    /// Whether the packet has a key and no value.
    pub(super) fn is_keyed(&self) -> bool {
        !self.key.is_empty() && self.value_bytes == 0
    }
}
