//! The memory that a shard's connections hold, as published to other shards, and the sum over all shards;
//! `shard/conn_memory.rs` counts and bounds it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The memory that a shard's connections hold, in bytes, as published to other shards.
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
    /// Bytes that count for the limit.
    pub(crate) fn held(&self) -> u64 {
        [&self.input, &self.output, &self.work]
            .map(|part| part.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// Publishes the bytes that the connections hold now: input, replies, and commands that are being worked on.
    pub(crate) fn publish(&self, input: u64, output: u64, work: u64) {
        self.input.store(input, Ordering::Relaxed);
        self.output.store(output, Ordering::Relaxed);
        self.work.store(work, Ordering::Relaxed);
    }

    /// Publishes the bytes that belong to no connection: buffers and batches for use again, and the table itself.
    pub(crate) fn publish_pools(&self, pools: u64, table: u64) {
        self.pools.store(pools, Ordering::Relaxed);
        self.table.store(table, Ordering::Relaxed);
    }
}

/// The memory that the connections of all shards hold, in bytes. Each shard adds what has changed at the end of a warm
/// window, so the shard that adds last sees what all others have added.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct HeldByAll(AtomicI64);

impl HeldByAll {
    /// Adds what a shard's connections hold more than when it last added; returns the sum. What other shards have told
    /// before they added can be seen by the caller.
    pub(crate) fn add(&self, bytes: i64) -> u64 {
        let sum = self.0.fetch_add(bytes, Ordering::AcqRel) + bytes;
        debug_assert!(sum >= 0, "no shard takes away more than it has added");
        sum.max(0) as u64
    }
}
