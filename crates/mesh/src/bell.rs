//! The doorbell question: "I pushed something; does its reader sleep, and must I wake it?"
//!
//! The reader announces that it goes to sleep, looks at its queues once more, and sleeps. The sender pushes and then
//! asks. Each side writes first and reads second, so at least one of them sees the other (Dekker's pattern):
//!
//! ```text
//!        reader (one)                           sender (any number)
//!        asleep = true                          push to the queue
//!        ---- full fence ----                   ---- full fence ----
//!        look at the queues                     read asleep
//!          something: awake(), work               false: done, the reader will look again
//!          nothing:   sleep                       true:  CAS to false; whoever succeeds rings
//! ```
//!
//! Without the fences both could read the old value, and the push would sit there until the next doorbell. The ring
//! itself (an `IORING_OP_MSG_RING`, an eventfd) is the caller's; it must wake a reader that is only about to sleep.

use crate::pad::Padded;
use crate::step;
use crate::sync::{AtomicBool, Ordering, fence};

/// Says whether the reader of some queues sleeps. One reader, any number of senders.
///
/// ```
/// let bell = corecached_mesh::Bell::new();
/// bell.announce_sleep(); // the reader; it now looks at its queues a last time
/// assert!(bell.needs_ring()); // a sender that pushed: it rings
/// assert!(!bell.needs_ring()); // another one: the reader is being woken already
/// ```
#[derive(Debug)]
pub struct Bell {
    asleep: Padded<AtomicBool>,
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

impl Bell {
    /// A bell whose reader is awake.
    pub fn new() -> Self {
        Self {
            asleep: Padded(AtomicBool::new(false)),
        }
    }

    /// Reader: "I am about to sleep." Afterwards it must look at its queues once more and sleep only if all are empty;
    /// if one is not, it calls [`awake`](Self::awake) and goes on.
    pub fn announce_sleep(&self) {
        step::point();
        self.asleep.store(true, Ordering::Relaxed);
        step::point();
        // Orders the store above before the reader's last look at its queues; pairs with the fence in `needs_ring`.
        fence(Ordering::SeqCst);
    }

    /// Reader: "I am awake and will look at my queues before I sleep again." Called when it wakes, for whatever reason.
    pub fn awake(&self) {
        step::point();
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Whether the reader has announced that it sleeps and nobody has rung since. For reports.
    pub fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Sender, after its push: must I ring? True for at most one sender per announced sleep; that one has to ring.
    ///
    /// A ring may still come to a reader that found something at its last look: rings must be harmless when awake.
    #[must_use = "whoever gets true must ring, or the reader sleeps on"]
    pub fn needs_ring(&self) -> bool {
        // Orders the caller's push before the load below; pairs with the fence in `announce_sleep`.
        fence(Ordering::SeqCst);
        step::point();
        // The load keeps senders to an awake reader from taking the cache line from it.
        self.asleep.load(Ordering::Relaxed)
            && self
                .asleep
                .compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}
