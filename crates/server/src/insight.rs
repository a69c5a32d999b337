//! What the server knows of its requests as a whole: the estimate of miss ratios at other sizes, for `stats mrc`.
//!
//! ```text
//!   shards' samplers (operation/sampled.rs) --> upkeep of each shard (shard/sample_feed.rs) --try_lock--> Estimator
//!   flush_all, stats mrc ---------------------------------------------------------------------- lock ---> Estimator
//! ```
//!
//! There is one estimator for all shards, behind a lock that nobody holds for longer than some samples. The upkeep goes
//! on with something else if the lock is taken, and requests for keys know nothing of it.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use corecached_engine::Seconds;
use corecached_insight::{Curve, Estimator, Memory, Sampler};

use crate::base::config::Config;
use crate::ids::ShardId;

/// Every key that a client can send can be a hot key.
const _: () = assert!(corecached_insight::KEY_BYTES_MAX == corecached_protocol::KEY_BYTES_MAX);

/// The estimate of miss ratios, and how much memory all of this takes.
#[derive(Debug)]
pub(crate) struct Insight {
    /// `None` with `-o no_mrc`.
    estimate: Option<Mutex<Estimate>>,
    held_bytes: u64,
}

/// The estimator, with what it has to know of all shards.
#[derive(Debug)]
pub(crate) struct Estimate {
    /// The estimator.
    pub(crate) estimator: Estimator,
    /// The memory of each shard.
    memory: Vec<Memory>,
    /// When all items die, if a flush is pending.
    flush_at: Option<Seconds>,
}

impl Insight {
    /// The state for a server with these settings, and a sampler for each shard.
    pub(crate) fn new(config: &Config, seed: u64) -> (Insight, Vec<Sampler>) {
        let seeds = (0..config.threads as u64).map(|shard| (seed >> 7).wrapping_add(shard) as u32);
        let sampler = |seed| Sampler::new(seed, config.hot_keys, config.estimates);
        let samplers: Vec<Sampler> = seeds.map(sampler).collect();
        let estimate = config.estimates.then(|| Estimate {
            estimator: Estimator::new(config.threads),
            memory: vec![Memory::default(); config.threads],
            flush_at: None,
        });
        let estimator_bytes = estimate
            .as_ref()
            .map_or(0, |estimate| estimate.estimator.held_bytes());
        let sampler_bytes: usize = samplers.iter().map(Sampler::held_bytes).sum();
        let insight = Insight {
            estimate: estimate.map(Mutex::new),
            held_bytes: (estimator_bytes + sampler_bytes) as u64,
        };
        (insight, samplers)
    }

    /// Bytes of heap memory that samplers and estimator take, from the start on.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// The estimator, if there is one and nobody else has it.
    pub(crate) fn try_lock_estimate(&self) -> Option<MutexGuard<'_, Estimate>> {
        match self.estimate.as_ref()?.try_lock() {
            Ok(estimate) => Some(estimate),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn estimate(&self) -> Option<MutexGuard<'_, Estimate>> {
        let estimate = self.estimate.as_ref()?;
        Some(estimate.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The estimated miss ratios; `None` with `-o no_mrc`.
    pub(crate) fn curve(&self) -> Option<Curve> {
        self.estimate().map(|estimate| estimate.estimator.curve())
    }

    /// Sets the counts of the estimate to zero.
    pub(crate) fn reset(&self) {
        if let Some(mut estimate) = self.estimate() {
            estimate.estimator.reset();
        }
    }

    /// Notes that all items die at `at`; `None` is now.
    pub(crate) fn flush(&self, at: Option<Seconds>, now: Seconds) {
        if let Some(mut estimate) = self.estimate() {
            estimate.flush_at = Some(at.unwrap_or(now));
            estimate.flush_if_due(now);
        }
    }
}

impl Estimate {
    /// Takes over how much memory a shard uses.
    pub(crate) fn set_memory(&mut self, shard: ShardId, limit_bytes: u64, memory: Memory) {
        self.memory[usize::from(shard.0)] = memory;
        let mut sum = Memory {
            limit_bytes,
            ..Memory::default()
        };
        for one in &self.memory {
            sum.charged_bytes += one.charged_bytes;
            sum.free_bytes += one.free_bytes;
            sum.item_bytes += one.item_bytes;
        }
        self.estimator.set_memory(&sum);
    }

    /// Lets all items die if a flush is due.
    pub(crate) fn flush_if_due(&mut self, now: Seconds) {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.estimator.flush();
        }
    }
}
