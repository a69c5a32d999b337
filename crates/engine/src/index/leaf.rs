//! One leaf of the index: a small table whose buckets lie in extents of four.
//!
//! ```text
//! leaf      | extent 0 | extent 1 | ... | extent 14 | extents | flags | items |      64 bytes
//!               |
//! extent    | bucket 0 | bucket 1 | bucket 2 | bucket 3 |                      256 bytes, a chunk of class 0
//! ```
//!
//! The home bucket of an item is its tag scaled to the number of buckets, so growing or shrinking a leaf needs only the
//! contents of its slots. An item for a full bucket goes on to the next bucket.
//!
//! A leaf that is full, or has very many items of one tag, leaves further items to a second table (`mod.rs`), and notes
//! that in a flag.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bucket::{BUCKET_BYTES, Bucket, Entry, SLOTS};
use crate::segment::Plain;
use crate::slab::{ChunkRef, Slabs};

/// Buckets of an extent.
const EXTENT_BUCKETS: usize = 4;
/// Bytes of an extent.
pub(crate) const EXTENT_BYTES: usize = EXTENT_BUCKETS * BUCKET_BYTES;
/// Slots of an extent.
pub(crate) const EXTENT_SLOTS: usize = EXTENT_BUCKETS * SLOTS;
/// Items of an extent before the leaf grows: 92 %.
const EXTENT_ITEMS: usize = 37;
/// Largest number of extents of a leaf.
pub(crate) const EXTENTS_MAX: usize = 15;
/// Largest number of buckets of a leaf.
pub(crate) const BUCKETS_MAX: usize = EXTENTS_MAX * EXTENT_BUCKETS;
/// Largest number of items of a leaf.
pub(crate) const LEAF_ITEMS_MAX: usize = EXTENTS_MAX * EXTENT_SLOTS;
/// Items per leaf at which the table grows. Leaves not yet split then hold up to twice as many, 7 standard deviations
/// below [`LEAF_ITEMS_MAX`].
pub(super) const LEAF_ITEMS: usize = 210;
/// Largest number of items of one tag that a leaf takes: a lookup compares the key with all of them. Among 600 random
/// tags, no three are ever the same.
const SAME_TAG_MAX: usize = 32;
/// Flag of a leaf: items of it may be in the second table.
const DISPLACES: u8 = 1;
/// Flag of a leaf: since the leaf was filled, so many items have passed a bucket that one tag may have too many items.
const IS_PASSED: u8 = 2;
/// A leaf shrinks when it has so many items fewer than one extent less should hold.
const SHRINK_SLACK: usize = 24;

/// A leaf of a table, with some hundred slots: the extents that they lie in, and how many of them are taken.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[repr(C, align(64))]
pub(crate) struct Leaf {
    extents: [ChunkRef; EXTENTS_MAX],
    len: u8,
    flags: u8,
    items: u16,
}

/// Bytes of a leaf in the directory.
pub(crate) const LEAF_BYTES: usize = 64;
/// Words of a leaf in the directory.
pub(crate) const LEAF_WORDS: usize = LEAF_BYTES / 8;

const _: () = assert!(size_of::<Leaf>() == LEAF_BYTES);

// SAFETY: 60 + 1 + 1 + 2 bytes of integers, no padding; any bits are a value; no interior mutability.
unsafe impl Plain for Leaf {}

/// The place of an item in its leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    bucket: u16,
    slot: u16,
}

impl Position {
    /// Number of the slot in the leaf.
    pub(crate) fn slot_number(self) -> usize {
        usize::from(self.bucket) * SLOTS + usize::from(self.slot)
    }
}

/// The number of extents for so many items.
pub(crate) fn extents_for(items: usize) -> usize {
    items.div_ceil(EXTENT_ITEMS).min(EXTENTS_MAX)
}

impl Leaf {
    pub(crate) const EMPTY: Self = Self {
        extents: [ChunkRef::NULL; EXTENTS_MAX],
        len: 0,
        flags: 0,
        items: 0,
    };

    /// The words of the leaf, as they stand in the directory.
    #[inline]
    pub(crate) fn words(&self) -> [u64; LEAF_WORDS] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let last = u32::from(self.len) | u32::from(self.flags) << 8 | u32::from(self.items) << 16;
        std::array::from_fn(|index| {
            let high = self.extents.get(2 * index + 1);
            pair(self.extents[2 * index].0, high.map_or(last, |high| high.0))
        })
    }

    /// The leaf that consists of these words.
    #[inline]
    pub(crate) fn from_words(words: &[u64; LEAF_WORDS]) -> Self {
        let half = |index: usize| (words[index / 2] >> (32 * (index % 2))) as u32;
        let last = half(EXTENTS_MAX);
        Self {
            extents: std::array::from_fn(|index| ChunkRef(half(index))),
            len: last as u8,
            flags: (last >> 8) as u8,
            items: (last >> 16) as u16,
        }
    }

    /// Number of items.
    #[inline]
    pub(crate) fn items(&self) -> usize {
        usize::from(self.items)
    }

    /// Number of extents.
    pub(crate) fn extent_count(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether the leaf should have another extent before it takes one more item.
    #[inline]
    pub(crate) fn wants_extent(&self) -> bool {
        self.items() >= self.extent_count() * EXTENT_ITEMS && self.extent_count() < EXTENTS_MAX
    }

    /// Whether no slot is empty.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.items() == self.extent_count() * EXTENT_SLOTS
    }

    /// Whether items of the leaf may be in the second table.
    #[inline]
    pub(crate) fn displaces(&self) -> bool {
        self.flags & DISPLACES != 0
    }

    /// Notes whether items of the leaf may be in the second table.
    pub(crate) fn set_displaces(&mut self, displaces: bool) {
        self.flags = (self.flags & !DISPLACES) | (DISPLACES * u8::from(displaces));
    }

    /// Whether there are too many items with this tag for one more.
    #[inline]
    pub(crate) fn is_crowded(&self, slabs: &Slabs, tag: u16) -> bool {
        self.flags & IS_PASSED != 0 && self.has_many_of(slabs, tag)
    }

    #[cold]
    fn has_many_of(&self, slabs: &Slabs, tag: u16) -> bool {
        let mut same = 0;
        if self.len == 0 {
            return false;
        }
        self.find(slabs, tag, |_| {
            same += 1;
            same >= SAME_TAG_MAX
        });
        same >= SAME_TAG_MAX
    }

    /// Whether an extent is worth giving back. The last extent stays, so that a prepared insertion has room whatever is
    /// removed meanwhile.
    #[inline]
    pub(crate) fn has_spare_extent(&self) -> bool {
        self.len > 1 && self.items() + SHRINK_SLACK < (self.extent_count() - 1) * EXTENT_ITEMS
    }

    /// Whether half of the extents would suffice.
    #[inline]
    pub(crate) fn is_half_spare(&self) -> bool {
        self.items() + SHRINK_SLACK < self.extent_count() / 2 * EXTENT_ITEMS
    }

    /// Number of buckets.
    #[inline]
    pub(crate) fn buckets(&self) -> usize {
        self.extent_count() * EXTENT_BUCKETS
    }

    /// The bucket in which an item with this tag is looked for first.
    #[inline]
    pub(super) fn home(&self, tag: u16) -> usize {
        (usize::from(tag) * self.buckets()) >> 16
    }

    #[inline]
    fn address(&self, slabs: &Slabs, bucket: usize) -> usize {
        slabs.address(self.extents[bucket / EXTENT_BUCKETS])
            + bucket % EXTENT_BUCKETS * BUCKET_BYTES
    }

    /// The extent of a bucket, and the offset of the bucket in the extent.
    #[inline]
    pub(super) fn place_of(&self, bucket: usize) -> (ChunkRef, usize) {
        let extent = self.extents[bucket / EXTENT_BUCKETS];
        (extent, bucket % EXTENT_BUCKETS * BUCKET_BYTES)
    }

    /// The chunk in a slot, if the slot has this tag.
    pub(super) fn at(&self, slabs: &Slabs, slot: usize, tag: u16) -> Option<ChunkRef> {
        if slot / SLOTS >= self.buckets() {
            return None;
        }
        let bucket = self.bucket(slabs, slot / SLOTS);
        let chunk = bucket.get(slot % SLOTS);
        (bucket.tag(slot % SLOTS) == tag && !chunk.is_null()).then_some(chunk)
    }

    #[inline]
    fn bucket<'a>(&self, slabs: &'a Slabs, bucket: usize) -> &'a Bucket {
        slabs.segment.record(self.address(slabs, bucket))
    }

    #[inline]
    fn set_slot(&self, slabs: &mut Slabs, bucket: usize, slot: usize, entry: Entry) {
        let address = self.address(slabs, bucket);
        let segment = &mut slabs.segment;
        segment.store_field(
            Bucket::reference_at(address, slot),
            32,
            u64::from(entry.chunk.0),
        );
        segment.store_field(Bucket::tag_at(address, slot), 16, u64::from(entry.tag));
    }

    #[inline]
    fn set_passed(&self, slabs: &mut Slabs, bucket: usize, passed: u16) {
        let at = Bucket::passed_at(self.address(slabs, bucket));
        slabs.segment.store_field(at, 16, u64::from(passed));
    }

    /// Address of the home bucket of `tag`, if the leaf has buckets.
    #[inline]
    pub(crate) fn home_address(&self, slabs: &Slabs, tag: u16) -> Option<usize> {
        (self.len > 0).then(|| self.address(slabs, self.home(tag)))
    }

    /// Looks for the item with this tag that `is_it` accepts.
    #[inline]
    pub(crate) fn find(
        &self,
        slabs: &Slabs,
        tag: u16,
        mut is_it: impl FnMut(ChunkRef) -> bool,
    ) -> Option<(Position, ChunkRef)> {
        let buckets = self.buckets();
        let mut index = self.home(tag);
        for _ in 0..buckets {
            let bucket = self.bucket(slabs, index);
            let mut set = bucket.with_tag(tag);
            while set != 0 {
                let slot = set.trailing_zeros();
                set &= set - 1;
                let chunk = bucket.get(slot as usize);
                if !chunk.is_null() && is_it(chunk) {
                    return Some((
                        Position {
                            bucket: index as u16,
                            slot: slot as u16,
                        },
                        chunk,
                    ));
                }
            }
            if bucket.passed == 0 {
                return None;
            }
            index += 1;
            if index == buckets {
                index = 0;
            }
        }
        None
    }

    /// Puts an item in. The leaf must not be full.
    pub(crate) fn insert(&mut self, slabs: &mut Slabs, entry: Entry) -> Position {
        assert!(!self.is_full(), "insertion into a full leaf");
        self.items += 1;
        let mut index = self.home(entry.tag);
        loop {
            let bucket = self.bucket(slabs, index);
            if let Some(slot) = bucket.vacancy() {
                self.set_slot(slabs, index, slot, entry);
                return Position {
                    bucket: index as u16,
                    slot: slot as u16,
                };
            }
            let passed = bucket.passed + 1;
            self.set_passed(slabs, index, passed);
            // Items for which their home bucket has no slot have passed it.
            if usize::from(passed) >= SAME_TAG_MAX - SLOTS {
                self.flags |= IS_PASSED;
            }
            index = (index + 1) % self.buckets();
        }
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, slabs: &mut Slabs, position: Position) {
        let found = usize::from(position.bucket);
        let slot = usize::from(position.slot);
        let tag = self.bucket(slabs, found).tag(slot);
        self.set_slot(slabs, found, slot, Entry::NONE);
        self.items -= 1;
        let mut index = self.home(tag);
        while index != found {
            let passed = self.bucket(slabs, index).passed - 1;
            self.set_passed(slabs, index, passed);
            index = (index + 1) % self.buckets();
        }
    }

    /// Makes a slot refer to another chunk.
    #[inline]
    pub(crate) fn replace(&self, slabs: &mut Slabs, position: Position, chunk: ChunkRef) {
        let (bucket, slot) = (usize::from(position.bucket), usize::from(position.slot));
        let tag = self.bucket(slabs, bucket).tag(slot);
        self.set_slot(slabs, bucket, slot, Entry { tag, chunk });
    }

    /// Any item that a full leaf can give up.
    pub(crate) fn some_item(&self, slabs: &Slabs, tag: u16) -> Option<ChunkRef> {
        (self.items > 0)
            .then(|| self.home(tag))
            .and_then(|home| {
                let buckets = self.buckets();
                (0..buckets)
                    .find_map(|step| self.bucket(slabs, (home + step) % buckets).entries().next())
            })
            .map(|entry| entry.chunk)
    }

    /// Appends all entries to `out`.
    pub(crate) fn collect(&self, slabs: &Slabs, out: &mut Vec<Entry>) {
        out.extend(self.entries(slabs));
    }

    /// All entries.
    pub(crate) fn entries(&self, slabs: &Slabs) -> impl Iterator<Item = Entry> {
        (0..self.buckets()).flat_map(|index| self.bucket(slabs, index).entries())
    }

    /// Calls `visit` with the entries in some of the buckets, and the numbers of their slots in the leaf.
    #[inline]
    pub(crate) fn visit_slots(
        &self,
        slabs: &Slabs,
        buckets: Range<usize>,
        mut visit: impl FnMut(usize, Entry),
    ) {
        for index in buckets.start..buckets.end.min(self.buckets()) {
            for (slot, entry) in self.bucket(slabs, index).slots() {
                visit(index * SLOTS + slot, entry);
            }
        }
    }

    /// Takes the extents out, leaving the leaf empty.
    pub(crate) fn take_extents(&mut self) -> ([ChunkRef; EXTENTS_MAX], usize) {
        let taken = (self.extents, self.extent_count());
        *self = Self {
            flags: self.flags & DISPLACES,
            ..Self::EMPTY
        };
        taken
    }

    /// Moves extents out of pages that are being emptied; returns how many.
    pub(crate) fn relocate(&mut self, slabs: &mut Slabs) -> usize {
        let mut moved = 0;
        for extent in &mut self.extents[..usize::from(self.len)] {
            if let Some(target) = slabs.relocate(*extent) {
                *extent = target;
                moved += 1;
            }
        }
        moved
    }

    /// Gives an extent to a leaf without items.
    pub(crate) fn give_extent(&mut self, slabs: &mut Slabs, extent: ChunkRef) {
        debug_assert_eq!(self.items, 0, "extents are given to empty leaves");
        let index = self.extent_count();
        self.extents[index] = extent;
        self.len += 1;
        let address = slabs.address(extent);
        slabs.segment.fill(address, EXTENT_BYTES, 0);
    }

    /// The extents.
    pub(crate) fn extents(&self) -> &[ChunkRef] {
        &self.extents[..usize::from(self.len)]
    }

    /// Whether a leaf can have as many extents and items as this one says.
    pub(crate) fn has_sound_counts(&self) -> bool {
        self.extent_count() <= EXTENTS_MAX && self.items() <= self.extent_count() * EXTENT_SLOTS
    }

    /// For each bucket the number of items that have passed it.
    fn recount(&self, slabs: &Slabs, mut visit: impl FnMut(Entry)) -> [u16; BUCKETS_MAX] {
        let buckets = self.buckets();
        let mut passed = [0; BUCKETS_MAX];
        for index in 0..buckets {
            for entry in self.bucket(slabs, index).entries() {
                let mut at = self.home(entry.tag);
                while at != index {
                    passed[at] += 1;
                    at = (at + 1) % buckets;
                }
                visit(entry);
            }
        }
        passed
    }

    /// Whether the counters agree with the slots.
    pub(crate) fn has_sound_buckets(&self, slabs: &Slabs) -> bool {
        let mut items = 0;
        let passed = self.recount(slabs, |_| items += 1);
        items == self.items()
            && (0..self.buckets()).all(|index| self.bucket(slabs, index).passed == passed[index])
    }

    /// Panics unless the counters agree with the slots. Calls `visit` for each item.
    pub(crate) fn check_integrity(&self, slabs: &Slabs, visit: impl FnMut(Entry)) {
        self.recount(slabs, visit);
        assert!(
            self.has_sound_buckets(slabs),
            "items of a leaf, and those that passed its buckets"
        );
    }
}
