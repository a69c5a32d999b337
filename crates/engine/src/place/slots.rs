//! Room for an item that is about to be stored: a slot in the index, an entry in the queue of its class, a place for
//! its fingerprint.
//!
//! ```text
//! leaf full?  -- grows by an extent, or is split
//!    | no memory for that, or as large as it may be
//!    +-- the second table -> one of its items goes -> an extent, whatever that takes (last.rs)
//! ```

use super::Memory;
use crate::contents::Cause;
use crate::evict::{GHOST_CHUNKS_MAX, evict};
use crate::index::{SPLIT_EXTENTS, Which};
use crate::slab::{ChunkRef, INDEX_CLASS};
use crate::types::KeyHash;

impl Memory<'_> {
    /// Makes room for an entry of a new item and for its fingerprint, if memory is short enough for them to matter.
    #[inline]
    pub(crate) fn prepare_probation(&mut self, class: u8, hash: KeyHash) {
        if self.victims.has_probation() {
            self.prepare_entry(class, hash);
        }
    }

    fn prepare_entry(&mut self, class: u8, hash: KeyHash) {
        if self.victims.wants_queue_chunk(class)
            && let Some(chunk) = self.allocate(INDEX_CLASS)
        {
            let slabs = &mut self.contents.items.slabs;
            self.victims.add_queue_chunk(slabs, class, chunk);
        }
        // The index of few large items is small: after a shift to large items, memory of the index comes back as soon
        // as they arrive.
        if self.victims.has_spare_ghosts(self.contents) {
            self.victims.trim_ghosts(self.contents, self.effort);
        }
        if self.victims.wants_ghost_chunk(self.contents, hash) {
            self.grow_ghosts(hash);
        }
    }

    #[cold]
    fn grow_ghosts(&mut self, hash: KeyHash) {
        for _ in 0..GHOST_CHUNKS_MAX {
            let Some(chunk) = self.allocate(INDEX_CLASS) else {
                return;
            };
            if !self.victims.add_ghost_chunk(self.contents, hash, chunk) {
                return;
            }
        }
    }

    /// Makes room in the index for one item with this key; false if there is no memory for it.
    ///
    /// Removals of other items do not take this room away.
    #[inline]
    pub(crate) fn prepare_index(&mut self, key: &[u8], hash: KeyHash) -> bool {
        self.prepare_leaf(Which::Usual, hash);
        self.contents.index.takes(&self.contents.items.slabs, hash)
            || self.prepare_full_leaf(key, hash)
    }

    /// Lets a table grow where it should before one more item with this hash, if there is memory for it.
    #[inline]
    fn prepare_leaf(&mut self, which: Which, hash: KeyHash) {
        let table = self.contents.index.table(which);
        // Not both a split and an extent in one call, if one can wait: each takes some 10 us.
        if table.wants_split() {
            self.split_leaf(which);
            if self.contents.index.table(which).is_full_at(hash) {
                self.grow_leaf(which, hash);
            }
        } else if table.wants_extent(hash) {
            self.grow_leaf(which, hash);
        } else if table.nears_split() {
            self.contents.change_index(self.effort, |index, items| {
                index.table_mut(which).divide(items)
            });
        }
    }

    /// Called when the leaf has no slot, or too many items of one tag.
    #[cold]
    fn prepare_full_leaf(&mut self, key: &[u8], hash: KeyHash) -> bool {
        if self
            .contents
            .index
            .wants_to_displace(&self.contents.items.slabs, hash)
            && self.prepare_second(key)
        {
            return true;
        }
        !self.contents.index.table(Which::Usual).is_full_at(hash)
            || self.evict_neighbour(hash)
            || self.wait_for_extent(hash)
    }

    /// Makes room in the second table.
    fn prepare_second(&mut self, key: &[u8]) -> bool {
        if !self
            .contents
            .index
            .make_second(&mut self.contents.items.slabs)
        {
            return false;
        }
        let hash = self.contents.index.second_hash(key);
        self.prepare_leaf(Which::Second, hash);
        !self.contents.index.table(Which::Second).is_full_at(hash)
    }

    /// Called when the leaf has no slot and no item that could be evicted: gives it an extent whatever that takes.
    #[cold]
    fn wait_for_extent(&mut self, hash: KeyHash) -> bool {
        if self.contents.index.table(Which::Usual).wants_extent(hash)
            && let Some(extent) = self.wait_for_page(INDEX_CLASS)
        {
            self.grow_leaf_by(Which::Usual, extent, hash);
        }
        !self.contents.index.table(Which::Usual).is_full_at(hash)
    }

    #[cold]
    fn split_leaf(&mut self, which: Which) {
        let missing = self.contents.change_index(self.effort, |index, items| {
            index.table_mut(which).missing_extents(items)
        });
        let mut unused = [ChunkRef::NULL; SPLIT_EXTENTS];
        for extent in unused.iter_mut().take(missing) {
            *extent = self.allocate(INDEX_CLASS).unwrap_or(ChunkRef::NULL);
        }
        let unused = unused.into_iter().filter(|extent| !extent.is_null());
        self.contents.change_index(self.effort, |index, items| {
            index.table_mut(which).split(items, unused);
        });
    }

    #[cold]
    fn grow_leaf(&mut self, which: Which, hash: KeyHash) {
        if let Some(extent) = self.allocate(INDEX_CLASS) {
            self.grow_leaf_by(which, extent, hash);
        }
    }

    fn grow_leaf_by(&mut self, which: Which, extent: ChunkRef, hash: KeyHash) {
        self.contents.change_index(self.effort, |index, items| {
            let table = index.table_mut(which);
            // An eviction may have made the growth unnecessary.
            if table.wants_extent(hash) {
                table.grow(&mut items.slabs, hash, extent);
            } else {
                items.slabs.give(extent);
            }
        });
    }

    /// Evicts an item whose slot the item with this hash can have.
    #[cold]
    fn evict_neighbour(&mut self, hash: KeyHash) -> bool {
        if !self.victims.are_allowed() {
            return false;
        }
        let Some(chunk) = self
            .contents
            .index
            .neighbour(&self.contents.items.slabs, hash)
        else {
            return false;
        };
        if self.contents.is_pinned(chunk) {
            return false;
        }
        let item = (chunk, self.contents.hash_of(chunk));
        let gone = evict(
            self.contents,
            self.telemetry,
            self.effort,
            item,
            Cause::Slot,
        );
        self.note_evicted(gone);
        true
    }
}
