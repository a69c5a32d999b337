//! The name of a slot by which an engine can be told later that the item in it was used.

use super::table::tag_of;
use crate::types::KeyHash;

/// A note that an item was used, with the place where the item was found.
///
/// If another item is in this place when the note comes, with the same 16 bits of its hash, that item counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadNote {
    hash: u32,
    tag: u16,
    slot: u16,
}

const _: () = assert!(size_of::<ReadNote>() == 8);

impl ReadNote {
    /// The item with this hash was found in this slot of its leaf.
    pub(crate) fn new(hash: KeyHash, slot: usize) -> Self {
        Self {
            hash: hash.0 as u32,
            tag: tag_of(hash),
            slot: slot as u16,
        }
    }

    /// The bits of the hash that the index needs.
    pub(crate) fn hash(self) -> KeyHash {
        KeyHash(u64::from(self.tag) << 32 | u64::from(self.hash))
    }

    /// The slot in the leaf.
    pub(crate) fn slot(self) -> usize {
        usize::from(self.slot)
    }
}
