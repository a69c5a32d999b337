//! One table of the index: leaves ([`super::leaf`]) of up to 600 slots, found by linear hashing on the low bits of the
//! hash.
//!
//! The table grows by splitting one leaf at a time, in order, so that nothing is ever rehashed as a whole and the
//! directory is only appended to. Each leaf grows and shrinks by itself in steps of 40 slots, so slots are 80 to 92 %
//! full whatever the number of items.
//!
//! ```text
//! hash   | 63 ....... 48 | 47 ... 32 | 31 ............ 0 |
//!          shard           tag         leaf (linear hashing)
//! ```
//!
//! Only a split looks at items (their hash's next bit is not in the slot): some 200 to 600 of them, most of them in the
//! insertions before it ([`division`]).

mod division;
mod span;

use std::io;

pub(super) use self::division::Division;
pub(crate) use self::span::{SPAN_END, Span, position_of};

use super::bucket::Entry;
use super::directory::{BLOCK_BYTES, BLOCK_LEAVES, Directory, LEAVES_MAX};
use super::leaf::{
    EXTENT_BYTES, EXTENT_SLOTS, EXTENTS_MAX, LEAF_ITEMS, LEAF_ITEMS_MAX, Leaf, Position,
    extents_for,
};
use super::second::TableHasher;
use super::which::Which;
use crate::item::Items;
use crate::slab::{ChunkRef, Slabs};
use crate::types::KeyHash;

/// Items per leaf below which the table shrinks.
const LEAF_ITEMS_MIN: usize = 90;
/// Largest number of extents that a split needs beyond those that the leaf has: two roundings up, and two for a leaf
/// that was filled beyond the usual load.
pub(crate) const SPLIT_EXTENTS: usize = 4;

/// The place of an item in the index. It is valid until the index changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The number of the leaf; with [`OF_SECOND`] added it is a leaf of the second table.
    leaf: u32,
    position: Position,
}

/// Added to the number of a leaf of the second table. All leaves have smaller numbers.
const OF_SECOND: u32 = LEAVES_MAX as u32;

impl Place {
    /// The place with this leaf and position in the second table.
    pub(super) fn of_second(self) -> Self {
        Self {
            leaf: self.leaf | OF_SECOND,
            ..self
        }
    }

    /// The table of the place.
    #[inline]
    pub(super) fn which(self) -> Which {
        match self.leaf & OF_SECOND {
            0 => Which::Usual,
            _ => Which::Second,
        }
    }

    #[inline]
    fn leaf(self) -> usize {
        (self.leaf & !OF_SECOND) as usize
    }
}

/// When a removal makes a leaf smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// As soon as the leaf needs an extent less.
    Single,
    /// When half of the leaf's extents would suffice, since rebuilding the leaf costs as much as some forty removals.
    OneOfMany,
}

/// One table of the index: leaves found by linear hashing, which are split and merged one at a time.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) directory: Directory,
    /// Number of blocks of the directory that are charged.
    pub(super) blocks: usize,
    pub(super) leaves: usize,
    /// The mask of linear hashing: 2^(k+1) - 1 where 2^k <= leaves < 2^(k+1).
    pub(super) mask: u32,
    pub(super) items: usize,
    pub(super) extents: u64,
    pub(super) version: u64,
    /// As [`Self::slot_work`] gives it.
    pub(super) slot_work: u64,
    scratch: Vec<Entry>,
    pub(super) division: Division,
    pub(super) hasher: TableHasher,
}

#[inline]
pub(crate) fn tag_of(hash: KeyHash) -> u16 {
    (hash.0 >> 32) as u16
}

/// Number of the leaf of `hash` among so many.
#[inline]
pub(super) fn leaf_among(leaves: usize, hash: KeyHash) -> usize {
    let (low, mask) = (hash.0 as u32, mask_for(leaves));
    let leaf = (low & mask) as usize;
    if leaf < leaves {
        leaf
    } else {
        (low & (mask >> 1)) as usize
    }
}

pub(super) fn mask_for(leaves: usize) -> u32 {
    (leaves + 1).next_power_of_two().max(2) as u32 - 1
}

impl Table {
    /// An empty index: one leaf without extents.
    ///
    /// # Errors
    ///
    /// The budget has no room for the directory's first block, or its address space cannot be mapped.
    pub(super) fn new(slabs: &mut Slabs, hasher: TableHasher) -> io::Result<Self> {
        if !slabs.charge(BLOCK_BYTES) {
            return Err(io::Error::other(
                "the memory limit is too small for a shard",
            ));
        }
        Self::uncharged(slabs, hasher).inspect_err(|_| slabs.release(BLOCK_BYTES))
    }

    /// An empty index of one leaf without extents, whose first block the caller charges.
    ///
    /// # Errors
    ///
    /// The directory's address space cannot be mapped.
    pub(super) fn uncharged(slabs: &Slabs, hasher: TableHasher) -> io::Result<Self> {
        Ok(Self {
            directory: Directory::new(slabs.segment_bytes())?,
            blocks: 1,
            leaves: 1,
            mask: mask_for(1),
            items: 0,
            extents: 0,
            version: 0,
            slot_work: 0,
            scratch: Vec::with_capacity(2 * LEAF_ITEMS_MAX),
            division: Division::NONE,
            hasher,
        })
    }

    /// Notes that there are so many leaves now.
    pub(super) fn set_leaves(&mut self, leaves: usize) {
        self.leaves = leaves;
        self.mask = mask_for(leaves);
        self.directory.publish(leaves);
    }

    /// A number that changes whenever a [`Place`] or the reference found at it becomes invalid.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether the table has no items.
    pub(super) fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Number of leaves.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves
    }

    /// Work on slots so far: one for each that growth, a split or a merge has filled, and two more for each whose item
    /// a split has looked at.
    pub(crate) fn slot_work(&self) -> u64 {
        self.slot_work
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> u64 {
        self.extents * EXTENT_SLOTS as u64
    }

    /// Bytes of extents and directory.
    pub(crate) fn bytes(&self) -> u64 {
        self.extents * EXTENT_BYTES as u64 + self.blocks as u64 * BLOCK_BYTES
    }

    /// Number of the leaf of `hash`.
    #[inline]
    pub(crate) fn leaf_of(&self, hash: KeyHash) -> usize {
        let low = hash.0 as u32;
        let leaf = (low & self.mask) as usize;
        if leaf < self.leaves {
            leaf
        } else {
            (low & (self.mask >> 1)) as usize
        }
    }

    #[inline]
    pub(super) fn leaf(&self, leaf: usize) -> &Leaf {
        self.directory.leaf(leaf)
    }

    /// Prefetches the cache line of the home bucket.
    #[inline]
    pub(crate) fn prefetch(&self, slabs: &Slabs, hash: KeyHash) {
        if let Some(address) = self
            .leaf(self.leaf_of(hash))
            .home_address(slabs, tag_of(hash))
        {
            slabs.segment.prefetch(address);
        }
    }

    /// Prefetches the cache line of the leaf, which [`Self::prefetch`] reads.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, hash: KeyHash) {
        self.directory.prefetch(self.leaf_of(hash));
    }

    /// The first chunk whose tag matches in the home bucket or those after it, whatever its key.
    #[inline]
    pub(crate) fn likely(&self, slabs: &Slabs, hash: KeyHash) -> Option<ChunkRef> {
        self.leaf(self.leaf_of(hash))
            .find(slabs, tag_of(hash), |_| true)
            .map(|(_, chunk)| chunk)
    }

    /// Looks for the item that `is_it` accepts among those whose tag matches.
    #[inline]
    pub(crate) fn find(
        &self,
        slabs: &Slabs,
        hash: KeyHash,
        is_it: impl FnMut(ChunkRef) -> bool,
    ) -> Option<(Place, ChunkRef)> {
        let leaf = self.leaf_of(hash);
        let (position, chunk) = self.leaf(leaf).find(slabs, tag_of(hash), is_it)?;
        Some((
            Place {
                leaf: leaf as u32,
                position,
            },
            chunk,
        ))
    }

    /// Moves the extents of a leaf out of pages that are being emptied; returns how many.
    pub(crate) fn relocate(&mut self, slabs: &mut Slabs, leaf: usize) -> usize {
        self.version += 1;
        let change = self.directory.begin_change(leaf);
        let moved = self.directory.change(leaf, |leaf| leaf.relocate(slabs));
        self.directory.end_change(change);
        moved
    }

    /// Puts an item in. There must be room: see [`Self::is_full_at`].
    #[inline]
    pub(crate) fn insert(&mut self, slabs: &mut Slabs, hash: KeyHash, chunk: ChunkRef) {
        let leaf = self.leaf_of(hash);
        let tag = tag_of(hash);
        let change = self.directory.begin_change(leaf);
        let position =
            (self.directory).change(leaf, |leaf| leaf.insert(slabs, Entry { tag, chunk }));
        self.directory.end_change(change);
        self.note_inserted(leaf, position, hash);
        self.items += 1;
        self.version += 1;
    }

    /// Takes an item out, and gives back memory that is no longer needed.
    #[inline]
    pub(crate) fn remove(&mut self, slabs: &mut Slabs, place: Place, removal: Removal) {
        let leaf = place.leaf();
        let change = self.directory.begin_change(leaf);
        self.directory
            .change(leaf, |leaf| leaf.remove(slabs, place.position));
        self.items -= 1;
        self.version += 1;
        let shrunk = self.leaf(leaf);
        let shrinks = match removal {
            Removal::Single => shrunk.has_spare_extent(),
            Removal::OneOfMany => shrunk.has_spare_extent() && shrunk.is_half_spare(),
        };
        if shrinks {
            self.resize(slabs, leaf, None);
        }
        self.directory.end_change(change);
        if self.items < self.leaves * LEAF_ITEMS_MIN && self.leaves > 1 {
            self.merge_last(slabs);
        }
    }

    /// Makes an item's slot refer to another chunk.
    #[inline]
    pub(crate) fn replace(&mut self, slabs: &mut Slabs, place: Place, chunk: ChunkRef) {
        let leaf = place.leaf();
        let change = self.directory.begin_change(leaf);
        self.leaf(leaf).replace(slabs, place.position, chunk);
        self.directory.end_change(change);
        self.version += 1;
    }

    /// Whether the leaf of `hash` should grow before an insertion.
    #[inline]
    pub(crate) fn wants_extent(&self, hash: KeyHash) -> bool {
        self.leaf(self.leaf_of(hash)).wants_extent()
    }

    /// Whether the leaf of `hash` has no room for an item.
    #[inline]
    pub(crate) fn is_full_at(&self, hash: KeyHash) -> bool {
        self.leaf(self.leaf_of(hash)).is_full()
    }

    /// An item of the leaf of `hash`.
    pub(crate) fn neighbour(&self, slabs: &Slabs, hash: KeyHash) -> Option<ChunkRef> {
        self.leaf(self.leaf_of(hash)).some_item(slabs, tag_of(hash))
    }

    /// Whether the leaf of `hash` may neither take an item nor grow.
    pub(super) fn has_reached_its_end(&self, slabs: &Slabs, hash: KeyHash) -> bool {
        let leaf = self.leaf(self.leaf_of(hash));
        leaf.is_full() && leaf.extent_count() == EXTENTS_MAX || leaf.is_crowded(slabs, tag_of(hash))
    }

    /// Whether the leaf of `hash` takes an item: it has a slot, and not too many other items have the tag.
    #[inline]
    pub(super) fn takes(&self, slabs: &Slabs, hash: KeyHash) -> bool {
        let leaf = self.leaf(self.leaf_of(hash));
        !leaf.is_full() && !leaf.is_crowded(slabs, tag_of(hash))
    }

    /// Whether items of the leaf of `hash` may be in the second table.
    pub(super) fn displaces(&self, hash: KeyHash) -> bool {
        self.leaf(self.leaf_of(hash)).displaces()
    }

    /// Notes that an item of the leaf of `hash` is in the second table.
    pub(super) fn note_displaced(&mut self, hash: KeyHash) {
        let leaf = self.leaf_of(hash);
        let change = self.directory.begin_change(leaf);
        self.directory.change(leaf, |leaf| leaf.set_displaces(true));
        self.directory.end_change(change);
    }

    /// Hash of the key of the item at `chunk`.
    pub(super) fn hash_of(&self, items: &Items, chunk: ChunkRef) -> KeyHash {
        self.hasher.hash(items.item(chunk).key())
    }

    /// Whether the table should split a leaf.
    #[inline]
    pub(crate) fn wants_split(&self) -> bool {
        self.items >= self.leaves * LEAF_ITEMS
    }

    /// Grows the leaf of `hash` by one extent, an unused chunk of [`INDEX_CLASS`].
    pub(crate) fn grow(&mut self, slabs: &mut Slabs, hash: KeyHash, extent: ChunkRef) {
        let leaf = self.leaf_of(hash);
        self.extents += 1;
        self.resize(slabs, leaf, Some(extent));
    }

    /// Rebuilds a leaf with one extent more, or with as many as its items need.
    fn resize(&mut self, slabs: &mut Slabs, leaf: usize, more: Option<ChunkRef>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.leaf(leaf).collect(slabs, &mut scratch);
        let change = self.directory.begin_change(leaf);
        let (extents, len) = self.directory.change(leaf, Leaf::take_extents);
        let wanted = if more.is_some() {
            len + 1
        } else {
            extents_for(scratch.len()).max(1)
        };
        let mut extents = extents[..len].iter().copied().chain(more);
        self.fill(slabs, leaf, &mut extents, wanted, &scratch);
        self.directory.end_change(change);
        self.free_extents(slabs, extents);
        self.scratch = scratch;
        self.version += 1;
    }

    fn fill(
        &mut self,
        slabs: &mut Slabs,
        leaf: usize,
        extents: &mut impl Iterator<Item = ChunkRef>,
        count: usize,
        entries: &[Entry],
    ) {
        self.slot_work += entries.len() as u64;
        self.division.forget(leaf);
        self.directory.change(leaf, |leaf| {
            for extent in extents.take(count) {
                leaf.give_extent(slabs, extent);
            }
            for &entry in entries {
                leaf.insert(slabs, entry);
            }
        });
    }

    fn free_extents(&mut self, slabs: &mut Slabs, extents: impl Iterator<Item = ChunkRef>) {
        for extent in extents {
            slabs.give(extent);
            self.extents -= 1;
        }
    }

    /// Makes room in the directory for one more leaf; false if the budget has none.
    fn extend_directory(&mut self, slabs: &mut Slabs) -> bool {
        if self.leaves < self.blocks * BLOCK_LEAVES {
            return true;
        }
        let extended = self.leaves < self.directory.leaves_max() && slabs.charge(BLOCK_BYTES);
        self.blocks += usize::from(extended);
        extended
    }

    /// Splits the next leaf, unless there is no memory for it. `unused` are chunks of [`INDEX_CLASS`]; those that are
    /// not needed are freed.
    pub(crate) fn split(
        &mut self,
        items: &mut Items,
        unused: impl Iterator<Item = ChunkRef> + Clone,
    ) {
        self.extents += unused.clone().count() as u64;
        while self.divide(items) {}
        let (_, source) = self.next_split();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let staying = self.collect_halves(&items.slabs, source, &mut scratch);
        let (keep, take) = scratch.split_at(staying);
        let slabs = &mut items.slabs;
        let (keep_extents, take_extents) = (
            extents_for(keep.len()).max(1),
            extents_for(take.len()).max(1),
        );
        let missing =
            (keep_extents + take_extents).saturating_sub(self.leaf(source).extent_count());
        if missing > unused.clone().count()
            || self.leaves >= LEAVES_MAX
            || !self.extend_directory(slabs)
        {
            self.free_extents(slabs, unused);
        } else {
            let new = self.leaves;
            let changes = [source, new].map(|leaf| self.directory.begin_change(leaf));
            let (extents, len) = self.directory.change(source, Leaf::take_extents);
            let mut extents = extents[..len].iter().copied().chain(unused);
            self.set_leaves(new + 1);
            let displaces = self.leaf(source).displaces();
            self.directory
                .change(new, |leaf| leaf.set_displaces(displaces));
            self.fill(slabs, source, &mut extents, keep_extents, keep);
            self.fill(slabs, new, &mut extents, take_extents, take);
            self.directory.end_changes(changes);
            self.free_extents(slabs, extents);
            self.version += 1;
        }
        self.scratch = scratch;
    }

    /// Merges the last leaf into the leaf that it was split from, if the two fit in one.
    fn merge_last(&mut self, slabs: &mut Slabs) {
        let last = self.leaves - 1;
        let target = last - (last.next_power_of_two() >> usize::from(!last.is_power_of_two()));
        if self.leaf(last).items() + self.leaf(target).items() > EXTENTS_MAX * LEAF_ITEMS / 8 {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.leaf(target).collect(slabs, &mut scratch);
        self.leaf(last).collect(slabs, &mut scratch);
        let changes = [last, target].map(|leaf| self.directory.begin_change(leaf));
        let displaces = self.leaf(last).displaces() || self.leaf(target).displaces();
        let (from_last, last_len) = self.directory.change(last, Leaf::take_extents);
        let (from_target, target_len) = self.directory.change(target, Leaf::take_extents);
        let mut extents = from_target[..target_len]
            .iter()
            .chain(&from_last[..last_len])
            .copied();
        self.directory
            .change(target, |leaf| leaf.set_displaces(displaces));
        self.set_leaves(last);
        self.division = Division::NONE;
        self.fill(
            slabs,
            target,
            &mut extents,
            extents_for(scratch.len()).max(1),
            &scratch,
        );
        self.directory.end_changes(changes);
        self.free_extents(slabs, extents);
        self.scratch = scratch;
        self.version += 1;
        let blocks = self.leaves.div_ceil(BLOCK_LEAVES);
        if blocks + 1 < self.blocks {
            self.blocks -= 1;
            self.directory.forget_block(self.blocks);
            slabs.release(BLOCK_BYTES);
        }
    }

    /// Panics unless the index is sound. Calls `visit` with the reference of each item; returns the number of extents.
    pub(crate) fn check_integrity(
        &self,
        slabs: &Slabs,
        hash_of: impl Fn(ChunkRef) -> KeyHash,
        mut visit: impl FnMut(ChunkRef),
    ) -> u64 {
        let (mut items, mut extents) = (0, 0);
        for index in 0..self.leaves {
            let leaf = self.leaf(index);
            leaf.check_integrity(slabs, |entry| {
                let hash = hash_of(entry.chunk);
                assert_eq!(
                    self.leaf_of(hash),
                    index,
                    "an item is in another leaf than its hash says"
                );
                assert_eq!(tag_of(hash), entry.tag, "tag of an item");
                visit(entry.chunk);
            });
            items += leaf.items();
            extents += leaf.extent_count() as u64;
        }
        assert_eq!(items, self.items, "items of the index");
        assert_eq!(extents, self.extents, "extents of the index");
        extents
    }
}
