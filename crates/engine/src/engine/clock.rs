//! Time as the engine sees it, and which items a `flush_all` has killed.
//!
//! Items carry the second of their last access. A flush kills what was accessed up to its stamp, and from then on
//! accesses are stamped at least one second later, be it in the future, so an item stored in the same second as the
//! flush lives, and the order is exact however many flushes a second brings. Nothing is walked.

use serde::{Deserialize, Serialize};

use crate::item::ACCESS_MODULUS;
use crate::types::Seconds;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The latest time given.
    now: u32,
    /// Accesses are stamped with this or later.
    floor: u32,
    /// Stamp of the latest flush, until a sweep has removed all that it killed.
    flushed: Option<u32>,
    /// When a delayed flush takes effect.
    pending: Option<u32>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            floor: 0,
            flushed: None,
            pending: None,
        }
    }

    /// Moves time forward; it never goes back.
    #[inline]
    pub(crate) fn advance(&mut self, now: Seconds) {
        if now.0 > self.now {
            self.now = now.0;
            if self.pending.is_some_and(|at| at <= now.0) {
                self.pending = None;
                // Whatever exists was accessed before this second.
                self.flush_up_to(self.floor.max(now.0 - 1));
            }
        }
    }

    /// The time.
    #[inline]
    pub(crate) fn now(&self) -> Seconds {
        Seconds(self.now)
    }

    /// What an access at present is stamped with.
    #[inline]
    pub(crate) fn stamp(&self) -> u32 {
        self.now.max(self.floor)
    }

    /// Seconds since an access.
    #[inline]
    pub(crate) fn age(&self, last_access: u32) -> u32 {
        self.stamp().wrapping_sub(last_access) % ACCESS_MODULUS
    }

    /// `flush_all`: now, or at a later time, which replaces another pending one.
    pub(crate) fn flush(&mut self, at: Option<Seconds>) {
        match at {
            Some(at) if at.0 > self.now => self.pending = Some(at.0),
            _ => {
                self.pending = None;
                self.flush_up_to(self.stamp());
            }
        }
    }

    fn flush_up_to(&mut self, stamp: u32) {
        self.flushed = Some(stamp);
        self.floor = stamp + 1;
    }

    /// Whether a flush has killed the item with this last access.
    #[inline]
    pub(crate) fn has_flushed(&self, last_access: u32) -> bool {
        self.flushed
            .is_some_and(|stamp| self.age(last_access) >= self.stamp() - stamp)
    }

    /// Stamp of the flush whose items may still be in memory.
    pub(crate) fn flushed(&self) -> Option<u32> {
        self.flushed
    }

    /// Forgets a flush whose items are all gone.
    pub(crate) fn forget_flush(&mut self) {
        self.flushed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: u32) -> Clock {
        let mut clock = Clock::new();
        clock.advance(Seconds(now));
        clock
    }

    #[test]
    fn items_after_the_flush_live_in_the_same_second() {
        let mut clock = at(10);
        let before = clock.stamp();
        clock.flush(None);
        let between = clock.stamp();
        assert!(clock.has_flushed(before) && !clock.has_flushed(between));
        clock.flush(None);
        let after = clock.stamp();
        assert!(clock.has_flushed(between) && !clock.has_flushed(after));
        clock.advance(Seconds(50));
        assert!(
            clock.has_flushed(between)
                && !clock.has_flushed(after)
                && !clock.has_flushed(clock.stamp())
        );
    }

    #[test]
    fn a_delayed_flush_kills_what_came_before_its_second() {
        let mut clock = at(10);
        clock.flush(Some(Seconds(20)));
        clock.advance(Seconds(19));
        let before = clock.stamp();
        assert!(!clock.has_flushed(before));
        clock.advance(Seconds(20));
        assert!(clock.has_flushed(before) && !clock.has_flushed(clock.stamp()));
    }

    #[test]
    fn a_flush_replaces_the_pending_one() {
        let mut clock = at(10);
        clock.flush(Some(Seconds(20)));
        clock.flush(Some(Seconds(30)));
        clock.advance(Seconds(25));
        let stored = clock.stamp();
        assert!(!clock.has_flushed(stored));
        clock.advance(Seconds(31));
        assert!(clock.has_flushed(stored));
    }
}
