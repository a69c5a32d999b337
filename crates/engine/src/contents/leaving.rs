//! An item that goes for its memory, or because it is dead, told by a value: counters, watchers and the meters of the
//! policies are fed from it.
//!
//! ```text
//! leaving(chunk, cause) -> Leaving { key, bytes, age .. }  -> telemetry: counters by cause, the event for watchers
//!         then remove(..)                                  -> the caller: how many bytes it has evicted
//! ```

use super::Contents;
use crate::effort::Effort;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// Why an item goes that nobody has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Alive, but the eviction hand has come to it.
    Hand,
    /// Alive, but its probation is over.
    Probation,
    /// Alive, but its page is wanted.
    Page,
    /// Alive, but the leaf of the index has no slot for another one.
    Slot,
    /// Dead, and met by somebody who looks for memory.
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

/// What is told of an item that goes without having been deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving<'a> {
    pub(crate) cause: Cause,
    pub(crate) class: u8,
    /// The class as users know it.
    pub(crate) class_id: u8,
    pub(crate) key: &'a [u8],
    /// Whether a client has got its value.
    pub(crate) is_fetched: bool,
    /// Seconds that it had left; `None` = for ever.
    pub(crate) ttl: Option<u32>,
    /// Seconds since it was last used.
    pub(crate) idle: u32,
    pub(crate) value_bytes: usize,
    /// Header, optional fields, key and value.
    pub(crate) item_bytes: u64,
}

impl Contents {
    /// What is to be told of a linked item that is about to go.
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

    /// Takes one of many dead items out of the cache: the index gives memory back when half of it would do.
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
            index.remove(&mut items.slabs, place, true);
        });
        self.dispose(chunk, effort);
    }
}
