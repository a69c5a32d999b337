//! Parts of the hash space, in an order that growth and shrinking keep.
//!
//! Leaf `i` of `k` bits holds the hashes whose low `k` bits are `i`. With the bits of the hash reversed, these hashes
//! are one interval, and a split cuts it in two. So a walk in the order of the reversed hashes may pause anywhere and
//! meets each item that stays, however the table changes in between (as Redis' SCAN does).
//!
//! ```text
//! reversed hash   0                    2^31                   2^32
//! 3 leaves        |   leaf 0 | leaf 2  |        leaf 1          |
//! ```

use super::Table;
use crate::index::bucket::Entry;
use crate::slab::{ChunkRef, Slabs};
use crate::types::KeyHash;

/// The end of the hash space.
pub(crate) const SPAN_END: u64 = 1 << 32;

/// The position of a hash in the order of the walk.
#[inline]
pub(crate) fn position_of(hash: KeyHash) -> u64 {
    u64::from((hash.0 as u32).reverse_bits())
}

/// The interval of one leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Items of the leaf.
    pub(crate) items: usize,
}

impl Table {
    /// The leaf at a position below [`SPAN_END`].
    pub(crate) fn span_at(&self, position: u64) -> Span {
        let hash = KeyHash(u64::from((position as u32).reverse_bits()));
        let leaf = self.leaf_of(hash);
        let half = (self.mask as usize).div_ceil(2);
        let is_split = leaf >= half || leaf + half < self.leaves;
        let bits = self.mask.count_ones() - u32::from(!is_split);
        let from = u64::from((leaf as u32).reverse_bits());
        Span {
            from,
            to: from + (SPAN_END >> bits),
            items: self.leaf(leaf).items(),
        }
    }

    /// Appends the chunks of the leaf at `position` whose tags are in `tags`.
    pub(crate) fn collect_tags(
        &self,
        slabs: &Slabs,
        position: u64,
        tags: std::ops::Range<u32>,
        out: &mut Vec<ChunkRef>,
    ) {
        let hash = KeyHash(u64::from((position as u32).reverse_bits()));
        let wanted = |entry: &Entry| tags.contains(&u32::from(entry.tag));
        let leaf = self.leaf(self.leaf_of(hash));
        out.extend(leaf.entries(slabs).filter(wanted).map(|entry| entry.chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::config::EngineConfig;
    use crate::index::second::TableHasher;
    use crate::index::table::mask_for;
    use crate::types::KeyHasher;

    #[test]
    fn the_spans_of_any_number_of_leaves_cover_the_space_once() {
        let config = EngineConfig {
            segment_bytes: 1 << 20,
            ..EngineConfig::default()
        };
        let mut slabs = Slabs::new(&config, Budget::new(1 << 20), 14, 256).unwrap();
        let mut index = Table::new(&mut slabs, TableHasher::Usual(KeyHasher::new(0))).unwrap();
        for leaves in 1..=64 {
            index.leaves = leaves;
            index.mask = mask_for(leaves);
            let mut at = 0;
            let mut seen = 0;
            while at < SPAN_END {
                let span = index.span_at(at);
                assert_eq!(span.from, at, "{leaves} leaves");
                assert_eq!(index.span_at(span.to - 1), span);
                at = span.to;
                seen += 1;
            }
            assert_eq!((at, seen), (SPAN_END, leaves));
        }
    }
}
