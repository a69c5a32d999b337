//! Empty batches that a shard keeps, so that operations in steady state allocate nothing.
//!
//! A shard with a CPU of its own needs two for each other shard. Where shards wait for CPUs, as many batches as the
//! queues hold may be under way, and all come back at once: what is kept is bounded by its memory, not by its number.

use crate::lending::batch::BoxedBatch;

/// Memory of the batches that a shard keeps: some 800 that have carried a few small values, or ten as large as can be.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is kept of it by a shard without traffic.
const PARKED_BYTES_MAX: usize = 512 * 1024;

/// The empty batches of one shard, the last one used recently.
#[derive(Debug, Default)]
pub(super) struct EmptyBatches {
    batches: Vec<BoxedBatch>,
    bytes: usize,
}

impl EmptyBatches {
    /// Takes a batch, or makes one.
    #[inline]
    pub(super) fn take(&mut self) -> BoxedBatch {
        let Some(batch) = self.batches.pop() else {
            return BoxedBatch::default();
        };
        self.bytes -= batch.held_bytes();
        batch
    }

    /// Takes an empty batch back, or frees it if there are enough.
    #[inline]
    pub(super) fn give(&mut self, batch: BoxedBatch) {
        debug_assert!(batch.is_empty(), "its answers have been delivered");
        let bytes = self.bytes + batch.held_bytes();
        if bytes <= HELD_BYTES_MAX {
            self.bytes = bytes;
            self.batches.push(batch);
        }
    }

    /// Frees what a shard without traffic does not need.
    pub(super) fn shrink(&mut self) {
        while self.bytes > PARKED_BYTES_MAX {
            drop(self.take());
        }
    }

    /// Bytes of heap memory that the batches hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.batches.capacity() * size_of::<BoxedBatch>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_again_up_to_their_memory() {
        let mut empty = EmptyBatches::default();
        let batch = empty.take();
        let place: *const _ = &raw const *batch;
        empty.give(batch);
        let again = empty.take();
        assert!(std::ptr::eq(place, &raw const *again));
        assert_eq!(empty.bytes, 0);
        let each = again.held_bytes();
        for _ in 0..=HELD_BYTES_MAX / each {
            empty.give(BoxedBatch::default());
        }
        assert_eq!(empty.batches.len(), HELD_BYTES_MAX / each);
        assert_eq!(empty.bytes, empty.batches.len() * each);
        empty.shrink();
        assert_eq!(empty.batches.len(), PARKED_BYTES_MAX / each);
    }
}
