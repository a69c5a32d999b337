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
    /// Connections that were closed because of the limit, with more input than output.
    pub(crate) closed_for_input: AtomicU64,
    /// The others that were.
    pub(crate) closed_for_output: AtomicU64,
}

impl ConnMemory {
    /// What counts for the limit.
    pub(crate) fn held(&self) -> u64 {
        [&self.input, &self.output, &self.work]
            .map(|part| part.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// `stats reset`.
    pub(crate) fn reset(&self) {
        self.closed_for_input.store(0, Ordering::Relaxed);
        self.closed_for_output.store(0, Ordering::Relaxed);
    }

    /// What the connections hold now: input, replies, and commands that are being worked on.
    pub(crate) fn tell(&self, input: u64, output: u64, work: u64) {
        self.input.store(input, Ordering::Relaxed);
        self.output.store(output, Ordering::Relaxed);
        self.work.store(work, Ordering::Relaxed);
    }
}
