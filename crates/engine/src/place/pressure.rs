//! How short of memory the shard is. Shards compare these counts to share memory, and classes are judged by them. They
//! count since the start and are never reset.

use crate::evict::Gone;

/// Evictions and refusals of the shard since its start.
#[derive(Debug)]
pub(crate) struct Pressure {
    evictions: u64,
    /// Bytes of evicted items, except for items whose page went to another shard.
    evicted_bytes: u64,
    /// Allocations for which there was no memory.
    chunks_refused: u64,
    /// By class: items evicted.
    evicted: Vec<u64>,
}

impl Pressure {
    /// The counts of a shard with so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            evictions: 0,
            evicted_bytes: 0,
            chunks_refused: 0,
            evicted: vec![0; classes],
        }
    }

    /// Notes that an item was removed. It counts if it was alive.
    #[inline]
    pub(crate) fn note_gone(&mut self, gone: Gone) {
        if let Gone::Evicted { class, .. } = gone {
            self.evictions += 1;
            self.evicted[usize::from(class)] += 1;
        }
    }

    /// Notes the bytes of an item that was evicted because this shard needs memory itself.
    #[inline]
    pub(crate) fn note_evicted_bytes(&mut self, bytes: u64) {
        self.evicted_bytes += bytes;
    }

    /// Notes that there was no memory for a chunk.
    pub(crate) fn note_refused(&mut self) {
        self.chunks_refused += 1;
    }

    /// Number of live items evicted.
    pub(crate) fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Bytes of live items evicted, except for items whose page went to another shard.
    #[inline]
    pub(crate) fn evicted_bytes(&self) -> u64 {
        self.evicted_bytes
    }

    /// Allocations for which there was no memory.
    pub(crate) fn chunks_refused(&self) -> u64 {
        self.chunks_refused
    }

    /// Items of a class evicted.
    pub(crate) fn evicted_of(&self, class: u8) -> u64 {
        self.evicted[usize::from(class)]
    }
}
