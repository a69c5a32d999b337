//! A reader's doorstep: whether anything was left there since it last looked, and whether it sleeps.
//!
//! ```text
//!        reader (one)                              sender (any number)
//!        try_sleep   asleep = true                 push to its queue
//!                    ---- full fence ----          notify   has_mail = true (read-modify-write)
//!                    has_mail? then not asleep              ---- full fence ----
//!        sleep until rung                                   asleep? then ring
//!        end_sleep   asleep = false
//!        awake       asleep = false
//!                    take has_mail
//!        look at the queues
//! ```
//!
//! A reader with many queues need not look at all of them before it sleeps: the flag stands for them. So the flag is
//! taken right before the queues are looked at, and never otherwise: a reader that wakes and may sleep again before it
//! has looked calls `end_sleep` first, and `awake` later.

use crate::bell::Bell;
use crate::step;
use crate::sync::{AtomicBool, Ordering};

/// Says whether the reader of some queues sleeps, and whether anything was pushed. One reader, any number of senders.
///
/// ```
/// let door = corecached_mesh::Doorstep::new();
/// assert!(door.try_sleep()); // the reader, which then sleeps
/// assert!(door.notify()); // a sender that has pushed: it rings
/// door.awake(); // the reader, which now looks at its queues
/// assert!(!door.notify()); // it will look again
/// assert!(!door.try_sleep());
/// ```
#[derive(Debug, Default)]
pub struct Doorstep {
    bell: Bell,
    has_mail: AtomicBool,
}

impl Doorstep {
    /// The doorstep of a reader that is awake.
    pub fn new() -> Self {
        Self {
            bell: Bell::new(),
            has_mail: AtomicBool::new(false),
        }
    }

    /// Sender, after its push: returns whether the reader sleeps, so that the caller has to ring.
    #[must_use = "whoever gets true must ring, or the reader sleeps on"]
    pub fn notify(&self) -> bool {
        step::point();
        // Not a store: the reader takes the flag once for all that have set it, and has to see the pushes of all. A
        // store of one sender would hide what another one has released.
        self.has_mail.swap(true, Ordering::Release);
        self.bell.needs_ring()
    }

    /// Reader: announces that it goes to sleep. Returns `false` if something was pushed since the last call of
    /// [`awake`](Self::awake): then it does not sleep.
    pub fn try_sleep(&self) -> bool {
        self.bell.announce_sleep();
        let sleeps = !self.has_mail.load(Ordering::Relaxed);
        if !sleeps {
            self.bell.awake();
        }
        sleeps
    }

    /// Reader: it no longer sleeps, and may sleep again before it looks at its queues; what was pushed keeps it from
    /// that.
    pub fn end_sleep(&self) {
        self.bell.awake();
    }

    /// Reader: it is awake, and looks at its queues after this call and before it sleeps.
    pub fn awake(&self) {
        self.bell.awake();
        step::point();
        if self.has_mail.load(Ordering::Relaxed) {
            // Acquires what senders pushed before they set the flag; a flag set later stays for the next `try_sleep`.
            self.has_mail.swap(false, Ordering::Acquire);
        }
    }

    /// Whether the reader has announced that it sleeps and nobody has rung since. For reports.
    pub fn is_asleep(&self) -> bool {
        self.bell.is_asleep()
    }

    /// Whether anything was pushed since the reader last looked. For reports.
    pub fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_the_reader_wakes_keeps_it_from_sleeping() {
        let door = Doorstep::new();
        assert!(door.try_sleep());
        assert!(door.notify(), "it sleeps");
        door.end_sleep();
        assert!(!door.notify(), "it is awake");
        assert!(!door.try_sleep(), "it has not looked");
        assert!(!door.try_sleep(), "it has still not looked");
        door.awake();
        assert!(door.try_sleep());
    }
}
