//! Doorbells of peers that could not be rung.
//!
//! ```text
//!   ring --> the kernel has no memory --> waits for the end of the window --> ring ...
//!        \-> the peer is gone         --> forgotten
//! ```
//!
//! A ring that fails does so at once: rung again in each turn, the bell would keep the thread awake for as long as the
//! shortage lasts. So it waits for the end of the window. It is never forgotten, since the peer may sleep, and nobody
//! else rings it: a reactor does not park before all bells are rung.
//!
//! The kernel is told the number of the peer's descriptor, now and with the next attempt. That number does not become
//! another file's: it is of a descriptor that belongs to the peer's [`DoorbellTarget`](crate::DoorbellTarget) alone,
//! and the reactor keeps it open from the first ring on.

use std::os::fd::RawFd;

use crate::driver::Driver;

/// The peers that are to be rung again.
#[derive(Debug, Default)]
pub(crate) struct Doorbells {
    /// Each peer once, so there are no more than peers.
    unrung: Vec<RawFd>,
}

impl Doorbells {
    /// A peer could not be rung, for this reason. An error that is no lack of memory says that the peer is gone.
    #[cold]
    pub(crate) fn failed(&mut self, peer: RawFd, errno: i32) {
        let may_pass = matches!(errno, libc::ENOMEM | libc::EAGAIN | libc::EOVERFLOW);
        if may_pass && !self.unrung.contains(&peer) {
            self.unrung.push(peer);
        }
    }

    /// Rings with the next turn what could not be rung.
    #[inline]
    pub(crate) fn ring_again(&mut self, driver: &mut Driver) {
        for peer in self.unrung.drain(..) {
            driver.ring_bell(peer);
        }
    }

    /// Whether no bell has still to be rung.
    pub(crate) fn are_rung(&self) -> bool {
        self.unrung.is_empty()
    }
}
