//! A set of shards, as bits. With many shards, the cost of a turn depends on the shards in the set, not on all that
//! exist.

use crate::ids::ShardId;

const WORD_BITS: usize = u64::BITS as usize;

/// A set of shards, a bit for each.
#[derive(Clone, Debug)]
pub(crate) struct PeerSet(Box<[u64]>);

impl PeerSet {
    /// An empty set, with room for `shards` shards.
    pub(crate) fn new(shards: usize) -> PeerSet {
        PeerSet(vec![0; shards.div_ceil(WORD_BITS)].into())
    }

    /// Number of words of a set with room for `shards` shards.
    pub(crate) fn words(shards: usize) -> usize {
        shards.div_ceil(WORD_BITS)
    }

    /// Adds a shard.
    #[inline]
    pub(crate) fn insert(&mut self, shard: ShardId) {
        let (word, bit) = Self::place_of(shard);
        self.0[word] |= bit;
    }

    /// Whether a shard is in the set.
    #[inline]
    pub(crate) fn contains(&self, shard: ShardId) -> bool {
        let (word, bit) = Self::place_of(shard);
        self.0[word] & bit != 0
    }

    /// Takes a shard out; returns whether it was in the set.
    #[inline]
    pub(crate) fn remove(&mut self, shard: ShardId) -> bool {
        let (word, bit) = Self::place_of(shard);
        let was_there = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        was_there
    }

    /// Whether the set is empty.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// Adds all shards of another set.
    #[inline]
    pub(crate) fn extend(&mut self, other: &PeerSet) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Adds the shards of a word of bits; `index` is the word's place.
    #[inline]
    pub(crate) fn add_word(&mut self, index: usize, bits: u64) {
        self.0[index] |= bits;
    }

    /// Takes any one shard out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<ShardId> {
        let index = self.0.iter().position(|&word| word != 0)?;
        let bit = self.0[index].trailing_zeros() as usize;
        self.0[index] &= self.0[index] - 1;
        Some(ShardId((index * WORD_BITS + bit) as u16))
    }

    /// The index of a shard's word, and the shard's bit in that word.
    #[inline]
    pub(crate) fn place_of(shard: ShardId) -> (usize, u64) {
        let shard = usize::from(shard.0);
        (shard / WORD_BITS, 1 << (shard % WORD_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_come_out_that_went_in() {
        let mut set = PeerSet::new(130);
        let mut more = PeerSet::new(130);
        for shard in [0, 63, 64, 129, 7] {
            set.insert(ShardId(shard));
        }
        assert!(set.remove(ShardId(7)) && !set.remove(ShardId(7)));
        assert!(set.contains(ShardId(129)) && !set.contains(ShardId(7)));
        more.insert(ShardId(64));
        more.insert(ShardId(100));
        set.extend(&more);
        let popped: Vec<u16> = std::iter::from_fn(|| set.pop())
            .map(|shard| shard.0)
            .collect();
        assert_eq!(popped, [0, 63, 64, 100, 129]);
        assert!(set.is_empty() && !more.is_empty());
    }
}
