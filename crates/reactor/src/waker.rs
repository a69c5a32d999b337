//! How other threads get a reactor's attention.

use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

use crate::descriptor;

/// Wakes a reactor from any thread, which then reports [`crate::Event::Wake`]. For the control plane: shards among
/// themselves use [`crate::Reactor::doorbell`], which needs no system call of its own.
#[derive(Clone, Debug)]
pub struct Waker {
    /// The end of a pipe whose other end the reactor reads.
    pub(crate) pipe: Arc<OwnedFd>,
}

impl Waker {
    /// Makes the reactor report a wake, soon and at least once after this call.
    pub fn wake(&self) {
        descriptor::signal(&self.pipe);
    }
}

/// The ring of a reactor, as its peers address it. It must not be rung after that reactor is dropped: its descriptor
/// may by then belong to another ring.
#[derive(Clone, Copy, Debug)]
pub struct DoorbellTarget {
    pub(crate) ring: RawFd,
}
