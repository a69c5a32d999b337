//! The clock of an engine, as readers on other threads see it.
//!
//! ```text
//! stamps   | 0 ....... 23 | 24 ................... 47 |     one word each
//!            stamp          stamps since the flush
//! times    | 0 ....... 31 | 32 ................... 63 |
//!            now            a flush to come
//! ```
//!
//! A reader looks at the clock after the item, so that the clock is not older: an item with a later stamp than the
//! clock's would seem to be very old. It looks at the times first, and the owner writes them last: a reader that no
//! longer sees a pending flush sees the stamp of that flush.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_mesh::step;

use crate::clock::Clock;
use crate::item::ACCESS_MODULUS;
use crate::types::{Deadline, Seconds};

const FLUSH_SHIFT: u32 = 24;
const PENDING_SHIFT: u32 = 32;
/// No flush: a distance that no item has.
const NO_FLUSH: u32 = ACCESS_MODULUS - 1;
/// No flush is pending.
const NEVER: u32 = u32::MAX;

/// The clock for readers, in two words.
#[derive(Debug, Default)]
struct Words {
    stamps: AtomicU64,
    times: AtomicU64,
}

/// The owner's clock, and the two words in which readers see it.
#[derive(Debug)]
pub(crate) struct ShownClock {
    clock: Clock,
    words: Arc<Words>,
}

impl Deref for ShownClock {
    type Target = Clock;

    #[inline]
    fn deref(&self) -> &Clock {
        &self.clock
    }
}

impl ShownClock {
    pub(crate) fn new() -> Self {
        let shown = Self {
            clock: Clock::new(),
            words: Arc::default(),
        };
        shown.show();
        shown
    }

    fn show(&self) {
        let stamp = u64::from(self.clock.stamp());
        let distance = self.clock.since_flush().unwrap_or(NO_FLUSH);
        let stamps = stamp | u64::from(distance) << FLUSH_SHIFT;
        step::point();
        self.words.stamps.store(stamps, Ordering::Release);
        let pending = self.clock.pending().unwrap_or(NEVER);
        let times = u64::from(self.clock.now().0) | u64::from(pending) << PENDING_SHIFT;
        step::point();
        self.words.times.store(times, Ordering::Release);
    }

    /// Like [`Clock::advance`]; readers see the change.
    #[inline]
    pub(crate) fn advance(&mut self, now: Seconds) {
        if now > self.clock.now() {
            self.pass(now);
        }
    }

    #[cold]
    fn pass(&mut self, now: Seconds) {
        self.clock.advance(now);
        self.show();
    }

    /// Like [`Clock::stamp_of_new`]; readers see the change.
    #[inline]
    pub(crate) fn stamp_of_new(&mut self) -> u32 {
        self.clock.stamp_of_new()
    }

    /// Like [`Clock::flush`]; readers see the change.
    pub(crate) fn flush(&mut self, at: Option<Seconds>) {
        self.clock.flush(at);
        self.show();
    }

    /// Like [`Clock::end_walk`]; readers see the change.
    pub(crate) fn end_walk(&mut self, flushed: Option<u64>, began: u64) {
        self.clock.end_walk(flushed, began);
        self.show();
    }

    /// Goes on from another clock.
    pub(crate) fn set(&mut self, clock: Clock) {
        self.clock = clock;
        self.show();
    }

    /// The clock for readers on other threads.
    pub(crate) fn view(&self) -> ClockView {
        ClockView(Arc::clone(&self.words))
    }
}

/// The clock as other threads see it.
#[derive(Clone, Debug)]
pub(crate) struct ClockView(Arc<Words>);

/// Whether an item lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// The item lives and was used so many seconds ago. `is_fresh`: its stamp is the present one.
    Alive { idle_seconds: u32, is_fresh: bool },
    /// The item is dead.
    Dead,
    /// A flush is due that the owner has not noticed yet.
    Unknown,
}

impl ClockView {
    /// Whether an item lives at `now`, which may be ahead of the clock or behind it. The caller has read the item
    /// before.
    #[inline]
    pub(crate) fn life(&self, deadline: Deadline, last_access: u32, now: Seconds) -> Life {
        step::point();
        let times = self.0.times.load(Ordering::Acquire);
        step::point();
        let stamps = self.0.stamps.load(Ordering::Relaxed);
        let (shown, pending) = (times as u32, (times >> PENDING_SHIFT) as u32);
        let now = now.0.max(shown);
        if pending != NEVER && pending <= now {
            return Life::Unknown;
        }
        let (stamp, flush) = (stamps as u32, (stamps >> FLUSH_SHIFT) as u32);
        let distance = stamp.wrapping_sub(last_access) % ACCESS_MODULUS;
        let is_flushed = flush != NO_FLUSH && distance >= flush;
        if is_flushed || deadline.has_passed(Seconds(now)) {
            return Life::Dead;
        }
        Life::Alive {
            idle_seconds: distance + (now - shown),
            is_fresh: distance == 0 && now == shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_what_the_clock_says() {
        let mut clock = ShownClock::new();
        let view = clock.view();
        clock.advance(Seconds(10));
        let old = clock.stamp_of_new();
        let life = |last_access, now| view.life(Deadline::NEVER, last_access, Seconds(now));
        let alive = |idle_seconds, is_fresh| Life::Alive {
            idle_seconds,
            is_fresh,
        };
        assert_eq!(life(old, 10), alive(0, true));
        assert_eq!(life(old, 12), alive(2, false), "ahead of the clock");
        clock.advance(Seconds(15));
        assert_eq!(life(old, 3), alive(5, false), "behind the clock");
        clock.flush(None);
        let new = clock.stamp_of_new();
        assert_eq!((life(old, 15), life(new, 15)), (Life::Dead, alive(0, true)));
        clock.flush(Some(Seconds(20)));
        assert_eq!(life(new, 19), alive(4, false));
        assert_eq!(life(new, 20), Life::Unknown);
        clock.advance(Seconds(20));
        assert_eq!(life(new, 20), Life::Dead);
        clock.end_walk(clock.flushed(), clock.walk_begins());
        assert_ne!(life(new, 20), Life::Dead, "whoever was flushed is gone");
        let deadline = Deadline(25);
        assert_eq!(view.life(deadline, clock.stamp(), Seconds(25)), Life::Dead);
    }
}
