//! Takes a shard's samples to the estimator of `stats mrc`: a part of the upkeep, in small slices.
//!
//! ```text
//!   round:  counters, memory, lost samples ------> Estimator
//!   slice:  64 samples -- the engine is put down --> Estimator     until those of this round are gone
//! ```
//!
//! If another shard has the estimator, the next slice or round tries again.

use corecached_insight::{Access, Memory, Turn};

use crate::ids::ShardId;
use crate::shared::Shared;

/// Samples that are taken at a time: some 30 us of the estimator's work.
const SLICE_SAMPLES: usize = 64;

/// A shard's way to the estimator.
#[derive(Debug, Default)]
pub(super) struct SampleFeed {
    /// Gets and misses counted when the estimator was last told of them.
    gets: u64,
    misses: u64,
    /// Samples of which the estimator has been told, but which it has not been given.
    left: usize,
}

impl SampleFeed {
    /// Begins a round.
    pub(super) fn begin(&mut self, shared: &Shared, id: ShardId) {
        let Some(mut estimate) = shared.insight.try_lock_estimate() else {
            return;
        };
        let Some(mut core) = shared.cores.of(id).try_borrow() else {
            return;
        };
        let now = shared.globals.clock.now();
        estimate.flush_if_due(now);
        let (stats, report) = (core.engine.stats(), core.engine.memory_report());
        let limit_bytes = shared.memory.budget.limit_bytes();
        let memory = Memory {
            limit_bytes,
            charged_bytes: report.total_bytes(),
            free_bytes: report.free_chunk_bytes + report.free_page_bytes,
            item_bytes: report.payload_bytes + report.header_bytes,
        };
        estimate.set_memory(id, limit_bytes, memory);
        let waiting = core.observer.sampler.waiting();
        estimate.estimator.count(&Turn {
            gets: grown(&mut self.gets, stats.cmd_get),
            misses: grown(&mut self.misses, stats.get_misses),
            kept: (waiting - self.left) as u64,
            lost: core.observer.sampler.take_lost(),
            now: now.0,
        });
        self.left = waiting;
        core.observer.sampler.set_cut(estimate.estimator.cut());
    }

    /// Gives the estimator some samples; returns true if there are more.
    pub(super) fn slice(&mut self, shared: &Shared, id: ShardId) -> bool {
        if self.left == 0 {
            return false;
        }
        let Some(mut estimate) = shared.insight.try_lock_estimate() else {
            return true;
        };
        let mut samples: [Option<Access>; SLICE_SAMPLES] = [None; SLICE_SAMPLES];
        {
            let Some(mut core) = shared.cores.of(id).try_borrow() else {
                return true;
            };
            let taken = core.observer.sampler.take(self.left.min(SLICE_SAMPLES));
            for (place, sample) in samples.iter_mut().zip(taken) {
                *place = Some(sample);
                self.left -= 1;
            }
        }
        for sample in samples.iter().flatten() {
            estimate.estimator.feed(sample);
        }
        self.left > 0
    }
}

/// By how much a counter has grown since this was last asked. A counter that was reset has grown from 0.
fn grown(before: &mut u64, now: u64) -> u64 {
    let before = std::mem::replace(before, now);
    now.checked_sub(before).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_was_reset_has_grown_from_zero() {
        let mut before = 0;
        let grown: Vec<u64> = [5, 9, 9, 3, 4].map(|now| grown(&mut before, now)).to_vec();
        assert_eq!(grown, [5, 4, 0, 3, 1]);
    }
}
