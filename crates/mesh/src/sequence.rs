//! A sequence: readers of memory that is being changed find out that it was (a seqlock without a lock).
//!
//! ```text
//! writer (one at a time)                        reader (any number)
//!   begin_change   sequence = odd                 begin      sequence even?  ----- else: try again, or ask
//!                  change, word by word                      read, word by word
//!   end_change     sequence = even (release)      is_same    (acquire fence) sequence as before? else: forget it
//! ```
//!
//! All memory that both sides touch is read and written by atomic accesses of the same words. Readers may read relaxed;
//! writes are releases or follow a release fence. Two arguments show that this suffices:
//!
//! - A reader whose `begin` has seen the end of a change sees all that was written before `end_change`: release and
//!   acquire.
//! - A reader that has seen one word of a later change sees in `is_same` that the change has begun: each word is
//!   written by a release after the sequence became odd, and the fence makes the reader's relaxed read of that word an
//!   acquire. So this also holds for memory that was taken out of what the sequence guards and is used again, without
//!   another change of the sequence, on whichever thread.
//!
//! A sequence has 64 bits: it does not wrap around while a reader is held up.

use crate::step;
use crate::sync::{AtomicU64, Ordering, fence};

/// The sequence of some memory that one thread changes and others read. It is odd while the memory changes.
#[derive(Debug)]
pub struct Sequence(AtomicU64);

/// The state of a sequence when a read began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun(u64);

impl Sequence {
    /// A sequence of memory that is not being changed.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Begins a change. False if a change is under way already: then the caller that began that change ends it.
    ///
    /// Only one thread at a time changes what the sequence guards.
    #[inline]
    pub fn begin_change(&self) -> bool {
        step::point();
        let now = self.0.load(Ordering::Relaxed);
        if now % 2 == 1 {
            return false;
        }
        self.0.store(now + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        step::point();
        true
    }

    /// Ends the change for which [`Self::begin_change`] has returned true.
    #[inline]
    pub fn end_change(&self) {
        step::point();
        let now = self.0.load(Ordering::Relaxed);
        debug_assert_eq!(now % 2, 1, "a change that never began");
        self.0.store(now + 1, Ordering::Release);
    }

    /// Begins a read; `None` while a change is under way.
    #[inline]
    pub fn begin(&self) -> Option<Begun> {
        step::point();
        let now = self.0.load(Ordering::Acquire);
        now.is_multiple_of(2).then_some(Begun(now))
    }

    /// Whether everything read since `begun` is of one time: no change has begun meanwhile.
    #[inline]
    pub fn is_same(&self, begun: Begun) -> bool {
        step::point();
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == begun.0
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}
