//! Copies of one shard's statistics and of its counts of hot keys, taken in the shard's own turn or under a loan, to be
//! summed up elsewhere.

use corecached_engine::{ClassStats, Engine, EngineStats, MemoryReport};
use corecached_insight::HotKey;

use super::access::Access;
use crate::ids::ShardId;

/// A copy of one shard's statistics.
#[derive(Clone, Debug)]
pub(crate) struct ShardReport {
    /// The number of the shard.
    pub(crate) shard: ShardId,
    /// The shard's general counters.
    pub(crate) engine: EngineStats,
    /// The shard's memory by purpose, in bytes.
    pub(crate) memory: MemoryReport,
    /// The shard's slab classes.
    pub(crate) classes: Vec<ClassStats>,
}

impl ShardReport {
    /// The statistics of a shard as they are now.
    pub(crate) fn of(shard: ShardId, engine: &Engine) -> ShardReport {
        ShardReport {
            shard,
            engine: engine.stats(),
            memory: engine.memory_report(),
            classes: engine.class_stats(),
        }
    }
}

/// A copy of one shard's counts of hot keys.
#[derive(Debug, Default)]
pub(crate) struct HotKeysReport {
    /// Requests counted.
    pub(crate) requests: u64,
    /// Most requests that a key without a counter can have had.
    pub(crate) unseen: u64,
    /// The keys that have a counter.
    pub(crate) keys: Vec<HotKey>,
}

impl HotKeysReport {
    /// The counts of a shard as they are now; empty where hot keys are not counted.
    pub(crate) fn of(access: &mut Access<'_>, reset: bool) -> HotKeysReport {
        let Some(hot_keys) = access.observer.sampler.hot_keys() else {
            return HotKeysReport::default();
        };
        let keys = hot_keys.keys(access.now.0);
        let report = HotKeysReport {
            requests: hot_keys.requests(),
            unseen: hot_keys.unseen(),
            keys,
        };
        if reset {
            hot_keys.clear();
        }
        report
    }

    /// Bytes of heap memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        let keys = self.keys.iter().map(|key| key.key.capacity());
        self.keys.capacity() * size_of::<HotKey>() + keys.sum::<usize>()
    }
}
