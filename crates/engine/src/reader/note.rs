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

/// What one thread has read of one other shard and the engine there has not been told yet. It is emptied and used again.
#[derive(Clone, Debug, Default)]
pub struct ReadNotes {
    /// Items that were used.
    pub(crate) used: Vec<ReadNote>,
    /// By class: items found.
    pub(crate) hits: Vec<u32>,
    /// Whether there are any.
    has_hits: bool,
}

/// Notes of used items that are kept; of more than these within some milliseconds only the hits are counted.
const USED_MAX: usize = 256;

impl ReadNotes {
    /// An item of this class was found.
    #[inline]
    pub fn add(&mut self, class: u8, used: Option<ReadNote>) {
        let class = usize::from(class);
        if class >= self.hits.len() {
            self.hits.resize(class + 1, 0);
        }
        self.hits[class] += 1;
        self.has_hits = true;
        if let Some(note) = used
            && self.used.len() < USED_MAX
        {
            self.used.push(note);
        }
    }

    /// Whether there is nothing to tell.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_hits
    }

    /// Items that are to be told of as used.
    #[inline]
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.len()
    }

    /// They have been told.
    pub fn clear(&mut self) {
        self.used.clear();
        self.hits.fill(0);
        self.has_hits = false;
    }

    /// Bytes of heap memory held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.used.capacity() * size_of::<ReadNote>() + self.hits.capacity() * size_of::<u32>()
    }
}
