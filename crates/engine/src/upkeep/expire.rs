//! Background expiry: the calls that go on with the walks, and the stamps that depend on them.

use crate::api::{ReapProgress, SweepProgress};
use crate::engine::Engine;
use crate::types::Seconds;

/// Chunks looked at by one call of [`Engine::maintain`] when a walk over everything is due.
const RENEWAL_STEP: usize = 128;
/// Steps of the walk, of 160 chunks or more each, that a flush makes if it takes one of the last 2^21 stamps: together
/// these flushes go through 2,600,000,000 chunks.
const FLUSH_STEPS: usize = 8;

impl Engine {
    /// Looks at up to `budget` chunks, or at fewer if many items are dead, and frees dead items. A page that is stepped
    /// over counts as one chunk.
    pub fn sweep(&mut self, now: Seconds, budget: usize) -> SweepProgress {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| {
            let (contents, telemetry) = (&mut engine.contents, &mut engine.telemetry);
            engine.walks.sweep.run(contents, telemetry, effort, budget)
        })
    }

    /// Goes on with a walk over everything if such a walk has to end before stamps are used up; true while there is
    /// more to do.
    pub(super) fn renew_stamps(&mut self) -> bool {
        if self.contents.clock.needs_walk() {
            self.sweep(self.contents.clock.now(), RENEWAL_STEP);
        }
        self.contents.clock.needs_walk()
    }

    /// Sees to it that the next flush has a stamp.
    pub(crate) fn provide_stamp(&mut self) {
        let mut steps = 0;
        let is_short = |engine: &Self, steps| {
            let clock = &engine.contents.clock;
            clock.is_scarce() && (steps < FLUSH_STEPS || clock.is_used_up())
        };
        while is_short(self, steps) {
            self.sweep(self.contents.clock.now(), usize::MAX);
            steps += 1;
        }
    }

    /// Frees dead items of pages where probably at least one chunk in `one_in` is dead; looks at up to `budget` chunks.
    /// After a call whose result has `wrapped`, the next call begins with the first page again.
    pub fn reap(&mut self, now: Seconds, budget: usize, one_in: u32) -> ReapProgress {
        self.contents.clock.advance(now);
        let now = self.contents.clock.now().0;
        self.contents.items.slabs.advance(now);
        self.spending(|engine, effort| {
            let (contents, telemetry) = (&mut engine.contents, &mut engine.telemetry);
            let reaping = &mut engine.walks.reaping;
            reaping.run(contents, telemetry, effort, budget, one_in)
        })
    }
}
