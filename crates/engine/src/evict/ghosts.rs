//! Fingerprints of items that were evicted: an item that comes back soon has shown that it is wanted.
//!
//! Each leaf of the index (some 210 items) has up to three chunks of 256 fingerprints, 8 bits each, once an item with
//! such a hash has been stored under pressure: 3.7 bytes for an item. A bucket is 8 fingerprints, the newest first; a
//! new one pushes the oldest out. So the place of a fingerprint says how many evictions ago its item went, and no time
//! is kept.
//!
//! ```text
//! hash      | 63 ..... 45 | 44 ....... 37 | 36 .. 32 | 31 ............ 0 |
//!             part          fingerprint     bucket     leaf
//!
//! directory   blocks: Vec of references -> chunk of 64 references, by leaf and part -> chunk of 32 buckets
//! ```
//!
//! An unknown key is taken for a known one at most 3 times in 100. That only spares its item the probation. Splits and
//! merges of leaves lose some fingerprints.

use crate::slab::{ChunkRef, INDEX_CLASS, Slabs};
use crate::types::KeyHash;

/// Bytes of a bucket; one fingerprint each.
const BUCKET_BYTES: usize = 8;
const BUCKETS: usize = 32;
/// Chunks of fingerprints for a leaf.
const CHUNKS_PER_LEAF: usize = 3;
/// References in one chunk of the directory.
const BLOCK_SLOTS: usize = 64;
/// Chunks of fingerprints that one step frees, besides one chunk of the directory.
const TRIM_STEP: u64 = 16;
/// Chunks that one insertion may need: fingerprints, and a part of the directory.
pub(crate) const CHUNKS_MAX: usize = 2;

const _: () = assert!(BUCKETS * BUCKET_BYTES == crate::index::EXTENT_BYTES);
const _: () = assert!(BLOCK_SLOTS * size_of::<ChunkRef>() == crate::index::EXTENT_BYTES);

/// Fingerprints of the items that were evicted last, by leaf of the index.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    /// Null where no slot of the block has fingerprints.
    blocks: Vec<ChunkRef>,
    /// Chunks in use, with those of the directory.
    chunks: u64,
    /// Number of fingerprints added since the start.
    added: u64,
}

/// The fingerprint of a hash: 1 to 255. 0 stands for none.
fn fingerprint(hash: KeyHash) -> u8 {
    ((hash.0 >> 37 & 0xff) % 255) as u8 + 1
}

/// The place in the directory of the chunk for a hash.
fn slot(leaf: usize, hash: KeyHash) -> usize {
    leaf * CHUNKS_PER_LEAF + (hash.0 >> 45) as usize % CHUNKS_PER_LEAF
}

fn bucket(hash: KeyHash) -> usize {
    (hash.0 >> 32) as usize % BUCKETS
}

fn clear(slabs: &mut Slabs, chunk: ChunkRef) {
    let (at, bytes) = (slabs.address(chunk), slabs.sizes.chunk_bytes(INDEX_CLASS));
    slabs.segment.fill(at, bytes, 0);
}

/// A bucket, the newest fingerprint in the lowest byte.
#[inline]
fn word(slabs: &Slabs, at: usize) -> u64 {
    u64::from_le(*slabs.segment.record(at))
}

impl Ghosts {
    /// Chunks in use.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Number of fingerprints added since the start: the time in which ages are counted.
    pub(crate) fn added(&self) -> u64 {
        self.added
    }

    fn extent(&self, slabs: &Slabs, slot: usize) -> ChunkRef {
        match self.blocks.get(slot / BLOCK_SLOTS) {
            Some(block) if !block.is_null() => {
                let at = slabs.address(*block) + 4 * (slot % BLOCK_SLOTS);
                let bytes = slabs.segment.bytes(at, 4);
                ChunkRef(u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
            }
            _ => ChunkRef::NULL,
        }
    }

    fn set_extent(&mut self, slabs: &mut Slabs, slot: usize, extent: ChunkRef) {
        let at = slabs.address(self.blocks[slot / BLOCK_SLOTS]) + 4 * (slot % BLOCK_SLOTS);
        slabs.segment.store_field(at, 32, u64::from(extent.0));
    }

    /// Number of chunks that are missing before the fingerprint of an item in this leaf can be kept.
    #[inline]
    pub(crate) fn missing_chunks(&self, slabs: &Slabs, leaf: usize, hash: KeyHash) -> usize {
        let slot = slot(leaf, hash);
        if !self.extent(slabs, slot).is_null() {
            return 0;
        }
        let block = self.blocks.get(slot / BLOCK_SLOTS);
        1 + usize::from(block.is_none_or(|block| block.is_null()))
    }

    /// Adds an unused chunk of [`INDEX_CLASS`] as one of the missing chunks.
    pub(crate) fn add_chunk(
        &mut self,
        slabs: &mut Slabs,
        leaf: usize,
        hash: KeyHash,
        chunk: ChunkRef,
    ) {
        clear(slabs, chunk);
        self.chunks += 1;
        let slot = slot(leaf, hash);
        let block = slot / BLOCK_SLOTS;
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, ChunkRef::NULL);
        }
        if self.blocks[block].is_null() {
            self.blocks[block] = chunk;
        } else {
            debug_assert!(self.extent(slabs, slot).is_null(), "a slot has one chunk");
            self.set_extent(slabs, slot, chunk);
        }
    }

    fn bucket_at(&self, slabs: &Slabs, leaf: usize, hash: KeyHash) -> Option<usize> {
        let extent = self.extent(slabs, slot(leaf, hash));
        (!extent.is_null()).then(|| slabs.address(extent) + BUCKET_BYTES * bucket(hash))
    }

    /// Prefetches the bucket of a hash.
    #[inline]
    pub(crate) fn prefetch(&self, slabs: &Slabs, leaf: usize, hash: KeyHash) {
        if let Some(at) = self.bucket_at(slabs, leaf, hash) {
            slabs.segment.prefetch(at);
        }
    }

    /// Remembers an item, if there is room for it.
    pub(crate) fn add(&mut self, slabs: &mut Slabs, leaf: usize, hash: KeyHash) {
        self.added += 1;
        if let Some(at) = self.bucket_at(slabs, leaf, hash) {
            let newest = u64::from(fingerprint(hash));
            slabs.segment.store(at, word(slabs, at) << 8 | newest);
        }
    }

    /// Forgets an item. If it was remembered, returns its age: about how many fingerprints were added since.
    #[inline]
    pub(crate) fn take(&self, slabs: &mut Slabs, leaf: usize, hash: KeyHash) -> Option<u64> {
        let at = self.bucket_at(slabs, leaf, hash)?;
        let (known, wanted) = (word(slabs, at), fingerprint(hash));
        let place = known.to_le_bytes().iter().position(|&one| one == wanted)?;
        // The newer fingerprints stay, the older ones move up.
        let newer = known & ((1 << (8 * place)) - 1);
        let older = known >> (8 * place) >> 8 << (8 * place);
        slabs.segment.store(at, older | newer);
        // Each bucket gets an equal part of the fingerprints.
        let buckets = self.chunks * BUCKETS as u64;
        Some(place as u64 * buckets + buckets / 2)
    }

    /// Whether a whole block belongs to leaves that are no longer there.
    #[inline]
    pub(crate) fn has_spare_block(&self, leaves: usize) -> bool {
        self.blocks.len() * BLOCK_SLOTS >= leaves * CHUNKS_PER_LEAF + BLOCK_SLOTS
            && !self.blocks.is_empty()
    }

    /// Frees chunks of leaves that are no longer there, from the last on, in a bounded step; returns how many.
    pub(crate) fn trim(&mut self, slabs: &mut Slabs, leaves: usize) -> u64 {
        let Some(last) = self.blocks.len().checked_sub(1) else {
            return 0;
        };
        let first = last * BLOCK_SLOTS;
        let mut freed = 0;
        for slot in ((leaves * CHUNKS_PER_LEAF).max(first)..first + BLOCK_SLOTS).rev() {
            let extent = self.extent(slabs, slot);
            if !extent.is_null() {
                self.set_extent(slabs, slot, ChunkRef::NULL);
                self.give(slabs, extent);
                freed += 1;
            }
            if freed == TRIM_STEP {
                return freed;
            }
        }
        if self.has_spare_block(leaves)
            && let Some(block) = self.blocks.pop()
            && !block.is_null()
        {
            self.give(slabs, block);
            freed += 1;
        }
        freed
    }

    /// Moves chunks of one part of the directory, and this part, out of pages that are being emptied; returns how many,
    /// or `None` behind the last part.
    pub(crate) fn relocate(&mut self, slabs: &mut Slabs, part: usize) -> Option<usize> {
        let block = *self.blocks.get(part)?;
        if block.is_null() {
            return Some(0);
        }
        let mut moved = 0;
        if let Some(target) = slabs.relocate(block) {
            self.blocks[part] = target;
            moved += 1;
        }
        for slot in part * BLOCK_SLOTS..(part + 1) * BLOCK_SLOTS {
            let extent = self.extent(slabs, slot);
            if !extent.is_null()
                && let Some(target) = slabs.relocate(extent)
            {
                self.set_extent(slabs, slot, target);
                moved += 1;
            }
        }
        Some(moved)
    }

    /// Frees everything.
    pub(crate) fn free_all(&mut self, slabs: &mut Slabs) {
        while !self.blocks.is_empty() {
            self.trim(slabs, 0);
        }
    }

    fn give(&mut self, slabs: &mut Slabs, chunk: ChunkRef) {
        slabs.give(chunk);
        self.chunks -= 1;
    }

    /// Panics unless the chunks counted are those that are there.
    pub(crate) fn check_integrity(&self, slabs: &Slabs) {
        let blocks = self.blocks.iter().filter(|block| !block.is_null()).count();
        let slots = 0..self.blocks.len() * BLOCK_SLOTS;
        let extents = slots
            .map(|slot| self.extent(slabs, slot))
            .filter(|extent| !extent.is_null());
        let mut chunks = blocks as u64;
        for extent in extents {
            assert_eq!(slabs.class_of(extent), INDEX_CLASS, "chunk of fingerprints");
            chunks += 1;
        }
        assert_eq!(chunks, self.chunks, "chunks of fingerprints");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evict::queue::tests::{slabs, take};

    /// A hash with this leaf, part, bucket and fingerprint.
    fn hash(leaf: u64, part: u64, bucket: u64, fingerprint: u64) -> KeyHash {
        KeyHash(leaf | bucket << 32 | (fingerprint - 1) << 37 | part << 45)
    }

    fn with_slots(slabs: &mut Slabs, slots: &[(usize, u64)]) -> Ghosts {
        let mut ghosts = Ghosts::default();
        for &(leaf, part) in slots {
            let hash = hash(leaf as u64, part, 0, 1);
            while ghosts.missing_chunks(slabs, leaf, hash) > 0 {
                let chunk = take(slabs);
                ghosts.add_chunk(slabs, leaf, hash, chunk);
            }
        }
        ghosts.check_integrity(slabs);
        ghosts
    }

    #[test]
    fn the_last_eight_of_a_bucket_are_remembered_once() {
        let mut slabs = slabs();
        let mut ghosts = with_slots(&mut slabs, &[(3, 0), (3, 1)]);
        let known = |number| hash(3, 1, 5, number);
        for number in 1..=12 {
            ghosts.add(&mut slabs, 3, known(number));
        }
        assert_eq!(ghosts.added(), 12);
        let mut took = |hash| ghosts.take(&mut slabs, 3, hash).is_some();
        assert!(!took(hash(3, 1, 6, 12)), "another bucket");
        assert!(!took(hash(3, 0, 5, 12)), "another part");
        assert!(!took(hash(3, 2, 5, 12)), "a part without a chunk");
        assert!(!took(known(4)), "pushed out");
        for number in [5, 12, 8] {
            assert!(took(known(number)), "{number}");
            assert!(!took(known(number)), "taken");
        }
        ghosts.add(&mut slabs, 3, known(13));
        for number in [6, 7, 9, 10, 11, 13] {
            assert!(ghosts.take(&mut slabs, 3, known(number)).is_some());
        }
    }

    #[test]
    fn the_place_of_a_fingerprint_says_how_long_ago_its_item_went() {
        let mut slabs = slabs();
        let leaves = 20;
        let slots: Vec<(usize, u64)> = (0..leaves * CHUNKS_PER_LEAF)
            .map(|slot| (slot / CHUNKS_PER_LEAF, (slot % CHUNKS_PER_LEAF) as u64))
            .collect();
        let mut ghosts = with_slots(&mut slabs, &slots);
        let hash_of = |number: u64| KeyHash(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let leaf_of = |hash: KeyHash| hash.0 as u32 as usize % leaves;
        // Room for 20 * 768 of them.
        let count = 10_000;
        for number in 0..count {
            let hash = hash_of(number);
            ghosts.add(&mut slabs, leaf_of(hash), hash);
        }
        for age in [500, 5000, 9000] {
            let near = count - age..count - age + 200;
            let ages: Vec<u64> = near
                .filter_map(|number| {
                    let hash = hash_of(number);
                    ghosts.take(&mut slabs, leaf_of(hash), hash)
                })
                .collect();
            assert!(ages.len() > 150, "{} of 200 are known", ages.len());
            let mean = ages.iter().sum::<u64>() / ages.len() as u64;
            assert!(mean.abs_diff(age) < 1500, "{mean} for {age}");
        }
    }

    #[test]
    fn chunks_of_leaves_that_have_gone_are_freed() {
        let mut slabs = slabs();
        let slots = [(0, 0), (1, 2), (21, 0), (21, 1), (66, 2)];
        let mut ghosts = with_slots(&mut slabs, &slots);
        assert_eq!(ghosts.chunks(), 5 + 3);
        let known = hash(66, 2, 1, 1);
        ghosts.add(&mut slabs, 66, known);
        // 64 references are those of 21 leaves and a part of the next.
        for (leaves, chunks) in [(67, 8), (66, 7), (64, 6), (30, 6), (22, 6), (21, 4), (1, 2)] {
            ghosts.trim(&mut slabs, leaves);
            ghosts.check_integrity(&slabs);
            assert_eq!(ghosts.chunks(), chunks, "{leaves} leaves");
        }
        assert!(ghosts.take(&mut slabs, 66, known).is_none());
        ghosts.free_all(&mut slabs);
        assert_eq!((ghosts.chunks(), slabs.used_chunks(INDEX_CLASS)), (0, 0));
    }
}
