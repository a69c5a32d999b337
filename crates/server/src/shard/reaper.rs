//! Dead items give their memory back in the network loop's spare time.
//!
//! ```text
//! once a second  a pass begins: through the table of pages, some 10 ns for each, and through those where many are dead
//! meanwhile      the loop does not park, and has turns of its own for slices of the pass (`spare_time.rs`)
//! ```
//!
//! A page is worked through when one item in 16 is probably dead, or one in 64 while live items are evicted. So a pass
//! costs as much as there is to reclaim, and its pace is limited only by the loop's spare time.

use std::time::{Duration, Instant};

use corecached_engine::{Engine, Seconds};

use super::spare_time::SpareTime;

/// Time between the end of a pass and the next pass.
const PASS_REST: Duration = Duration::from_secs(1);
/// Chunks looked at by one call of the engine: some 10 us if most are dead.
const CHUNKS: usize = 64;
/// A page is visited if at least one of this many chunks is dead.
const ONE_IN: u32 = 16;
/// Like [`ONE_IN`], while live items are evicted.
const ONE_IN_EVICTING: u32 = 64;

/// The search of one shard for dead items: when a pass is due, and the pass under way.
#[derive(Debug)]
pub(super) struct Reaper {
    /// The pass under way.
    pass: Option<SpareTime>,
    /// When the next pass begins.
    due: Instant,
    /// The engine's number of evictions when the last pass began.
    evictions: u64,
    one_in: u32,
}

impl Reaper {
    pub(super) fn new() -> Reaper {
        Reaper {
            pass: None,
            due: Instant::now(),
            evictions: 0,
            one_in: ONE_IN,
        }
    }

    /// Whether a pass is under way, so that the loop should not park.
    #[inline]
    pub(super) fn is_at_work(&self) -> bool {
        self.pass.is_some()
    }

    /// Whether the next slice is due, so that the loop should not wait.
    #[inline]
    pub(super) fn wants_turn(&self) -> bool {
        self.pass.as_ref().is_some_and(SpareTime::is_due)
    }

    /// Notes that the loop has worked until now: it is going to wait, or to look for events.
    #[inline]
    pub(super) fn worked(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.worked(Instant::now());
        }
    }

    /// Notes that the loop has waited until now.
    #[inline]
    pub(super) fn waited(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.waited(Instant::now());
        }
    }

    /// A warm window of the loop ends: a pass begins if one is due; the pass under way ends if `is_wanted` is false.
    pub(super) fn window_ended(&mut self, is_wanted: bool) {
        let now = Instant::now();
        if !is_wanted {
            self.pass = None;
        } else if self.pass.is_none() && now >= self.due {
            self.pass = Some(SpareTime::begin(now));
        }
    }

    /// Length of the slice that is due now, if one is.
    #[inline]
    pub(super) fn slice(&mut self) -> Option<Duration> {
        self.pass.as_mut().and_then(SpareTime::slice)
    }

    /// Works for one slice.
    pub(super) fn work(&mut self, engine: &mut Engine, now: Seconds, slice: Duration) {
        let Some(pass) = &mut self.pass else { return };
        let begun = Instant::now();
        let mut is_through = false;
        let mut ended = begun;
        while !is_through && ended < begun + slice {
            is_through = engine.reap(now, CHUNKS, self.one_in).wrapped;
            ended = Instant::now();
        }
        pass.spent(ended);
        if is_through {
            self.pass = None;
            self.due = ended + PASS_REST;
            self.look_closer(engine.vitals().evictions);
        }
    }

    /// If live items have been evicted since the last pass, pages with fewer dead items are visited, too.
    fn look_closer(&mut self, evictions: u64) {
        let evicts = evictions != std::mem::replace(&mut self.evictions, evictions);
        self.one_in = if evicts { ONE_IN_EVICTING } else { ONE_IN };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_make_it_look_closer() {
        let mut reaper = Reaper::new();
        reaper.look_closer(0);
        assert_eq!(reaper.one_in, ONE_IN);
        reaper.look_closer(5);
        assert_eq!(reaper.one_in, ONE_IN_EVICTING);
        reaper.look_closer(5);
        assert_eq!(reaper.one_in, ONE_IN);
    }
}
