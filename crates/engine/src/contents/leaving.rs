//! A value that describes an item which is removed for its memory or because it is dead. Counters, watchers and the
//! meters of the policies are fed from this value.
//!
//! ```text
//! leaving(chunk, cause) -> Leaving { key, bytes, age .. }  -> telemetry: counters by cause, the event for watchers
//!         then remove(..)                                  -> the caller: how many bytes it has evicted
//! ```

use super::Contents;
use crate::effort::Effort;
use crate::index::Removal;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// Why an item is removed that nobody has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Alive, but the eviction hand has come to it.
    Hand,
    /// Alive, but its probation is over.
    Probation,
    /// Alive, but its page is wanted.
    Page,
    /// Alive, but its leaf of the index has no slot for a new item.
    Slot,
    /// Dead, and met in a search for memory.
    Met,
    /// Dead, and found by the background walks.
    Swept,
}

impl Cause {
    /// Whether the item is alive.
    pub(crate) fn is_eviction(self) -> bool {
        !matches!(self, Self::Met | Self::Swept)
    }
}

/// The description of an item that is removed without having been deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving<'a> {
    pub(crate) cause: Cause,
    pub(crate) class: u8,
    /// The class as users know it.
    pub(crate) class_id: u8,
    pub(crate) key: &'a [u8],
    /// Whether a client has fetched its value.
    pub(crate) is_fetched: bool,
    /// Seconds that the item had left; `None` if it would have lived for ever.
    pub(crate) ttl: Option<u32>,
    /// Seconds since the item was last used.
    pub(crate) idle: u32,
    pub(crate) value_bytes: usize,
    /// Bytes of header, optional fields, key and value.
    pub(crate) item_bytes: u64,
}

impl Contents {
    /// The description of a linked item that is about to be removed.
    #[inline]
    pub(crate) fn leaving(&self, chunk: ChunkRef, cause: Cause) -> Leaving<'_> {
        let item = self.items.item(chunk);
        let class = self.items.slabs.class_of(chunk);
        Leaving {
            cause,
            class,
            class_id: self.shown_class(class),
            key: item.key(),
            is_fetched: item.head.is_fetched(),
            ttl: self.seconds_left(item.deadline()),
            idle: self.clock.age(item.head.last_access()),
            value_bytes: item.value_bytes(),
            item_bytes: item.requested_bytes() as u64,
        }
    }

    /// Takes an item that is alive out of the cache.
    pub(crate) fn remove(&mut self, chunk: ChunkRef, hash: KeyHash, effort: &mut Effort) {
        effort.spend(1);
        let place = self.place_with(hash, chunk);
        self.unlink(place, chunk, effort);
    }

    /// Takes one of many dead items out of the cache: the index gives memory back only when half of a leaf's extents
    /// would suffice.
    pub(crate) fn remove_one_of_many(
        &mut self,
        chunk: ChunkRef,
        hash: KeyHash,
        effort: &mut Effort,
    ) {
        effort.spend(1);
        let place = self.place_with(hash, chunk);
        self.note_unlinked(chunk);
        self.change_index(effort, |index, items| {
            index.remove(&mut items.slabs, place, Removal::OneOfMany);
        });
        self.dispose(chunk, effort);
    }
}
