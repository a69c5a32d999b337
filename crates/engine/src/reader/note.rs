//! Notes and counts by which a reader tells engines what it has read.

use crate::index::tag_of;
use crate::types::KeyHash;

/// An item was used: where it was found.
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

/// Counts of the reads that one thread has made of other shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Items found.
    pub hits: u64,
    /// Keys without an item.
    pub misses: u64,
}
