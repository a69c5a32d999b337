//! Time as the engine sees it, and which items a `flush_all` has killed.
//!
//! Accesses are not stamped with a second but with a count of their own, which advances with every second and with
//! every flush:
//!
//! ```text
//! second    10      11   11         11         12
//! stamp     40      41   | 42       | 43       44        flushes (|) take a stamp each
//!                        flushed: all up to 41, then all up to 42
//! ```
//!
//! So an item that is stored after a flush has a later stamp than the items that the flush has killed, even within the
//! same second. Every live item was accessed since the last flush, and since then a stamp is a second: the difference
//! of stamps is an age. No flush walks over the items.
//!
//! An item has room for the last 24 bits of its stamp. [`Engine::sweep`](crate::engine::Engine::sweep) sees to it that
//! this is enough: a walk that looks at every item removes dead items and moves stamps that are older than [`AGE_MAX`]
//! up to that age. Stamps may run on for [`STAMPS_MAX`] after such a walk has begun, so two items never differ by the
//! modulus or more, whatever happens to the time:
//!
//! ```text
//! renewed          due                 time stops           end          renewed + modulus - AGE_MAX
//!    |--------------|-------------------|....................|
//!    0            2^22               3 * 2^21               2^23 stamps since the last such walk began
//!                   maintain walks, too   for flushes only:   a flush ends the walk itself
//!                                         each walks a bit
//! ```
//!
//! Where time stops (a jump by more than 72 days before any walk could end), ages grow no further, and nothing else is
//! wrong.

use serde::{Deserialize, Serialize};

use crate::item::ACCESS_MODULUS;
use crate::types::Seconds;

/// The largest age in stamps (97 days). An item that was not used for longer seems to have this age.
pub(crate) const AGE_MAX: u32 = ACCESS_MODULUS / 2;
/// Number of stamps from the beginning of a walk over all items within which the next such walk has to end.
const STAMPS_MAX: u64 = (ACCESS_MODULUS - AGE_MAX) as u64;
/// The next walk over all items begins after so many stamps.
const WALK_DUE: u64 = STAMPS_MAX / 2;
/// The part of [`STAMPS_MAX`] that time may use. The rest is for flushes.
const STAMPS_OF_TIME: u64 = STAMPS_MAX / 4 * 3;

/// The time that the engine was told, the stamps of accesses, and which of them a flush has killed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The latest time given.
    now: u32,
    /// The stamp of an access at present.
    stamp: u64,
    /// The stamp when the last walk that has looked at everything began.
    renewed: u64,
    /// Whether an item was linked since the latest flush.
    has_linked: bool,
    /// Stamp of the latest flush, until a sweep has removed all that it killed.
    flushed: Option<u64>,
    /// When a delayed flush takes effect.
    pending: Option<u32>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            stamp: 0,
            renewed: 0,
            has_linked: false,
            flushed: None,
            pending: None,
        }
    }

    /// Moves time forward; it never goes back.
    #[inline]
    pub(crate) fn advance(&mut self, now: Seconds) {
        if now.0 > self.now {
            self.pass(now.0);
        }
    }

    #[cold]
    fn pass(&mut self, now: u32) {
        let seconds = u64::from(now - self.now);
        self.now = now;
        if self.pending.is_some_and(|at| at <= now) {
            self.pending = None;
            // Every item that exists was accessed before this second.
            self.flush_now();
        }
        let latest = self.renewed + STAMPS_OF_TIME;
        self.stamp = (self.stamp + seconds).min(latest).max(self.stamp);
    }

    /// The latest time that the engine was told.
    #[inline]
    pub(crate) fn now(&self) -> Seconds {
        Seconds(self.now)
    }

    /// The stamp of an access at present, in the bits that an item has room for.
    #[inline]
    pub(crate) fn stamp(&self) -> u32 {
        self.stamp as u32 % ACCESS_MODULUS
    }

    /// The stamp of an item that is being linked.
    #[inline]
    pub(crate) fn stamp_of_new(&mut self) -> u32 {
        self.has_linked = true;
        self.stamp()
    }

    /// The number of stamps since an access.
    #[inline]
    fn distance(&self, last_access: u32) -> u32 {
        (self.stamp as u32).wrapping_sub(last_access) % ACCESS_MODULUS
    }

    /// Seconds since the last access of an item; an upper bound if a flush has killed the item.
    #[inline]
    pub(crate) fn age(&self, last_access: u32) -> u32 {
        self.distance(last_access)
    }

    /// The stamp for an item that a walk looks at or that is moved: the present stamp of the item, but no older than
    /// [`AGE_MAX`].
    #[inline]
    pub(crate) fn renewed(&self, last_access: u32) -> u32 {
        if self.distance(last_access) <= AGE_MAX {
            return last_access;
        }
        (self.stamp as u32).wrapping_sub(AGE_MAX) % ACCESS_MODULUS
    }

    /// `flush_all`: takes effect now, or at a later time. A delayed flush replaces a pending one.
    pub(crate) fn flush(&mut self, at: Option<Seconds>) {
        match at {
            Some(at) if at.0 > self.now => self.pending = Some(at.0),
            _ => {
                self.pending = None;
                self.flush_now();
            }
        }
    }

    /// A flush takes a stamp only if an item was linked since the latest flush: otherwise all items are dead already.
    fn flush_now(&mut self) {
        if std::mem::take(&mut self.has_linked) {
            self.flushed = Some(self.stamp);
            self.stamp += 1;
        }
    }

    /// Whether a flush has killed the item with this last access.
    #[inline]
    pub(crate) fn has_flushed(&self, last_access: u32) -> bool {
        self.flushed
            .is_some_and(|stamp| u64::from(self.distance(last_access)) >= self.stamp - stamp)
    }

    /// Stamp of the latest flush, as long as items that it has killed may still be in memory.
    pub(crate) fn flushed(&self) -> Option<u64> {
        self.flushed
    }

    /// The number of stamps since the latest flush, as long as items that it has killed may still be in memory.
    pub(crate) fn since_flush(&self) -> Option<u32> {
        self.flushed.map(|flushed| (self.stamp - flushed) as u32)
    }

    /// When the pending flush takes effect, if there is one.
    pub(crate) fn pending(&self) -> Option<u32> {
        self.pending
    }

    /// Notes that a walk over all items has ended. `flushed` and `began` are the latest flush and the stamp at the
    /// beginning of the walk.
    pub(crate) fn end_walk(&mut self, flushed: Option<u64>, began: u64) {
        self.renewed = began;
        if self.flushed == flushed {
            self.flushed = None;
        }
    }

    /// The present stamp, which a walk that begins now has to give back to [`Self::end_walk`].
    pub(crate) fn walk_begins(&self) -> u64 {
        self.stamp
    }

    /// Whether a walk that begins now has to look at every item.
    pub(crate) fn is_walk_due(&self) -> bool {
        self.flushed.is_some() || self.needs_walk()
    }

    /// Whether a walk over everything has to end before stamps are used up.
    #[inline]
    pub(crate) fn needs_walk(&self) -> bool {
        self.stamp - self.renewed >= WALK_DUE
    }

    /// Whether time has no stamps left: only flushes take the rest.
    pub(crate) fn is_scarce(&self) -> bool {
        self.stamp - self.renewed >= STAMPS_OF_TIME
    }

    /// Whether there is no stamp left for the next flush.
    pub(crate) fn is_used_up(&self) -> bool {
        self.stamp - self.renewed >= STAMPS_MAX - 1
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
        let before = clock.stamp_of_new();
        clock.flush(None);
        let between = clock.stamp_of_new();
        assert!(clock.has_flushed(before) && !clock.has_flushed(between));
        clock.flush(None);
        let after = clock.stamp_of_new();
        assert!(clock.has_flushed(between) && !clock.has_flushed(after));
        clock.advance(Seconds(50));
        assert!(clock.has_flushed(between) && !clock.has_flushed(after));
        assert_eq!(clock.age(after), 40);
        assert!(!clock.has_flushed(clock.stamp()));
    }

    #[test]
    fn a_delayed_flush_kills_what_came_before_its_second() {
        let mut clock = at(10);
        clock.flush(Some(Seconds(20)));
        clock.advance(Seconds(19));
        let before = clock.stamp_of_new();
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
        let stored = clock.stamp_of_new();
        assert!(!clock.has_flushed(stored));
        clock.advance(Seconds(31));
        assert!(clock.has_flushed(stored));
        let stored = clock.stamp_of_new();
        clock.flush(Some(Seconds(60)));
        clock.flush(None);
        assert!(clock.has_flushed(stored));
        let stored = clock.stamp_of_new();
        clock.advance(Seconds(100));
        assert!(!clock.has_flushed(stored), "the pending flush was replaced");
    }

    #[test]
    fn flushes_of_nothing_take_no_stamps() {
        let mut clock = at(10);
        let stored = clock.stamp_of_new();
        for _ in 0..20_000 {
            clock.flush(None);
        }
        assert!(clock.has_flushed(stored));
        assert_eq!(clock.stamp, 11);
    }

    #[test]
    fn whatever_time_does_stamps_differ_by_less_than_the_modulus() {
        let mut clock = at(10);
        let stored = clock.stamp_of_new();
        clock.flush(None);
        for now in [ACCESS_MODULUS, ACCESS_MODULUS * 2 + 10, u32::MAX] {
            clock.advance(Seconds(now));
            assert!(clock.has_flushed(stored), "at {now}");
            let fresh = clock.stamp();
            assert!(!clock.has_flushed(fresh) && clock.age(fresh) == 0);
        }
        assert!(clock.is_scarce() && !clock.is_used_up());
        let (flushed, began) = (clock.flushed(), clock.walk_begins());
        clock.end_walk(flushed, began);
        assert!(!clock.needs_walk() && clock.flushed().is_none());
    }
}
