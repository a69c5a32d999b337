//! Which items are being sent from slab memory, and which one is held while memory is found for its successor.
//!
//! ```text
//! chunk -> count of pins, and whether the key is gone meanwhile (detached: the last unpin frees it)
//! ```

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::slab::ChunkRef;

/// Spreads chunk references and tickets over a hash table; they are chosen by the engine, so no key is needed.
#[derive(Debug, Default)]
pub(crate) struct RefHasher(u64);

impl Hasher for RefHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The pins of one item.
#[derive(Clone, Copy, Debug, Default)]
struct Pinned {
    count: u32,
    /// The item has left the index: the last unpin frees it.
    detached: bool,
}

/// Side table of pinned items: an item costs nothing for being pinnable.
#[derive(Debug)]
pub(crate) struct Pins {
    pins: HashMap<ChunkRef, Pinned, BuildHasherDefault<RefHasher>>,
    /// The item that is held, and so neither evicted nor moved.
    shielded: ChunkRef,
    /// Number of values whose sending or receiving has ended, since the start.
    unguarded: u64,
}

impl Default for Pins {
    fn default() -> Self {
        Self {
            pins: HashMap::default(),
            shielded: ChunkRef::NULL,
            unguarded: 0,
        }
    }
}

/// The state of an item after an unpin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpinned {
    /// The item still has other pins.
    StillPinned,
    /// The item is an ordinary one again.
    Released,
    /// The item has left the index meanwhile and has to be freed.
    Orphaned,
}

impl Pins {
    /// Number of values whose sending or receiving has ended, since the start. When it has changed, pages may be
    /// emptied that could not be before.
    pub(crate) fn unguarded(&self) -> u64 {
        self.unguarded
    }

    /// Notes that a value is no longer being sent or received.
    pub(crate) fn note_unguarded(&mut self) {
        self.unguarded += 1;
    }

    /// Whether an item is the one that is held.
    #[inline]
    pub(crate) fn is_shielded(&self, first: ChunkRef) -> bool {
        self.shielded == first
    }

    /// Holds an item. At most one item is held at a time.
    pub(crate) fn shield(&mut self, first: ChunkRef) {
        debug_assert!(self.shielded.is_null(), "one item is held at a time");
        self.shielded = first;
    }

    /// Ends the holding of the item.
    pub(crate) fn end_shield(&mut self) {
        self.shielded = ChunkRef::NULL;
    }

    /// Pins an item once more; true if it was not pinned before.
    pub(crate) fn pin(&mut self, chunk: ChunkRef) -> bool {
        let pin = self.pins.entry(chunk).or_default();
        pin.count += 1;
        pin.count == 1
    }

    /// Undoes one [`Self::pin`].
    pub(crate) fn unpin(&mut self, chunk: ChunkRef) -> Unpinned {
        let pin = self
            .pins
            .get_mut(&chunk)
            .expect("only pinned items are unpinned");
        pin.count -= 1;
        if pin.count > 0 {
            return Unpinned::StillPinned;
        }
        let detached = pin.detached;
        self.pins.remove(&chunk);
        if detached {
            Unpinned::Orphaned
        } else {
            Unpinned::Released
        }
    }

    /// Whether the item is pinned.
    pub(crate) fn contains(&self, chunk: ChunkRef) -> bool {
        !self.pins.is_empty() && self.pins.contains_key(&chunk)
    }

    /// Notes that an item has left the index; false if it is not pinned.
    pub(crate) fn detach(&mut self, chunk: ChunkRef) -> bool {
        self.pins.get_mut(&chunk).is_some_and(|pin| {
            pin.detached = true;
            true
        })
    }

    /// Unpins everything. Returns the pinned items, and whether each had left the index.
    pub(crate) fn take(&mut self) -> Vec<(ChunkRef, bool)> {
        self.pins
            .drain()
            .map(|(chunk, pin)| (chunk, pin.detached))
            .collect()
    }

    /// The pinned items, and whether they have left the index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChunkRef, bool)> {
        self.pins.iter().map(|(&chunk, pin)| (chunk, pin.detached))
    }
}
