//! A sequence: readers of memory that is being changed find out that it was (a seqlock without a lock).
//!
//! ```text
//! writer (one at a time)                        reader (any number)
//!   begin_change   sequence = odd                 begin      sequence even?  ----- else: try again, or ask
//!                  change, word by word                      read, word by word
//!   end_change     sequence = even (release)      is_same    (acquire fence) sequence as before? else: forget it
//! ```
//!
//! All that both sides touch is read and written by atomic accesses of the same words; those of readers may be relaxed,
//! those of writers are releases or follow a release fence. Two chains of reasons:
//!
//! - What was written before `end_change` is seen by a reader whose `begin` has seen that end: release and acquire.
//! - A reader that has seen one word of a later change sees in `is_same` that the change has begun: each word is written by a
//!   release after the sequence became odd, and the fence makes the reader's relaxed read of that word an acquire.
//!   So this also holds for memory that was taken out of what the sequence guards and is used again, without another
//!   change of the sequence, on whichever thread.
//!
//! It counts in 64 bits: it does not come round while a reader is held up.

use crate::sync::{AtomicU64, Ordering, fence};

/// The sequence of one thing that one thread changes and others read: odd while it changes.
#[derive(Debug)]
pub struct Sequence(AtomicU64);

/// What a sequence was when a read began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun(u64);

impl Sequence {
    /// Nothing is being changed.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A change begins; false if one is under way already, which is then to be ended by whoever began it.
    ///
    /// Only one thread at a time changes what the sequence guards.
    #[inline]
    pub fn begin_change(&self) -> bool {
        let now = self.0.load(Ordering::Relaxed);
        if now % 2 == 1 {
            return false;
        }
        self.0.store(now + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        true
    }

    /// The change ends for which [`Self::begin_change`] has returned true.
    #[inline]
    pub fn end_change(&self) {
        let now = self.0.load(Ordering::Relaxed);
        debug_assert_eq!(now % 2, 1, "a change that never began");
        self.0.store(now + 1, Ordering::Release);
    }

    /// A read begins; `None` while something is being changed.
    #[inline]
    pub fn begin(&self) -> Option<Begun> {
        let now = self.0.load(Ordering::Acquire);
        now.is_multiple_of(2).then_some(Begun(now))
    }

    /// Whether all that was read since `begun` is of one time: nothing was changed meanwhile.
    #[inline]
    pub fn is_same(&self, begun: Begun) -> bool {
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == begun.0
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}
