//! Memory that the shards share: the limit, the exchange of pages, and the numbers that shards publish about their
//! memory.
//!
//! ```text
//! engine_memory  numbers that a shard publishes about its engine's memory
//! conn_memory    heap memory that a shard's connections hold, as it publishes it
//! turnover       how soon a shard needs its memory anew, computed from these numbers over time
//! want           the worth of one page more to a shard
//! give           pages are emptied for another shard
//! pages          pages go from a shard to the one that needs them more
//! uploads        memory that half-sent values may claim together
//! ```

pub(crate) mod conn_memory;
pub(crate) mod engine_memory;
pub(crate) mod give;
pub(crate) mod pages;
mod turnover;
pub(crate) mod uploads;
mod want;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_engine::Budget;

use crate::base::Globals;
use crate::base::counters::Telemetry;
use crate::ids::ShardId;
use crate::lending::core::Cores;

use conn_memory::{ConnMemory, HeldByAll};
use engine_memory::EngineMemory;
use uploads::Uploads;

/// Memory limits and numbers that shards share.
pub(crate) struct Memory {
    /// The memory limit.
    pub(crate) budget: Arc<Budget>,
    /// The claims of values on their way in.
    pub(crate) uploads: Arc<Uploads>,
    /// The numbers about each shard's engine, by shard.
    engines: Vec<EngineMemory>,
    /// The numbers about each shard's connections, by shard.
    conns: Vec<ConnMemory>,
    /// The memory of all shards' connections.
    pub(crate) held_by_all: HeldByAll,
    /// Number of rounds in which a shard was short of memory.
    requests: AtomicU64,
}

impl Memory {
    /// For `shards` shards that hold nothing.
    pub(crate) fn new(budget: Arc<Budget>, shards: usize) -> Memory {
        Memory {
            budget,
            uploads: Arc::default(),
            engines: (0..shards).map(|_| EngineMemory::new()).collect(),
            conns: (0..shards).map(|_| ConnMemory::default()).collect(),
            held_by_all: HeldByAll::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// The numbers that a shard publishes about its engine.
    #[inline]
    pub(crate) fn engine(&self, shard: ShardId) -> &EngineMemory {
        &self.engines[usize::from(shard.0)]
    }

    /// The numbers that a shard publishes about its connections.
    #[inline]
    pub(crate) fn conns(&self, shard: ShardId) -> &ConnMemory {
        &self.conns[usize::from(shard.0)]
    }

    /// The numbers about the connections of all shards.
    pub(crate) fn all_conns(&self) -> &[ConnMemory] {
        &self.conns
    }

    /// Notes that a shard is short of memory in this round.
    fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of rounds so far in which a shard was short of memory.
    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// The state of all shards that the exchange of memory uses.
#[derive(Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    /// Settings and clock.
    pub(crate) globals: &'a Globals,
    /// The engines, to be borrowed.
    pub(crate) cores: &'a Cores,
    /// The memory limit, and the numbers that shards publish.
    pub(crate) memory: &'a Memory,
    /// The counters, in which moved pages are counted.
    pub(crate) telemetry: &'a Telemetry,
}
