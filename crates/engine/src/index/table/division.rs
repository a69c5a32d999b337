//! Which half of a leaf each of its items goes to when the leaf is split: found out before the split.
//!
//! A slot does not hold the bit of the hash that a split goes by, so every item has to be looked at: some 200 to 600
//! misses of the cache, which in a large cache are 100 us. Which leaf is split next is known, so each of the insertions
//! before the split looks at a few of its buckets:
//!
//! ```text
//! buckets of the leaf   | looked at: a bit for each           | prefetched  | not yet          |
//!                                                       looked
//! ```
//!
//! Items stay in their slots until the leaf is rebuilt; then the division begins anew. For items that come meanwhile
//! the hash is known.

use super::Table;
use crate::index::bucket::Entry;
use crate::index::leaf::{BUCKETS_MAX, LEAF_ITEMS, LEAF_ITEMS_MAX, Position, extents_for};
use crate::item::Items;
use crate::slab::Slabs;
use crate::types::KeyHash;

/// Insertions before a split that look at items of the leaf, and the buckets that each of them looks at.
const INSERTIONS: usize = 24;
const STEP: usize = 3;

const _: () = assert!(INSERTIONS * STEP >= BUCKETS_MAX);

/// The cost of looking at an item, in slots moved.
const LOOK: u64 = 2;

const NO_LEAF: usize = usize::MAX;

/// The two halves of the leaf that is split next, as far as they are known already.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    leaf: usize,
    /// Buckets looked at.
    looked: usize,
    /// By slot: whether its item goes to the new leaf.
    goes: [u64; LEAF_ITEMS_MAX.div_ceil(64)],
}

impl Division {
    /// No bucket was looked at yet.
    pub(crate) const NONE: Self = Self {
        leaf: NO_LEAF,
        looked: 0,
        goes: [0; LEAF_ITEMS_MAX.div_ceil(64)],
    };

    /// Whether the item in a slot goes to the new leaf.
    pub(super) fn goes(&self, slot: usize) -> bool {
        self.goes[slot / 64] >> (slot % 64) & 1 != 0
    }

    fn set(&mut self, slot: usize, goes: bool) {
        let bit = 1 << (slot % 64);
        if goes {
            self.goes[slot / 64] |= bit;
        } else {
            self.goes[slot / 64] &= !bit;
        }
    }

    /// Called when a leaf is rebuilt, since its items change their slots.
    pub(super) fn forget(&mut self, leaf: usize) {
        if self.leaf == leaf {
            *self = Self::NONE;
        }
    }
}

impl Table {
    /// The bit of the hash that decides the next split, and the leaf that it splits.
    pub(super) fn next_split(&self) -> (u32, usize) {
        let bit =
            self.leaves.next_power_of_two() as u32 >> u32::from(!self.leaves.is_power_of_two());
        (bit, self.leaves - bit as usize)
    }

    /// Whether the next leaf will be split soon.
    #[inline]
    pub(crate) fn nears_split(&self) -> bool {
        self.items + INSERTIONS >= self.leaves * LEAF_ITEMS
    }

    /// Looks at some items of the leaf that is split next; true if there are more.
    pub(crate) fn divide(&mut self, items: &Items) -> bool {
        let (bit, source) = self.next_split();
        if self.division.leaf != source {
            self.division = Division {
                leaf: source,
                ..Division::NONE
            };
        }
        let first = self.division.looked;
        let hasher = self.hasher;
        let leaf = *self.leaf(source);
        let slabs = &items.slabs;
        leaf.visit_slots(slabs, first..first + STEP, |slot, entry| {
            let goes = hasher.hash(items.item(entry.chunk).key()).0 as u32 & bit != 0;
            self.division.set(slot, goes);
            self.slot_work += LOOK;
        });
        let next = first + STEP;
        leaf.visit_slots(slabs, next..next + STEP, |_, entry| {
            items.prefetch(entry.chunk);
        });
        self.division.looked = leaf.buckets().min(next);
        next < leaf.buckets()
    }

    /// Looks at all items of the leaf that is split next; returns how many extents its two halves need beyond its own.
    pub(crate) fn missing_extents(&mut self, items: &Items) -> usize {
        while self.divide(items) {}
        let leaf = self.leaf(self.next_split().1);
        let (mut staying, mut going) = (0, 0);
        leaf.visit_slots(&items.slabs, 0..BUCKETS_MAX, |slot, _| {
            let goes = usize::from(self.division.goes(slot));
            going += goes;
            staying += 1 - goes;
        });
        let wanted = extents_for(staying).max(1) + extents_for(going).max(1);
        wanted.saturating_sub(leaf.extent_count())
    }

    /// Puts the entries of a leaf that stay before those that go; returns how many stay. All items of the leaf were
    /// looked at before.
    pub(super) fn collect_halves(&self, slabs: &Slabs, leaf: usize, out: &mut Vec<Entry>) -> usize {
        let mut staying = 0;
        self.leaf(leaf)
            .visit_slots(slabs, 0..BUCKETS_MAX, |slot, entry| {
                out.push(entry);
                if !self.division.goes(slot) {
                    let last = out.len() - 1;
                    out.swap(staying, last);
                    staying += 1;
                }
            });
        staying
    }

    /// Notes that an item has come to a leaf.
    #[inline]
    pub(super) fn note_inserted(&mut self, leaf: usize, position: Position, hash: KeyHash) {
        if leaf == self.division.leaf {
            let goes = hash.0 as u32 & self.next_split().0 != 0;
            self.division.set(position.slot_number(), goes);
        }
    }

    /// Panics unless the noted halves agree with the items' hashes.
    pub(crate) fn check_division(&self, items: &Items) {
        let (bit, source) = self.next_split();
        if self.division.leaf != source {
            return;
        }
        let looked = 0..self.division.looked;
        let leaf = self.leaf(source);
        leaf.visit_slots(&items.slabs, looked, |slot, entry| {
            let goes = self.hash_of(items, entry.chunk).0 as u32 & bit != 0;
            assert_eq!(self.division.goes(slot), goes, "half of slot {slot}");
        });
    }
}
