//! Fingerprints of items that were evicted on probation: one that comes back soon has shown that it is wanted.
//!
//! Each leaf of the index has one chunk of 256 fingerprints, 8 bits each, once an item with such a hash has been stored
//! under pressure: 1.2 bytes for an item. A bucket is 16 fingerprints, the newest first; a new one pushes the oldest out.
//!
//! ```text
//! hash      | 63 ..... | 43 ....... 36 | 35 .. 32 | 31 ............ 0 |
//!                        fingerprint     bucket     leaf
//!
//! directory   blocks: Vec of references -> chunk of 64 references, by leaf -> chunk of 16 buckets
//! ```
//!
//! A strange key is taken for a known one at most 6 times in 100, which costs no more than its probation.
//! Splits and merges of leaves forget a part.

use crate::slab::{ChunkRef, INDEX_CLASS, Slabs};
use crate::types::KeyHash;

/// Bytes of a bucket; one fingerprint each.
const BUCKET_BYTES: usize = 16;
const BUCKETS: usize = 16;
/// References in one chunk of the directory.
const BLOCK_LEAVES: usize = 64;
/// Chunks that one insertion may need: fingerprints, and a part of the directory.
pub(super) const CHUNKS_MAX: usize = 2;

const _: () = assert!(BUCKETS * BUCKET_BYTES == crate::index::EXTENT_BYTES);
const _: () = assert!(BLOCK_LEAVES * size_of::<ChunkRef>() == crate::index::EXTENT_BYTES);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// Null where no leaf of the block has fingerprints.
    blocks: Vec<ChunkRef>,
    chunks: u64,
}

/// 1 to 255; 0 is none.
fn fingerprint(hash: KeyHash) -> u8 {
    ((hash.0 >> 36 & 0xff) % 255) as u8 + 1
}

fn bucket(hash: KeyHash) -> usize {
    (hash.0 >> 32) as usize % BUCKETS
}

fn clear(slabs: &mut Slabs, chunk: ChunkRef) {
    let (at, bytes) = (slabs.address(chunk), slabs.sizes.chunk_bytes(INDEX_CLASS));
    slabs.segment.bytes_mut(at, bytes).fill(0);
}

impl Ghosts {
    /// Chunks in use.
    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    fn extent(&self, slabs: &Slabs, leaf: usize) -> ChunkRef {
        match self.blocks.get(leaf / BLOCK_LEAVES) {
            Some(block) if !block.is_null() => {
                let at = slabs.address(*block) + 4 * (leaf % BLOCK_LEAVES);
                let bytes = slabs.segment.bytes(at, 4);
                ChunkRef(u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
            }
            _ => ChunkRef::NULL,
        }
    }

    fn set_extent(&mut self, slabs: &mut Slabs, leaf: usize, extent: ChunkRef) {
        let at = slabs.address(self.blocks[leaf / BLOCK_LEAVES]) + 4 * (leaf % BLOCK_LEAVES);
        let bytes = slabs.segment.bytes_mut(at, 4);
        bytes.copy_from_slice(&extent.0.to_le_bytes());
    }

    /// Chunks that are missing before fingerprints of this leaf can be kept.
    #[inline]
    pub(super) fn missing_chunks(&self, slabs: &Slabs, leaf: usize) -> usize {
        if !self.extent(slabs, leaf).is_null() {
            return 0;
        }
        let block = self.blocks.get(leaf / BLOCK_LEAVES);
        1 + usize::from(block.is_none_or(|block| block.is_null()))
    }

    /// Adds an unused chunk of [`INDEX_CLASS`], one of those missing.
    pub(super) fn add_chunk(&mut self, slabs: &mut Slabs, leaf: usize, chunk: ChunkRef) {
        clear(slabs, chunk);
        self.chunks += 1;
        let block = leaf / BLOCK_LEAVES;
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, ChunkRef::NULL);
        }
        if self.blocks[block].is_null() {
            self.blocks[block] = chunk;
        } else {
            debug_assert!(self.extent(slabs, leaf).is_null(), "a leaf has one chunk");
            self.set_extent(slabs, leaf, chunk);
        }
    }

    fn bucket_at(&self, slabs: &Slabs, leaf: usize, hash: KeyHash) -> Option<usize> {
        let extent = self.extent(slabs, leaf);
        (!extent.is_null()).then(|| slabs.address(extent) + BUCKET_BYTES * bucket(hash))
    }

    /// Remembers an item, if its leaf has room for it.
    pub(super) fn add(&self, slabs: &mut Slabs, leaf: usize, hash: KeyHash) {
        if let Some(at) = self.bucket_at(slabs, leaf, hash) {
            let bytes = slabs.segment.bytes_mut(at, BUCKET_BYTES);
            bytes.copy_within(..BUCKET_BYTES - 1, 1);
            bytes[0] = fingerprint(hash);
        }
    }

    /// Forgets an item; whether it was remembered.
    #[inline]
    pub(super) fn take(&self, slabs: &mut Slabs, leaf: usize, hash: KeyHash) -> bool {
        let Some(at) = self.bucket_at(slabs, leaf, hash) else {
            return false;
        };
        let bytes = slabs.segment.bytes_mut(at, BUCKET_BYTES);
        let wanted = fingerprint(hash);
        let Some(place) = bytes.iter().position(|&known| known == wanted) else {
            return false;
        };
        bytes.copy_within(place + 1.., place);
        bytes[BUCKET_BYTES - 1] = 0;
        true
    }

    /// Frees chunks of leaves that are no longer there: at most those of one part of the directory.
    pub(super) fn trim(&mut self, slabs: &mut Slabs, leaves: usize) {
        let Some(last) = self.blocks.len().checked_sub(1) else {
            return;
        };
        self.free_from(slabs, last, leaves.max(last * BLOCK_LEAVES));
    }

    /// Moves chunks of one part of the directory, and this part, out of pages that are being emptied; returns how many,
    /// or `None` behind the last part.
    pub(super) fn relocate(&mut self, slabs: &mut Slabs, part: usize) -> Option<usize> {
        let block = *self.blocks.get(part)?;
        if block.is_null() {
            return Some(0);
        }
        let mut moved = 0;
        if let Some(target) = slabs.relocate(block) {
            self.blocks[part] = target;
            moved += 1;
        }
        for leaf in part * BLOCK_LEAVES..(part + 1) * BLOCK_LEAVES {
            let extent = self.extent(slabs, leaf);
            if !extent.is_null()
                && let Some(target) = slabs.relocate(extent)
            {
                self.set_extent(slabs, leaf, target);
                moved += 1;
            }
        }
        Some(moved)
    }

    /// Frees everything.
    pub(super) fn free_all(&mut self, slabs: &mut Slabs) {
        for block in (0..self.blocks.len()).rev() {
            self.free_from(slabs, block, block * BLOCK_LEAVES);
        }
    }

    /// Frees the chunks of the last block's leaves from `leaf` on, and the block if that is all.
    fn free_from(&mut self, slabs: &mut Slabs, block: usize, leaf: usize) {
        let first = block * BLOCK_LEAVES;
        for leaf in leaf..first + BLOCK_LEAVES {
            let extent = self.extent(slabs, leaf);
            if !extent.is_null() {
                self.set_extent(slabs, leaf, ChunkRef::NULL);
                self.give(slabs, extent);
            }
        }
        if leaf == first
            && let Some(block) = self.blocks.pop()
            && !block.is_null()
        {
            self.give(slabs, block);
        }
    }

    fn give(&mut self, slabs: &mut Slabs, chunk: ChunkRef) {
        slabs.give(chunk);
        self.chunks -= 1;
    }

    /// Panics unless the chunks counted are those that are there.
    pub(super) fn check_integrity(&self, slabs: &Slabs) {
        let blocks = self.blocks.iter().filter(|block| !block.is_null()).count();
        let leaves = 0..self.blocks.len() * BLOCK_LEAVES;
        let extents = leaves
            .map(|leaf| self.extent(slabs, leaf))
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
    use crate::engine::queue::tests::{slabs, take};

    /// A hash with this leaf, bucket and fingerprint.
    fn hash(leaf: u64, bucket: u64, fingerprint: u64) -> KeyHash {
        KeyHash(leaf | bucket << 32 | (fingerprint - 1) << 36)
    }

    fn with_leaves(slabs: &mut Slabs, leaves: &[usize]) -> Ghosts {
        let mut ghosts = Ghosts::default();
        for &leaf in leaves {
            while ghosts.missing_chunks(slabs, leaf) > 0 {
                let chunk = take(slabs);
                ghosts.add_chunk(slabs, leaf, chunk);
            }
        }
        ghosts.check_integrity(slabs);
        ghosts
    }

    #[test]
    fn the_last_sixteen_of_a_bucket_are_remembered_once() {
        let mut slabs = slabs();
        let ghosts = with_leaves(&mut slabs, &[3]);
        for number in 1..=20 {
            ghosts.add(&mut slabs, 3, hash(3, 5, number));
        }
        assert!(
            !ghosts.take(&mut slabs, 3, hash(3, 6, 20)),
            "another bucket"
        );
        assert!(!ghosts.take(&mut slabs, 3, hash(3, 5, 4)), "pushed out");
        for number in [5, 20, 12] {
            assert!(ghosts.take(&mut slabs, 3, hash(3, 5, number)));
            assert!(!ghosts.take(&mut slabs, 3, hash(3, 5, number)), "taken");
        }
        ghosts.add(&mut slabs, 3, hash(3, 5, 21));
        for number in [6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21] {
            assert!(ghosts.take(&mut slabs, 3, hash(3, 5, number)), "{number}");
        }
    }

    #[test]
    fn chunks_of_leaves_that_have_gone_are_freed() {
        let mut slabs = slabs();
        let mut ghosts = with_leaves(&mut slabs, &[0, 1, 63, 64, 200]);
        assert_eq!(ghosts.chunks(), 5 + 3);
        let leaf = 200;
        ghosts.add(&mut slabs, leaf, hash(200, 1, 1));
        for (leaves, chunks) in [
            (201, 8),
            (200, 7),
            (192, 6),
            (100, 6),
            (100, 6),
            (2, 4),
            (2, 3),
        ] {
            ghosts.trim(&mut slabs, leaves);
            ghosts.check_integrity(&slabs);
            assert_eq!(ghosts.chunks(), chunks, "{leaves} leaves");
        }
        assert!(!ghosts.take(&mut slabs, leaf, hash(200, 1, 1)));
        ghosts.free_all(&mut slabs);
        assert_eq!((ghosts.chunks(), slabs.used_chunks(INDEX_CLASS)), (0, 0));
    }
}
