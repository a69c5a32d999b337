//! Memory, as far as shards have to agree about it.
//!
//! ```text
//! notice    what a shard tells the others of its engine's memory
//! turnover  what becomes of that over time
//! pages     pages go from a shard to the one that needs them more
//! uploads   what half-sent values may claim together
//! conns     what connections hold of the heap
//! ```

pub(crate) mod conns;
pub(crate) mod notice;
pub(crate) mod pages;
mod turnover;
pub(crate) mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_engine::Budget;

use crate::cell::ShardId;
use crate::cell::core::Cells;
use crate::ground::Ground;
use crate::ground::counters::Telemetry;

use conns::ConnMemory;
use notice::Notice;
use uploads::Uploads;

/// What shards have to agree about.
pub(crate) struct Memory {
    /// The memory limit.
    pub(crate) budget: Arc<Budget>,
    /// Values on their way in.
    pub(crate) uploads: Arc<Uploads>,
    /// By shard: what its engine holds.
    notices: Vec<Notice>,
    /// By shard: what its connections hold.
    conns: Vec<ConnMemory>,
    /// Rounds in which a shard was short of memory.
    requests: AtomicU64,
}

impl Memory {
    /// Of so many shards that hold nothing.
    pub(crate) fn new(budget: Arc<Budget>, shards: usize) -> Memory {
        Memory {
            budget,
            uploads: Arc::default(),
            notices: (0..shards).map(|_| Notice::new()).collect(),
            conns: (0..shards).map(|_| ConnMemory::default()).collect(),
            requests: AtomicU64::new(0),
        }
    }

    /// What a shard says of its engine.
    #[inline]
    pub(crate) fn notice(&self, shard: ShardId) -> &Notice {
        &self.notices[usize::from(shard.0)]
    }

    /// What a shard says of its connections.
    #[inline]
    pub(crate) fn conns(&self, shard: ShardId) -> &ConnMemory {
        &self.conns[usize::from(shard.0)]
    }

    /// What all shards say of their connections.
    pub(crate) fn all_conns(&self) -> &[ConnMemory] {
        &self.conns
    }

    /// A shard is short of memory in this round.
    fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Rounds in which a shard was short of memory so far.
    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// What a shard may see and touch of the memory of all.
#[derive(Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    /// Settings and clock.
    pub(crate) ground: &'a Ground,
    /// The engines, to be borrowed.
    pub(crate) cells: &'a Cells,
    /// The limit, and what shards say.
    pub(crate) memory: &'a Memory,
    /// Where pages are counted that have moved.
    pub(crate) telemetry: &'a Telemetry,
}
