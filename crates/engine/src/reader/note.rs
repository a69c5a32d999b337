//! What a reader tells engines of what it has read.

use crate::index::tag_of;
use crate::types::KeyHash;

/// An item was used: where it was found.
///
/// If something else is in its place when the note comes, with the same 16 bits of its hash, that seems to have been used.
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

    /// As much of the hash as the index needs.
    pub(crate) fn hash(self) -> KeyHash {
        KeyHash(u64::from(self.tag) << 32 | u64::from(self.hash))
    }

    /// The slot in the leaf.
    pub(crate) fn slot(self) -> usize {
        usize::from(self.slot)
    }
}

/// What one thread has read of other shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Items found.
    pub hits: u64,
    /// Keys without an item.
    pub misses: u64,
}
