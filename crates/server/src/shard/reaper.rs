//! The pace at which a shard's dead items give their memory back.
//!
//! ```text
//! once a second        how many are dead? the table of pages is gone through, some 20 ns for each; also during a pass: most
//!                      may die when it has begun
//! pass over the pages  those with many dead are visited, in slices with rests between them: at the pace that would have all
//!                      of the dead gone in 5 seconds, but 5% of the core at least and 20% at most
//! ```
//!
//! Pages are visited when one item in 16 is probably dead, or one in 64 while live items are evicted.

use std::time::{Duration, Instant};

use corecached_engine::{Engine, ReapProgress, Seconds};

/// Time of one slice.
const SLICE: Duration = Duration::from_micros(250);
/// The same at the highest pace: the executor has a turn for this task once in 2 ms only, while there is traffic.
const LONG_SLICE: Duration = Duration::from_micros(500);
/// Rest between two slices of a pass: with the slice, 5% of the core.
const REST: Duration = Duration::from_micros(4750);
/// The shortest rest: with the long slice, 20%.
const REST_MIN: Duration = Duration::from_millis(2);
/// A shorter sleep would be none.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Between the end of a pass and the next.
const PASS_REST: Duration = Duration::from_secs(1);
/// The dead are counted anew after this time.
const COUNT_REST: Duration = Duration::from_secs(1);
/// Chunks looked at by one call.
const CHUNKS: usize = 128;
/// Pages counted by one call.
const PAGES: u32 = 512;
/// Of how many chunks of a page one has to be dead for a visit.
const ONE_IN: u32 = 16;
/// The same while live items are evicted.
const ONE_IN_EVICTING: u32 = 64;
/// What reclaiming a dead item takes, with the live ones looked at beside it: mostly cache misses, 250 to 600 ns.
const DEAD_ITEM_NS: u64 = 300;
/// The dead should be gone after this time, if the pace allows.
const GOAL: Duration = Duration::from_secs(5);

/// What the next slice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Counts the dead, from a page on; so many until there.
    Count { next: u32, dead: u64 },
    /// Reclaims them.
    Reap,
}

const BEGIN: Phase = Phase::Count { next: 0, dead: 0 };

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Reaper {
    /// When the next slice is due.
    due: Instant,
    phase: Phase,
    /// When the dead were last counted.
    counted: Instant,
    evictions: u64,
    one_in: u32,
    slice: Duration,
    rest: Duration,
}

impl Reaper {
    pub(super) fn new() -> Reaper {
        Reaper {
            due: Instant::now(),
            phase: BEGIN,
            counted: Instant::now(),
            evictions: 0,
            one_in: ONE_IN,
            slice: SLICE,
            rest: REST,
        }
    }

    /// Time until the next slice; never so short that the executor's other tasks do not get their turn.
    pub(super) fn wait(&self) -> Duration {
        self.due
            .saturating_duration_since(Instant::now())
            .max(WAIT_MIN)
    }

    /// One slice, if it is due; `with_engine` runs a step on the engine and puts it down again, or cannot have it.
    pub(super) fn work(
        &mut self,
        now: Seconds,
        mut with_engine: impl FnMut(&mut dyn FnMut(&mut Engine)) -> bool,
    ) {
        let begun = Instant::now();
        if begun < self.due {
            return;
        }
        let mut is_through = false;
        while !is_through && begun.elapsed() < self.slice {
            let got = with_engine(&mut |engine| is_through = self.step(engine, now));
            if !got {
                break;
            }
        }
        let rest = if is_through { PASS_REST } else { self.rest };
        self.due = Instant::now() + rest;
    }

    /// One call of the engine; true at the end of the pass.
    fn step(&mut self, engine: &mut Engine, now: Seconds) -> bool {
        match self.phase {
            Phase::Count { next, dead } => {
                let (more, next) = engine.count_dead(next, PAGES, now);
                self.phase = Phase::Count {
                    next,
                    dead: dead + more,
                };
                if next == 0 {
                    self.set_pace(dead + more, engine.stats().evictions);
                    self.counted = Instant::now();
                    self.phase = Phase::Reap;
                }
                false
            }
            Phase::Reap if self.counted.elapsed() >= COUNT_REST => {
                self.phase = BEGIN;
                false
            }
            Phase::Reap => {
                let ReapProgress { wrapped, .. } = engine.reap(now, CHUNKS, self.one_in);
                if wrapped {
                    self.phase = BEGIN;
                }
                wrapped
            }
        }
    }

    /// Sets the pace of the pass, by how many are dead.
    fn set_pace(&mut self, dead: u64, evictions: u64) {
        let evicts = evictions != std::mem::replace(&mut self.evictions, evictions);
        self.one_in = if evicts { ONE_IN_EVICTING } else { ONE_IN };
        let work = Duration::from_nanos(dead.saturating_mul(DEAD_ITEM_NS));
        let share = work.as_secs_f64() / GOAL.as_secs_f64();
        let usual = SLICE.as_secs_f64() / (SLICE + REST).as_secs_f64();
        self.slice = if share > 2.0 * usual {
            LONG_SLICE
        } else {
            SLICE
        };
        let rest = self.slice.as_secs_f64() * (1.0 / share.clamp(usual, 1.0) - 1.0);
        self.rest = Duration::from_secs_f64(rest).max(REST_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of the core that a pass takes.
    fn share(reaper: &Reaper) -> f64 {
        reaper.slice.as_secs_f64() / (reaper.slice + reaper.rest).as_secs_f64()
    }

    #[test]
    fn the_pace_follows_what_is_dead() {
        let mut reaper = Reaper::new();
        let mut share_for = |dead| {
            reaper.set_pace(dead, 0);
            share(&reaper)
        };
        for few in [0, 1000, 500_000] {
            assert!((share_for(few) - 0.05).abs() < 1e-6, "{few} dead");
        }
        let some = share_for(2_500_000);
        assert!((some - 0.15).abs() < 0.001, "{some}");
        for many in [10_000_000, 50_000_000, u64::MAX] {
            assert!((share_for(many) - 0.2).abs() < 1e-6, "{many} dead");
        }
    }

    #[test]
    fn evictions_make_it_look_closer() {
        let mut reaper = Reaper::new();
        reaper.set_pace(0, 0);
        assert_eq!(reaper.one_in, ONE_IN);
        reaper.set_pace(0, 5);
        assert_eq!(reaper.one_in, ONE_IN_EVICTING);
        reaper.set_pace(0, 5);
        assert_eq!(reaper.one_in, ONE_IN);
    }
}
