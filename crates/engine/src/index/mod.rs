//! The index of a shard: from key hash to chunk.
//!
//! ```text
//! hash of the key  ->  usual table: nearly all items     --- its leaf is full, or crowded with one tag --+
//!                                                                                                        v
//! secret hash of the key  ->  second table, if there is one: items that the usual one has displaced
//! ```
//!
//! The usual table ([`table`]) finds an item by the hash that clients and shards use, in leaves of a bounded size.
//! Random hashes do not fill a leaf; keys that were made for that do. Further items of a full leaf go to a second table
//! of the same kind, which finds them by a hash of which nobody outside knows anything ([`second`]). So no leaf is the
//! limit of the cache, and no lookup compares more than some tens of keys, whatever the keys are. An item stays in the
//! table that took it as long as it is in the cache.
//!
//! docs/design/001-index.md has the alternatives and the measurements.

mod bucket;
mod directory;
mod leaf;
mod note;
mod saved;
mod second;
mod table;
mod view;
mod which;

use std::io;

pub(crate) use self::bucket::SLOTS;
pub(crate) use self::directory::Change;
pub(crate) use self::leaf::EXTENT_BYTES;
pub use self::note::ReadNote;
pub(crate) use self::saved::SavedIndex;
pub(crate) use self::second::SecretKey;
use self::second::TableHasher;
use self::table::Span;
pub(crate) use self::table::{Place, Removal, SPAN_END, SPLIT_EXTENTS, Table, position_of};
pub(crate) use self::view::{BucketView, IndexView, LeafView};
pub(crate) use self::which::Which;
use crate::item::Items;
use crate::slab::{ChunkRef, Slabs};
use crate::types::{KeyHash, KeyHasher};

/// The end of a walk: the spans of the second table follow those of the usual one.
pub(crate) const WALK_END: u64 = 2 * SPAN_END;

/// Finds items by their hash: the usual table, and a second table for items that the usual one has displaced.
#[derive(Debug)]
pub(crate) struct Index {
    usual: Table,
    /// The second table, which is made when it is first needed.
    second: Option<Box<Table>>,
    secret: SecretKey,
}

impl Index {
    /// An empty index.
    ///
    /// # Errors
    ///
    /// The budget has no room for the directory's first block, or its address space cannot be mapped.
    pub(crate) fn new(slabs: &mut Slabs, hasher: KeyHasher, secret: SecretKey) -> io::Result<Self> {
        Ok(Self {
            usual: Table::new(slabs, TableHasher::Usual(hasher))?,
            second: None,
            secret,
        })
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.usual).chain(self.second.as_deref())
    }

    /// Whether there is a second table.
    pub(crate) fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// A table. If there is no second table, the usual one stands for it.
    #[inline]
    pub(crate) fn table(&self, which: Which) -> &Table {
        match (which, &self.second) {
            (Which::Second, Some(second)) => second,
            _ => &self.usual,
        }
    }

    /// A table, to be changed. If there is no second table, the usual one stands for it.
    #[inline]
    pub(crate) fn table_mut(&mut self, which: Which) -> &mut Table {
        match (which, &mut self.second) {
            (Which::Second, Some(second)) => second,
            _ => &mut self.usual,
        }
    }

    /// A number that changes whenever a [`Place`] or the reference found at it becomes invalid.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.usual.version() + self.second.as_ref().map_or(0, |table| table.version())
    }

    /// Number of leaves of the usual table.
    pub(crate) fn leaves(&self) -> usize {
        self.usual.leaves()
    }

    /// Number of leaves of both tables.
    pub(crate) fn all_leaves(&self) -> usize {
        self.tables().map(Table::leaves).sum()
    }

    /// Work on slots so far: one for each that growth, a split or a merge has filled, and two more for each whose item
    /// a split has looked at.
    pub(crate) fn slot_work(&self) -> u64 {
        self.tables().map(Table::slot_work).sum()
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> u64 {
        self.tables().map(Table::slots).sum()
    }

    /// Bytes of extents and directories.
    pub(crate) fn bytes(&self) -> u64 {
        self.tables().map(Table::bytes).sum()
    }

    /// Number of the leaf of `hash` in the usual table.
    #[inline]
    pub(crate) fn leaf_of(&self, hash: KeyHash) -> usize {
        self.usual.leaf_of(hash)
    }

    /// Prefetches the cache line of the home bucket.
    #[inline]
    pub(crate) fn prefetch(&self, slabs: &Slabs, hash: KeyHash) {
        self.usual.prefetch(slabs, hash);
    }

    /// Prefetches the cache line of the leaf, which [`Self::prefetch`] reads.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, hash: KeyHash) {
        self.usual.prefetch_leaf(hash);
    }

    /// The first chunk whose tag matches in the home bucket or those after it, whatever its key.
    #[inline]
    pub(crate) fn likely(&self, slabs: &Slabs, hash: KeyHash) -> Option<ChunkRef> {
        self.usual.likely(slabs, hash)
    }

    /// Looks for the item that `is_it` accepts among those whose tag matches. `key` is the key of the item, and `hash`
    /// the hash of the key.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        slabs: &Slabs,
        hash: KeyHash,
        key: &[u8],
        is_it: impl Fn(ChunkRef) -> bool + Copy,
    ) -> Option<(Place, ChunkRef)> {
        let found = self.usual.find(slabs, hash, is_it);
        if found.is_none() && self.second.is_some() {
            return self.find_displaced(slabs, hash, key, is_it);
        }
        found
    }

    #[cold]
    fn find_displaced(
        &self,
        slabs: &Slabs,
        hash: KeyHash,
        key: &[u8],
        is_it: impl FnMut(ChunkRef) -> bool,
    ) -> Option<(Place, ChunkRef)> {
        let second = self.second.as_ref()?;
        if second.is_empty() || !self.usual.displaces(hash) {
            return None;
        }
        let (place, chunk) = second.find(slabs, self.secret.hash(key), is_it)?;
        Some((place.of_second(), chunk))
    }

    /// Moves the extents of a leaf out of pages that are being emptied; returns how many. `leaf` counts through the
    /// leaves of both tables.
    pub(crate) fn relocate(&mut self, slabs: &mut Slabs, leaf: usize) -> usize {
        let of_usual = self.usual.leaves();
        if leaf < of_usual {
            self.usual.relocate(slabs, leaf)
        } else {
            self.table_mut(Which::Second)
                .relocate(slabs, leaf - of_usual)
        }
    }

    /// Whether the leaf of `hash` takes one more item.
    #[inline]
    pub(crate) fn takes(&self, slabs: &Slabs, hash: KeyHash) -> bool {
        self.usual.takes(slabs, hash)
    }

    /// Whether more items of the leaf of `hash` have to go to the second table.
    pub(crate) fn wants_to_displace(&self, slabs: &Slabs, hash: KeyHash) -> bool {
        self.usual.has_reached_its_end(slabs, hash)
    }

    /// Makes the second table, unless it is there; false if the budget has no room for it.
    pub(crate) fn make_second(&mut self, slabs: &mut Slabs) -> bool {
        if self.second.is_none() {
            let second = Table::new(slabs, TableHasher::Secret(self.secret));
            self.second = second.ok().map(Box::new);
        }
        self.second.is_some()
    }

    /// Hash by which the second table finds `key`.
    pub(crate) fn second_hash(&self, key: &[u8]) -> KeyHash {
        self.secret.hash(key)
    }

    /// Puts an item in. There must be room in the leaf of `hash` or, if that leaf does not take the item, in its leaf
    /// of the second table.
    #[inline]
    pub(crate) fn insert(&mut self, slabs: &mut Slabs, hash: KeyHash, key: &[u8], chunk: ChunkRef) {
        let is_usual = self.second.is_none() || self.usual.takes(slabs, hash);
        if is_usual || !self.displace(slabs, hash, key, chunk) {
            self.usual.insert(slabs, hash, chunk);
        }
    }

    /// Puts an item in the second table; false if that table has no room.
    #[cold]
    fn displace(&mut self, slabs: &mut Slabs, hash: KeyHash, key: &[u8], chunk: ChunkRef) -> bool {
        let second_hash = self.second_hash(key);
        let Some(second) = self.second.as_mut() else {
            return false;
        };
        if second.is_full_at(second_hash) {
            return false;
        }
        second.insert(slabs, second_hash, chunk);
        self.usual.note_displaced(hash);
        true
    }

    /// Called when the item with this hash is about to change in a way that readers see, or when such an item is about
    /// to be inserted.
    #[inline]
    pub(crate) fn begin_change(&self, hash: KeyHash) -> Change {
        self.usual.directory.begin_change(self.usual.leaf_of(hash))
    }

    /// Ends a change that readers see.
    #[inline]
    pub(crate) fn end_change(&self, change: Change) {
        self.usual.directory.end_change(change);
    }

    /// Takes an item out, and gives back memory that is no longer needed.
    #[inline]
    pub(crate) fn remove(&mut self, slabs: &mut Slabs, place: Place, removal: Removal) {
        self.table_mut(place.which()).remove(slabs, place, removal);
    }

    /// Makes an item's slot refer to another chunk.
    #[inline]
    pub(crate) fn replace(&mut self, slabs: &mut Slabs, place: Place, chunk: ChunkRef) {
        self.table_mut(place.which()).replace(slabs, place, chunk);
    }

    /// An item of the leaf of `hash`.
    pub(crate) fn neighbour(&self, slabs: &Slabs, hash: KeyHash) -> Option<ChunkRef> {
        self.usual.neighbour(slabs, hash)
    }

    fn at(&self, position: u64) -> (&Table, u64) {
        if position < SPAN_END {
            (&self.usual, 0)
        } else {
            (self.table(Which::Second), SPAN_END)
        }
    }

    /// The leaf at a position below [`WALK_END`].
    pub(crate) fn span_at(&self, position: u64) -> Span {
        let (table, begin) = self.at(position);
        let span = table.span_at(position - begin);
        Span {
            from: span.from + begin,
            to: span.to + begin,
            ..span
        }
    }

    /// The position from which a walk goes on that has come to `position`: behind everything, if nothing is left.
    pub(crate) fn next_position(&self, position: u64) -> u64 {
        let has_second = self.second.as_ref().is_some_and(|table| !table.is_empty());
        if position >= SPAN_END && !has_second {
            WALK_END
        } else {
            position
        }
    }

    /// The position of an item in the order of a walk that has come to the table of `near`.
    pub(crate) fn position_of(&self, items: &Items, chunk: ChunkRef, near: u64) -> u64 {
        let (table, begin) = self.at(near);
        begin + position_of(table.hash_of(items, chunk))
    }

    /// Appends the chunks of the leaf at `position` whose tags are in `tags`.
    pub(crate) fn collect_tags(
        &self,
        slabs: &Slabs,
        position: u64,
        tags: std::ops::Range<u32>,
        out: &mut Vec<ChunkRef>,
    ) {
        let (table, begin) = self.at(position);
        table.collect_tags(slabs, position - begin, tags, out);
    }

    /// Panics unless the index is sound. Calls `visit` with the reference of each item; returns the number of extents.
    pub(crate) fn check_integrity(&self, items: &Items, mut visit: impl FnMut(ChunkRef)) -> u64 {
        if let Some(second) = &self.second {
            second.check_integrity(
                &items.slabs,
                |chunk| second.hash_of(items, chunk),
                |chunk| {
                    let hash = self.usual.hash_of(items, chunk);
                    assert!(
                        self.usual.displaces(hash),
                        "a leaf knows that it has displaced items"
                    );
                },
            );
        }
        let extents = self.tables().map(|table| {
            table.check_division(items);
            table.check_integrity(
                &items.slabs,
                |chunk| table.hash_of(items, chunk),
                &mut visit,
            )
        });
        extents.sum()
    }
}
