//! One bucket of the index: a cache line of ten slots.
//!
//! ```text
//! 0                    40               60        62        64
//! | 10 chunk references | 10 tags        | passed | reserved |
//! ```
//!
//! A slot is empty when its reference is 0. `passed` counts the items that wanted this bucket or one before it, found
//! this one full and went on: a search that sees 0 may stop. This count makes tombstones unnecessary, as in F14.

use crate::segment::Plain;
use crate::slab::ChunkRef;

/// Slots of a bucket.
pub(crate) const SLOTS: usize = 10;
/// Bytes of a bucket.
pub(crate) const BUCKET_BYTES: usize = 64;

/// A cache line of the index: the tags and references of some items, and how many have passed on to the next one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    refs: [ChunkRef; SLOTS],
    tags: [u16; SLOTS],
    pub(crate) passed: u16,
    reserved: u16,
}

const _: () = assert!(size_of::<Bucket>() == BUCKET_BYTES);

// SAFETY: 40 + 20 + 2 + 2 bytes of integers, no padding; any bits are a value; no interior mutability.
unsafe impl Plain for Bucket {}

impl Bucket {
    /// Offset of the reference in a slot of the bucket at `address`.
    #[inline]
    pub(crate) fn reference_at(address: usize, slot: usize) -> usize {
        address + 4 * slot
    }

    /// Offset of the tag in a slot.
    #[inline]
    pub(crate) fn tag_at(address: usize, slot: usize) -> usize {
        address + 4 * SLOTS + 2 * slot
    }

    /// Offset of `passed`.
    #[inline]
    pub(crate) fn passed_at(address: usize) -> usize {
        Self::tag_at(address, SLOTS)
    }

    /// The slots with this tag, as a bit set. May contain empty slots.
    #[inline]
    pub(crate) fn with_tag(&self, tag: u16) -> u32 {
        let mut set = 0;
        for (slot, &other) in self.tags.iter().enumerate() {
            set |= u32::from(other == tag) << slot;
        }
        set
    }

    /// The reference in a slot.
    #[inline]
    pub(crate) fn get(&self, slot: usize) -> ChunkRef {
        self.refs[slot]
    }

    /// The tag in a slot.
    #[inline]
    pub(crate) fn tag(&self, slot: usize) -> u16 {
        self.tags[slot]
    }

    /// An empty slot, if there is one.
    #[inline]
    pub(crate) fn vacancy(&self) -> Option<usize> {
        self.refs.iter().position(|chunk| chunk.is_null())
    }

    /// Tags and references of the filled slots.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.slots().map(|(_, entry)| entry)
    }

    /// Tags and references of the filled slots, with the numbers of the slots.
    #[inline]
    pub(crate) fn slots(&self) -> impl Iterator<Item = (usize, Entry)> {
        let entry = |slot: usize| Entry {
            tag: self.tags[slot],
            chunk: self.refs[slot],
        };
        (0..SLOTS)
            .filter(|&slot| !self.refs[slot].is_null())
            .map(move |slot| (slot, entry(slot)))
    }
}

/// The contents of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) tag: u16,
    pub(crate) chunk: ChunkRef,
}

impl Entry {
    /// The contents of an empty slot.
    pub(crate) const NONE: Self = Self {
        tag: 0,
        chunk: ChunkRef::NULL,
    };
}
