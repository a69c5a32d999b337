//! A copy of one shard's statistics, taken in the shard's own turn or under a loan, to be summed up elsewhere.

use corecached_engine::{ClassStats, Engine, EngineStats, MemoryReport};

use super::ShardId;

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
