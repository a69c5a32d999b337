//! The worth of one page more, or less: the time until its next hit.
//!
//! **A page that was not used for `age`, in a shard whose items are hit once in `interval`, is hit next in `interval +
//! age`.** That is the mean of a Poisson process whose rate was exponentially distributed about one in `interval`, and
//! which has shown nothing for `age`. For the shard that lacks memory, the age is the one at which its items go, its
//! turnover; for the other shards it is the age of their oldest pages, or their turnover if that is shorter. An item
//! that has not been asked for yet may still be: no interval counts as more than 16 ages.
//!
//! So shards that are used alike exchange nothing. A shard whose items are read keeps them, though it evicts nothing.
//! Items that are stored and never asked for, as by a scan, take nothing from items that are asked for; and items that
//! nobody asks for any more go at once. Free and dead memory is the oldest of all.

/// A page is taken only where its next hit comes this many times later: a smaller difference may be chance.
pub(super) const LATER: f64 = 1.5;
/// An item is expected to be hit once in at most this many times its age.
const UNSEEN: f64 = 16.0;

/// The need of a shard that is short of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Want {
    /// The number of pages that it lacks.
    pub(super) pages: f64,
    /// Pages are taken only from a shard whose next hit is at least this many milliseconds away. Infinite: only pages
    /// that hold nothing may be taken. Zero: there was not even anything to evict.
    pub(super) next_hit_ms: f64,
}

impl Want {
    /// Whether there was not even anything to evict.
    pub(super) fn is_refused(&self) -> bool {
        self.next_hit_ms == 0.0
    }

    /// Milliseconds for which a page must have been idle in a shard where an item is hit once in `hit_interval_ms`.
    pub(super) fn idle_ms(&self, hit_interval_ms: f64) -> u64 {
        let unseen = self.next_hit_ms / (1.0 + UNSEEN);
        // Infinity becomes the age of free pages.
        unseen.max(self.next_hit_ms - hit_interval_ms).max(1.0) as u64
    }

    /// The part of a lacking page that one page counts for, if its next hit is in `next_hit_ms`. It is 1 if the page is
    /// never hit; it grows without bound as the next hit comes down to the smallest that is allowed, so that no further
    /// page is lacked.
    pub(super) fn price(&self, next_hit_ms: f64) -> f64 {
        match self.next_hit_ms.is_finite() {
            true => next_hit_ms / (next_hit_ms - self.next_hit_ms),
            false => 1.0,
        }
    }
}

/// Milliseconds until an item of this age is hit next.
pub(super) fn next_hit_ms(hit_interval_ms: f64, age_ms: u64) -> f64 {
    let age_ms = age_ms as f64;
    age_ms + hit_interval_ms.min(UNSEEN * age_ms)
}
