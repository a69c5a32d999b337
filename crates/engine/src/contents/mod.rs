//! The contents of the cache: items, the index that finds them, and the clock that says which of them are dead.
//!
//! ```text
//!          link                      unlink, evict, reclaim
//! loose  -------->  linked  ------------------------------->  freed: its chunks at once, those of a chain step by step
//!                      |                                        ^               (freeing.rs)
//!                      +-- while it is pinned: detached --------+ with the last unpin (pinning.rs)
//! ```
//!
//! Nothing here decides which item is evicted or where memory comes from (`evict`, `place`), and nothing is counted for
//! users (`telemetry`): the end of an item is described by a value ([`Leaving`]).

mod census;
mod freeing;
mod leaving;
mod pinning;
mod pins;

use std::collections::HashSet;

pub(crate) use self::census::Census;
pub(crate) use self::freeing::{DYING_MIN, DYING_STEP};
pub(crate) use self::leaving::{Cause, Leaving};
use self::pins::Pins;
pub(crate) use self::pins::RefHasher;

use crate::effort::Effort;
use crate::index::{Index, Place, Removal};
use crate::item::policy;
use crate::item::{Fields, GROWTH_BYTES, Head, Item, Items, State};
use crate::shown_clock::ShownClock;
use crate::slab::{ChunkRef, INDEX_CLASS};
use crate::types::{Deadline, KeyHash, KeyHasher};

/// The contents of a shard's cache, and the index that finds them.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) items: Items,
    pub(crate) index: Index,
    pub(crate) clock: ShownClock,
    pub(crate) pins: Pins,
    pub(crate) census: Census,
    hasher: KeyHasher,
    /// Chains being freed, linked by the field of their length.
    dying: ChunkRef,
}

/// Why a lookup finds nothing although the item is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Its deadline has passed.
    Expired,
    /// `flush_all` has killed it.
    Flushed,
}

/// A moment, for searches for memory. Memory that was found to be full at one moment may have room at another: the
/// moment differs whenever chunks were freed, the sending or receiving of values has ended, or time has passed, so that
/// items die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    freed_chunks: u64,
    unguarded: u64,
    now: u32,
}

impl Contents {
    /// Empty contents over these slabs and this index.
    pub(crate) fn new(items: Items, index: Index, hasher: KeyHasher) -> Self {
        Self {
            census: Census::new(items.slabs.sizes.len()),
            items,
            index,
            hasher,
            clock: ShownClock::new(),
            pins: Pins::default(),
            dying: ChunkRef::NULL,
        }
    }

    /// Hash of the key of the item at `chunk`.
    #[inline]
    pub(crate) fn hash_of(&self, chunk: ChunkRef) -> KeyHash {
        self.items.hash_of(self.hasher, chunk)
    }

    /// Seed of the hash function.
    pub(crate) fn hash_seed(&self) -> u64 {
        self.hasher.seed()
    }

    /// The present moment, as far as it matters to a search for memory.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            freed_chunks: self.items.slabs.freed_chunks(),
            unguarded: self.pins.unguarded(),
            now: self.clock.now().0,
        }
    }

    /// The number under which users know a class; 0 is the pool.
    pub(crate) fn shown_class(&self, class: u8) -> u8 {
        match class {
            INDEX_CLASS => 0,
            class => self.items.slabs.sizes.shown_id(class),
        }
    }

    /// The class of an item that needs no chain. Items so large that their header could not grow are chains.
    #[inline]
    pub(crate) fn single_class(&self, fields: &Fields<'_>) -> Option<u8> {
        let bytes = self.items.single_bytes(fields);
        let roomy = bytes + GROWTH_BYTES <= self.items.slabs.sizes.chunk_max();
        if roomy {
            self.items.slabs.sizes.class_for(bytes)
        } else {
            None
        }
    }

    /// Whether a linked item is dead, and of which cause.
    #[inline]
    pub(crate) fn death(&self, item: &Item<'_>) -> Option<Death> {
        if item.deadline().has_passed(self.clock.now()) {
            Some(Death::Expired)
        } else if self.clock.has_flushed(item.head.last_access()) {
            Some(Death::Flushed)
        } else {
            None
        }
    }

    /// Whether the linked item at `chunk` is dead.
    #[inline]
    pub(crate) fn is_dead(&self, chunk: ChunkRef) -> bool {
        self.death(&self.items.item(chunk)).is_some()
    }

    /// Finds an item, dead or alive.
    #[inline]
    pub(crate) fn find(&self, key: &[u8], hash: KeyHash) -> Option<(Place, ChunkRef)> {
        self.index.find(&self.items.slabs, hash, key, |chunk| {
            self.items.has_key(chunk, key)
        })
    }

    /// The place of the item at `chunk` in the index.
    pub(crate) fn place_of(&self, chunk: ChunkRef) -> Place {
        self.place_with(self.hash_of(chunk), chunk)
    }

    /// Like [`Self::place_of`], if the hash of the item's key is known.
    fn place_with(&self, hash: KeyHash, chunk: ChunkRef) -> Place {
        let key = self.items.item(chunk).key();
        let found = self
            .index
            .find(&self.items.slabs, hash, key, |other| other == chunk);
        found.expect("a linked item is in the index").0
    }

    /// The head of an item after a use of it.
    #[inline]
    fn used(&self, head: Head) -> Head {
        head.with_frequency(policy::accessed(head.frequency()))
            .with_last_access(self.clock.stamp())
    }

    #[inline]
    fn change_head(&mut self, chunk: ChunkRef, before: Head, after: Head) {
        if after != before {
            self.items.set_head(chunk, after);
        }
    }

    /// Marks an item as used.
    #[inline]
    pub(crate) fn mark_used(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        self.change_head(chunk, head, self.used(head));
    }

    /// Marks an item as used by a client that gets its value.
    #[inline]
    pub(crate) fn mark_fetched(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        self.change_head(chunk, head, self.used(head).with_fetched(true));
    }

    /// Keeps the age of an item from wrapping. For items that are looked at, or moved to memory that the walk may have
    /// passed.
    #[inline]
    pub(crate) fn renew(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        let renewed = self.clock.renewed(head.last_access());
        self.change_head(chunk, head, head.with_last_access(renewed));
    }

    /// Counts an item that is being linked, and stamps it.
    pub(crate) fn note_linked(&mut self, chunk: ChunkRef, frequency: u8) {
        let head = self.items.head(chunk);
        let state = if head.is_chain() {
            State::LinkedChain
        } else {
            State::Linked
        };
        let head = head
            .with_state(state)
            .with_frequency(frequency)
            .with_last_access(self.clock.stamp_of_new());
        self.items.set_head(chunk, head);
        let item = self.items.item(chunk);
        let class = self.items.slabs.class_of(chunk);
        self.census.add(class, &item);
        let deadline = item.deadline();
        self.items.note_deadline(chunk, deadline);
    }

    /// Counts an item that is being unlinked.
    pub(crate) fn note_unlinked(&mut self, chunk: ChunkRef) {
        let class = self.items.slabs.class_of(chunk);
        self.census.subtract(class, &self.items.item(chunk));
    }

    /// Changes the index, and counts the slots that this moves.
    #[inline]
    pub(crate) fn change_index<T>(
        &mut self,
        effort: &mut Effort,
        change: impl FnOnce(&mut Index, &mut Items) -> T,
    ) -> T {
        let before = self.index.slot_work();
        let outcome = change(&mut self.index, &mut self.items);
        effort.spend_slots(self.index.slot_work() - before);
        outcome
    }

    /// Removes an item from the index and frees it. A pinned item is freed with its last unpin.
    pub(crate) fn unlink(&mut self, place: Place, chunk: ChunkRef, effort: &mut Effort) {
        self.note_unlinked(chunk);
        self.change_index(effort, |index, items| {
            index.remove(&mut items.slabs, place, Removal::Single);
        });
        self.dispose(chunk, effort);
    }

    /// Changes the item with this hash, or its place in the index. Other threads that look at the item or the place
    /// meanwhile look again.
    #[inline]
    pub(crate) fn change<T>(&mut self, hash: KeyHash, change: impl FnOnce(&mut Self) -> T) -> T {
        let begun = self.index.begin_change(hash);
        let outcome = change(self);
        self.index.end_change(begun);
        outcome
    }

    /// Frees an item that the index no longer knows, unless it is pinned.
    pub(crate) fn dispose(&mut self, chunk: ChunkRef, effort: &mut Effort) {
        if self.is_pinned(chunk) && self.pins.detach(chunk) {
            let head = self.items.head(chunk);
            let state = if head.is_chain() {
                State::LooseChain
            } else {
                State::Loose
            };
            self.items.set_head(chunk, head.with_state(state));
        } else {
            self.free_item(chunk, effort);
        }
    }

    /// Whether the item at `first` is a chain whose value is on its way in.
    pub(crate) fn is_half_received(&self, first: ChunkRef) -> bool {
        self.items.head(first).state() == State::LooseChain && !self.pins.contains(first)
    }

    /// Panics unless the census agrees with these items.
    pub(crate) fn check_census(&self, linked: &HashSet<ChunkRef>) {
        let mut counted = Census::new(self.items.slabs.sizes.len());
        for &chunk in linked {
            let class = self.items.slabs.class_of(chunk);
            counted.add(class, &self.items.item(chunk));
        }
        assert_eq!(
            counted, self.census,
            "items that are there, and their bytes"
        );
    }

    /// Seconds that an item with this deadline has left; `None` if it lives for ever.
    fn seconds_left(&self, deadline: Deadline) -> Option<u32> {
        (deadline != Deadline::NEVER).then(|| deadline.0.saturating_sub(self.clock.now().0))
    }
}
