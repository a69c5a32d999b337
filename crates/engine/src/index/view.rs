//! The index as other threads see it. Its words may be anything until the reader has seen that the sequence of their
//! leaf is as before.

use super::Index;
use super::bucket::SLOTS;
use super::directory::{DirectoryView, Reading};
use super::leaf::{BUCKETS_MAX, Leaf};
use super::note::ReadNote;
use super::table::{leaf_among, tag_of};
use super::which::Which;
use crate::segment::View;
use crate::slab::{ChunkRef, Slabs};
use crate::types::KeyHash;

/// The usual table.
#[derive(Clone, Debug)]
pub(crate) struct IndexView(DirectoryView);

/// A leaf, or arbitrary words that were read in its place.
#[derive(Debug)]
pub(crate) struct LeafView(Leaf);

impl Index {
    /// The usual table for readers on other threads.
    pub(crate) fn view(&self) -> IndexView {
        IndexView(self.table(Which::Usual).directory.view())
    }

    /// The chunk in the slot of a note, if the slot has the right tag.
    pub(crate) fn noted(&self, slabs: &Slabs, note: &ReadNote) -> Option<ChunkRef> {
        let table = self.table(Which::Usual);
        let leaf = table.leaf(table.leaf_of(note.hash()));
        leaf.at(slabs, note.slot(), tag_of(note.hash()))
    }
}

impl IndexView {
    /// Begins to read the leaf of `hash`; `None` while it is being changed.
    #[inline]
    pub(crate) fn begin(&self, hash: KeyHash) -> Option<(LeafView, Reading)> {
        let (leaf, reading) = self.0.begin(|leaves| leaf_among(leaves, hash))?;
        Some((LeafView(self.0.leaf(leaf)?), reading))
    }

    /// Whether everything read since `reading` began is of one time.
    #[inline]
    pub(crate) fn is_same(&self, reading: Reading) -> bool {
        self.0.is_same(reading)
    }

    /// Prefetches the leaf of `hash`.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, hash: KeyHash) {
        self.0.prefetch(leaf_among(self.0.leaves(), hash));
    }
}

impl LeafView {
    /// The buckets in which an item with this hash may be, in order: number, extent, and offset in the extent. `None`
    /// if the words are not those of a leaf.
    #[inline]
    pub(crate) fn search(
        &self,
        hash: KeyHash,
    ) -> Option<impl Iterator<Item = (usize, ChunkRef, usize)>> {
        let buckets = self.0.buckets();
        let home = self.0.home(tag_of(hash));
        (buckets <= BUCKETS_MAX).then(|| {
            (0..buckets).map(move |step| {
                let index = home + step;
                let index = if index < buckets {
                    index
                } else {
                    index - buckets
                };
                let (extent, offset) = self.0.place_of(index);
                (index, extent, offset)
            })
        })
    }

    /// Whether items of the leaf may be in the second table.
    #[inline]
    pub(crate) fn displaces(&self) -> bool {
        self.0.displaces()
    }
}

/// Words of a bucket with references, and the words with tags behind them.
const REFERENCE_WORDS: usize = SLOTS / 2;
const WORDS: usize = 8;
const TAGS_OF_A_WORD: usize = 4;
const LOW: u64 = 0x7fff_7fff_7fff_7fff;
/// A multiplication by this moves bits 0, 16, 32 and 48 to bit 48 and the bits behind it.
const GATHER: u64 = 1 << 48 | 1 << 33 | 1 << 18 | 1 << 3;
const EACH: u64 = 0x0001_0001_0001_0001;

/// A bucket, or arbitrary words that were read in its place.
#[derive(Debug)]
pub(crate) struct BucketView([u64; WORDS]);

impl BucketView {
    /// The bucket at `at`; `None` outside the segment.
    #[inline]
    pub(crate) fn load(view: &View, at: usize) -> Option<Self> {
        let mut words = [0; WORDS];
        view.load(at, &mut words).then_some(Self(words))
    }

    /// The slots with the tag of `hash`. May contain empty slots.
    #[inline]
    pub(crate) fn with_tag(&self, hash: KeyHash) -> impl Iterator<Item = usize> {
        let wanted = u64::from(tag_of(hash)) * EACH;
        let mut set = 0_u64;
        for (index, word) in self.0[REFERENCE_WORDS..].iter().enumerate() {
            // The highest bit of each 16 is set where all 16 bits of `differs` are 0.
            let differs = word ^ wanted;
            let same = !(((differs & LOW) + LOW) | differs | LOW);
            set |= ((same >> 15).wrapping_mul(GATHER) >> 48 & 0xf) << (TAGS_OF_A_WORD * index);
        }
        let mut set = set & ((1 << SLOTS) - 1);
        std::iter::from_fn(move || {
            let slot = set.trailing_zeros() as usize;
            let some = set != 0;
            set &= set.wrapping_sub(1);
            some.then_some(slot)
        })
    }

    /// The reference in a slot.
    #[inline]
    pub(crate) fn chunk(&self, slot: usize) -> ChunkRef {
        ChunkRef((self.0[slot / 2] >> (32 * (slot % 2))) as u32)
    }

    /// Whether no item has passed this bucket.
    #[inline]
    pub(crate) fn is_last(&self) -> bool {
        self.0[WORDS - 1] >> 32 & 0xffff == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(tags: [u16; 10], tag: u16) -> Vec<usize> {
        let mut words = [0; WORDS];
        for (slot, &tag) in tags.iter().enumerate() {
            words[REFERENCE_WORDS + slot / 4] |= u64::from(tag) << (16 * (slot % 4));
        }
        let hash = KeyHash(u64::from(tag) << 32);
        BucketView(words).with_tag(hash).collect()
    }

    #[test]
    fn tags_are_found_in_any_slot() {
        let tags = [7, 8, 0x8000, 7, 0, 0xffff, 7, 0x8007, 1, 7];
        assert_eq!(slots(tags, 7), [0, 3, 6, 9]);
        assert_eq!(slots(tags, 0x8000), [2]);
        assert_eq!(slots(tags, 0), [4]);
        assert_eq!(slots(tags, 0xffff), [5]);
        assert_eq!(slots(tags, 9), [0; 0]);
        for slot in 0..10 {
            let mut tags = [0x7000; 10];
            tags[slot] = 0x7001;
            assert_eq!(slots(tags, 0x7001), [slot]);
        }
    }
}
