//! The drivers, which move the bytes: an io_uring, or epoll where io_uring is not available.
//!
//! ```text
//!                     operations                              completions
//!   reactor  --- recv, send, accept, poll, ... ---> Driver ---------------------> reactor
//!                                                    |
//!                              Ring: the kernel executes them in io_uring_enter
//!                              Epoll: the driver executes them when epoll_wait says that they can be
//! ```
//!
//! Both drivers take the same operations and report the same completions, so the code for connections and for the ends
//! of sends is written once, above them. An operation costs one branch, no call through a table.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

use crate::config::{Io, ReactorConfig, Window};
use crate::epoll::Epoll;
use crate::operation::{Completion, SendEntry, Wait};
use crate::probe::{self, Features};
use crate::ring::Ring;
use crate::start_error::StartError;
use crate::user_data::UserData;
use crate::waker::{DoorbellTarget, Waker};

/// The driver of a reactor; both kinds take the same operations.
pub(crate) enum Driver {
    Ring(Ring),
    Epoll(Epoll),
}

/// Hands an operation to whichever driver the reactor has.
macro_rules! either {
    ($self:expr, $driver:ident => $work:expr) => {
        match $self {
            Driver::Ring($driver) => $work,
            Driver::Epoll($driver) => $work,
        }
    };
}

impl Driver {
    /// Sets the driver of `config` up for the calling thread.
    pub(crate) fn new(config: &ReactorConfig) -> Result<(Driver, Features), StartError> {
        match config.io {
            Io::Uring => {
                let features = probe::features()?;
                let ring = Ring::new(config, &features).map_err(probe::explain)?;
                Ok((Driver::Ring(ring), features))
            }
            Io::Epoll => {
                let epoll = Epoll::new(config).map_err(StartError::io("set up epoll"))?;
                Ok((Driver::Epoll(epoll), Features::of_epoll()))
            }
        }
    }

    /// Accepts connections until the operation fails or is cancelled.
    pub(crate) fn accept(&mut self, listener: RawFd, user_data: UserData) {
        either!(self, driver => driver.accept(listener, user_data));
    }

    /// Receives into buffers of [`RECV_GROUP`](crate::operation::RECV_GROUP) until the operation fails or is cancelled.
    pub(crate) fn recv(&mut self, fd: RawFd, user_data: UserData) {
        either!(self, driver => driver.recv(fd, user_data));
    }

    /// Completes once when there is something to read from `fd`, which may be the end of the stream.
    pub(crate) fn poll(&mut self, fd: RawFd, user_data: UserData) {
        either!(self, driver => driver.poll(fd, user_data));
    }

    /// Receives datagrams with the addresses of their senders into buffers of
    /// [`DATAGRAM_GROUP`](crate::operation::DATAGRAM_GROUP).
    pub(crate) fn recv_datagrams(&mut self, fd: RawFd, user_data: UserData) {
        either!(self, driver => driver.recv_datagrams(fd, user_data));
    }

    /// Cancels the operation on `fd` submitted as `target`; the last completion of that operation follows.
    pub(crate) fn cancel(&mut self, fd: RawFd, target: UserData) {
        match self {
            Driver::Ring(ring) => ring.cancel(target),
            Driver::Epoll(epoll) => epoll.cancel(fd, target),
        }
    }

    /// Closes a descriptor the caller owns and hands over.
    pub(crate) fn close(&mut self, fd: OwnedFd) {
        either!(self, driver => driver.close(fd));
    }

    /// Rings the peer with this descriptor, which has the same kind of driver. A failure completes as
    /// [`UserData::ring`].
    pub(crate) fn ring_bell(&mut self, peer: RawFd) {
        match self {
            Driver::Ring(ring) => ring.message(peer, UserData::DOORBELL),
            Driver::Epoll(epoll) => epoll.ring_bell(peer),
        }
    }

    /// Starts the timer of the warm window.
    pub(crate) fn start_window(&mut self, window: Window) {
        either!(self, driver => driver.start_window(window));
    }

    /// Removes the timer of the warm window; its last completion follows.
    pub(crate) fn stop_window(&mut self) {
        either!(self, driver => driver.stop_window());
    }

    /// Completes once after the pause that follows a failed accept.
    pub(crate) fn start_accept_retry(&mut self, user_data: UserData) {
        either!(self, driver => driver.start_accept_retry(user_data));
    }

    /// Queues a send for the next `enter`.
    ///
    /// # Safety
    /// The memory that the entry points to stays valid until the completion of the send. With `skips_success` the
    /// promise also ends with an `enter` that brought no completion of the send and after which
    /// [`Driver::is_submitted`] holds, asked before anything else is queued.
    pub(crate) unsafe fn send(&mut self, entry: SendEntry) {
        // SAFETY: the caller's promise.
        either!(self, driver => unsafe { driver.send(entry) });
    }

    /// The waker by which other threads wake the reactor; a wake completes as [`UserData::WAKE`].
    pub(crate) fn waker(&mut self) -> io::Result<Waker> {
        match self {
            Driver::Ring(ring) => ring.open_waker(),
            Driver::Epoll(epoll) => Ok(epoll.waker()),
        }
    }

    /// A wake has been looked at; the next one is waited for.
    pub(crate) fn rearm_waker(&mut self) {
        match self {
            Driver::Ring(ring) => ring.read_wake(),
            Driver::Epoll(_) => {}
        }
    }

    /// The target by which peers ring; a ring completes as [`UserData::DOORBELL`].
    pub(crate) fn doorbell_target(&self) -> io::Result<DoorbellTarget> {
        match self {
            Driver::Ring(ring) => ring.doorbell_target(),
            Driver::Epoll(epoll) => Ok(DoorbellTarget(Arc::clone(epoll.bell()))),
        }
    }

    /// Submits everything and waits as `wait` says. An interruption or a passing lack of resources is no error: the
    /// caller calls again.
    pub(crate) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        either!(self, driver => driver.enter(wait))
    }

    /// True when every operation queued so far has been taken.
    pub(crate) fn is_submitted(&mut self) -> bool {
        either!(self, driver => driver.is_submitted())
    }

    /// True when there are completions that only another `enter` brings, without anything new happening.
    pub(crate) fn has_deferred(&mut self) -> bool {
        either!(self, driver => driver.has_deferred())
    }

    /// True when an `enter` that does not sleep would do nothing.
    pub(crate) fn has_nothing_to_enter_for(&mut self) -> bool {
        match self {
            Driver::Ring(ring) => ring.has_nothing_to_enter_for(),
            // Epoll knows what has come only once it has asked the kernel.
            Driver::Epoll(_) => false,
        }
    }

    /// True when completions did not fit the queue.
    pub(crate) fn has_overflow(&mut self) -> bool {
        match self {
            Driver::Ring(ring) => ring.has_overflow(),
            Driver::Epoll(_) => false,
        }
    }

    /// Appends the available completions to `into`.
    pub(crate) fn take_completions(&mut self, into: &mut Vec<Completion>) {
        match self {
            Driver::Ring(ring) => into.extend(ring.completions().map(|completion| Completion {
                user_data: UserData(completion.user_data()),
                result: completion.result(),
                flags: completion.flags(),
            })),
            Driver::Epoll(epoll) => epoll.take_completions(into),
        }
    }
}
