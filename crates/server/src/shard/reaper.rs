//! The pace at which a shard's dead items give their memory back.
//!
//! ```text
//! pass over the table of pages, some 3 ns for each, once a second
//!   little is dead           the pass ends within a slice or two
//!   much is dead             slices of 250 us with rests between them, until the pass is through: 5% of the core,
//!   an eighth of all items   20%, since every set would find memory at once
//! ```
//!
//! Pages are visited when one item in 16 is probably dead, or one in 64 while live items are evicted.

use std::time::{Duration, Instant};

use corecached_engine::{Engine, ReapProgress, Seconds};

/// Time of one slice.
const SLICE: Duration = Duration::from_micros(250);
/// Rest between two slices of a pass: with the slice, 5% of the core.
const REST: Duration = Duration::from_millis(5);
/// The same after a pass that found a large part of the items dead: 20%.
const SHORT_REST: Duration = Duration::from_millis(1);
/// A shorter sleep would be none.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Between the end of a pass that found little and the next.
const PASS_REST: Duration = Duration::from_secs(1);
/// Chunks looked at by one call.
const CHUNKS: usize = 128;
/// Of how many chunks of a page one has to be dead for a visit.
const ONE_IN: u32 = 16;
/// The same while live items are evicted.
const ONE_IN_EVICTING: u32 = 64;
/// Dead items of more than one in this many are a large part.
const LARGE_PART: u64 = 8;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Reaper {
    /// When the next slice is due.
    due: Instant,
    evictions: u64,
    one_in: u32,
    reclaimed: usize,
    rest: Duration,
}

impl Reaper {
    pub(super) fn new() -> Reaper {
        Reaper {
            due: Instant::now(),
            evictions: 0,
            one_in: ONE_IN,
            reclaimed: 0,
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
        let mut progress = ReapProgress::default();
        let mut items = 0;
        let mut evictions = self.evictions;
        let one_in = self.one_in;
        while !progress.wrapped && begun.elapsed() < SLICE {
            let got = with_engine(&mut |engine| {
                progress = engine.reap(now, CHUNKS, one_in);
                if progress.wrapped {
                    let stats = engine.stats();
                    (items, evictions) = (stats.curr_items, stats.evictions);
                }
            });
            if !got {
                break;
            }
            self.reclaimed += progress.reclaimed;
        }
        let rest = if progress.wrapped {
            self.end_pass(progress.dead, items, evictions)
        } else {
            self.rest
        };
        self.due = Instant::now() + rest;
    }

    /// Sets the pace of the next pass; returns when it begins.
    fn end_pass(&mut self, dead: u64, items: u64, evictions: u64) -> Duration {
        let reclaimed = std::mem::take(&mut self.reclaimed) as u64;
        let evicts = evictions != std::mem::replace(&mut self.evictions, evictions);
        self.one_in = if evicts { ONE_IN_EVICTING } else { ONE_IN };
        let is_large = |part: u64| part > (items + reclaimed) / LARGE_PART;
        self.rest = if is_large(dead.saturating_sub(reclaimed)) || is_large(reclaimed) {
            SHORT_REST
        } else {
            REST
        };
        if is_large(reclaimed) {
            self.rest
        } else {
            PASS_REST
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_what_is_found() {
        let mut reaper = Reaper::new();
        assert_eq!(reaper.end_pass(10, 1000, 0), PASS_REST);
        assert_eq!((reaper.one_in, reaper.rest), (ONE_IN, REST));
        reaper.reclaimed = 500;
        assert_eq!(reaper.end_pass(600, 1000, 5), SHORT_REST);
        assert_eq!((reaper.one_in, reaper.rest), (ONE_IN_EVICTING, SHORT_REST));
        assert_eq!(reaper.end_pass(0, 1000, 5), PASS_REST);
        assert_eq!((reaper.one_in, reaper.rest), (ONE_IN, REST));
    }
}
