//! A copy of one shard's statistics, taken in its own turn or under a loan, for whoever sums them up.

use corecached_engine::{ClassStats, Engine, EngineStats, MemoryReport};

use super::ShardId;

/// A copy of one shard's statistics.
#[derive(Clone, Debug)]
pub(crate) struct ShardReport {
    /// Which shard.
    pub(crate) shard: ShardId,
    /// Its general counters.
    pub(crate) engine: EngineStats,
    /// Where its bytes are.
    pub(crate) memory: MemoryReport,
    /// Its slab classes.
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
