//! Wakers and doorbells: how other threads get a reactor's attention.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::descriptor;

/// Wakes a reactor from any thread; the reactor then reports [`crate::Event::Wake`]. For the control plane: shards
/// among themselves use [`crate::Reactor::doorbell`], which needs no system call of its own.
#[derive(Clone, Debug)]
pub struct Waker {
    /// The descriptor that a wake writes to: a pipe whose other end a ring reads, or an eventfd that epoll watches.
    pub(crate) signal: Arc<OwnedFd>,
}

impl Waker {
    /// Makes the reactor report [`crate::Event::Wake`] soon, and at least once after this call.
    pub fn wake(&self) {
        descriptor::signal(self.signal.as_raw_fd());
    }
}

/// A reactor, as its peers ring it: its ring, or an eventfd that its epoll watches. The kernel is told a descriptor's
/// number, which must not become that of another file: so this is a descriptor of its own, and every reactor that has
/// rung it keeps it open. A ring has no effect once the reactor is gone.
#[derive(Clone, Debug)]
pub struct DoorbellTarget(pub(crate) Arc<OwnedFd>);
