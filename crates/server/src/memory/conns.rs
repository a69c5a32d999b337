//! What a shard tells the others of the memory that its connections hold; `shard/conn_memory.rs` counts and bounds it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a shard tells the others of the memory of its connections.
#[derive(Debug, Default)]
pub(crate) struct ConnMemory {
    /// Input that could not be used yet.
    pub(crate) input: AtomicU64,
    /// Replies that are made, awaited, or being sent.
    pub(crate) output: AtomicU64,
    /// Commands that are being worked on, and encryption.
    pub(crate) work: AtomicU64,
    /// The table of connections.
    pub(crate) table: AtomicU64,
    /// Buffers for use again, and operations on their way to other shards and back.
    pub(crate) pools: AtomicU64,
}

impl ConnMemory {
    /// What counts for the limit.
    pub(crate) fn held(&self) -> u64 {
        [&self.input, &self.output, &self.work]
            .map(|part| part.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// What the connections hold now: input, replies, and commands that are being worked on.
    pub(crate) fn tell(&self, input: u64, output: u64, work: u64) {
        self.input.store(input, Ordering::Relaxed);
        self.output.store(output, Ordering::Relaxed);
        self.work.store(work, Ordering::Relaxed);
    }

    /// What has no owner among the connections: buffers and batches for use again; and the table itself.
    pub(crate) fn tell_pools(&self, pools: u64, table: u64) {
        self.pools.store(pools, Ordering::Relaxed);
        self.table.store(table, Ordering::Relaxed);
    }
}
