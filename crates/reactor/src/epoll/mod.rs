//! The driver for machines where io_uring is not available: epoll reports which operations can be done, and the driver
//! does them.
//!
//! ```text
//!   enter:   operations of the last tick, in order:   sends .......... tried at once; what is left waits for room
//!                                                     receives, polls  noted, and the kernel asked to tell
//!            what was not read to the end the last time
//!            epoll_wait: sleeps if nothing has completed
//!            whatever it tells is read, sent, accepted ---> completions
//! ```
//!
//! So a turn reads all sockets that are ready, and the next one sends all replies: a request costs one read and one
//! send, and its part of one wait. A send that fits its socket is done when its call returns and completes nothing, as
//! with a ring.
//!
//! The driver stands in for the kernel's side of a ring: buffers are lent to the driver (`supply`), the memory of a
//! send is read until the send completes, doorbells and wakes are eventfds, the warm window is a timerfd. The eventfds
//! are watched edge-triggered, so that they need not be read.

mod calls;
mod read;
mod send;
mod supply;
mod timers;
mod watch;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::config::{ReactorConfig, Window};
use crate::offer::Offer;
use crate::operation::{Completion, SendEntry, Wait};
use crate::patience::Patience;
use crate::user_data::UserData;
use crate::waker::Waker;
use supply::Supply;
use timers::Timers;
use watch::{Ask, EDGE, IN, READABLE, Reading, SPECIAL, WRITABLE, Watches};

/// The most events that one wait brings; the others come with the next wait.
const EVENTS_MAX: usize = 256;

/// Names of descriptors that are the driver's own; all other descriptors are named by their indexes.
const WINDOW: u64 = u64::MAX;
const RETRY: u64 = u64::MAX - 1;
const WAKE: u64 = u64::MAX - 2;
const BELL: u64 = u64::MAX - 3;

/// An operation that was queued for `enter`.
enum Operation {
    Read(RawFd, Reading, UserData),
    Cancel(RawFd, UserData),
    Close(OwnedFd),
    Ring(RawFd),
    StartWindow(Window),
    StopWindow,
    Retry(UserData),
    Send(SendEntry),
}

/// The epoll driver of one reactor. It belongs to one thread.
pub(crate) struct Epoll {
    epoll: OwnedFd,
    watches: Watches,
    supplies: [Supply; 2],
    operations: Vec<Operation>,
    completions: Vec<Completion>,
    /// The events of the last wait; kept for their memory.
    events: Vec<libc::epoll_event>,
    /// Descriptors that were not read to the end.
    listed: Vec<usize>,
    timers: Timers,
    wake: Arc<OwnedFd>,
    bell: Arc<OwnedFd>,
    patience: Patience,
}

impl Epoll {
    /// Sets the driver up.
    pub(crate) fn new(config: &ReactorConfig) -> io::Result<Epoll> {
        let epoll = calls::create()?;
        let timers = Timers::new(config)?;
        let (wake, bell) = (calls::counter()?, calls::counter()?);
        let (window, retry) = (&timers.window, &timers.retry);
        for (fd, name) in [
            (window, WINDOW),
            (retry, RETRY),
            (&wake, WAKE),
            (&bell, BELL),
        ] {
            calls::control(&epoll, libc::EPOLL_CTL_ADD, fd.as_raw_fd(), IN | EDGE, name)
                .map_err(io::Error::from_raw_os_error)?;
        }
        Ok(Epoll {
            epoll,
            watches: Watches::default(),
            supplies: Default::default(),
            operations: Vec::new(),
            completions: Vec::new(),
            events: Vec::with_capacity(EVENTS_MAX),
            listed: Vec::new(),
            timers,
            wake: Arc::new(wake),
            bell: Arc::new(bell),
            patience: Patience::default(),
        })
    }

    pub(crate) fn accept(&mut self, listener: RawFd, user_data: UserData) {
        calls::set_nonblocking(listener);
        self.push(Operation::Read(listener, Reading::Accept, user_data));
    }

    pub(crate) fn recv(&mut self, fd: RawFd, user_data: UserData) {
        self.push(Operation::Read(fd, Reading::Stream, user_data));
    }

    pub(crate) fn poll(&mut self, fd: RawFd, user_data: UserData) {
        self.push(Operation::Read(fd, Reading::Poll, user_data));
    }

    pub(crate) fn recv_datagrams(&mut self, fd: RawFd, user_data: UserData) {
        self.push(Operation::Read(fd, Reading::Datagrams, user_data));
    }

    pub(crate) fn cancel(&mut self, fd: RawFd, target: UserData) {
        self.push(Operation::Cancel(fd, target));
    }

    pub(crate) fn close(&mut self, fd: OwnedFd) {
        self.push(Operation::Close(fd));
    }

    pub(crate) fn ring_bell(&mut self, peer: RawFd) {
        self.push(Operation::Ring(peer));
    }

    pub(crate) fn start_window(&mut self, window: Window) {
        self.push(Operation::StartWindow(window));
    }

    pub(crate) fn stop_window(&mut self) {
        self.push(Operation::StopWindow);
    }

    pub(crate) fn start_accept_retry(&mut self, user_data: UserData) {
        self.push(Operation::Retry(user_data));
    }

    /// Queues a send.
    ///
    /// # Safety
    /// As [`crate::driver::Driver::send`].
    pub(crate) unsafe fn send(&mut self, entry: SendEntry) {
        self.push(Operation::Send(entry));
    }

    fn push(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    pub(crate) fn waker(&self) -> Waker {
        let signal = Arc::clone(&self.wake);
        Waker { signal }
    }

    /// The eventfd that peers write to in order to ring.
    pub(crate) fn bell(&self) -> &Arc<OwnedFd> {
        &self.bell
    }

    /// Offers buffers as `group`.
    ///
    /// # Safety
    /// The buffers outlive the driver.
    pub(crate) unsafe fn offer_buffers(&mut self, offer: Offer, group: u16) {
        self.supplies[usize::from(group)].offer(offer);
    }

    /// Takes the indexes of buffers of `group`.
    ///
    /// # Safety
    /// Nothing else uses these buffers.
    pub(crate) unsafe fn supply(&mut self, indexes: &mut Vec<u16>, group: u16) {
        self.supplies[usize::from(group)].give(indexes);
    }

    pub(crate) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        match self.enter_once(wait) {
            Ok(()) => {
                self.patience.renew();
                Ok(())
            }
            Err(error) => self.patience.judge(error),
        }
    }

    pub(crate) fn is_submitted(&self) -> bool {
        self.operations.is_empty()
    }

    pub(crate) fn has_deferred(&self) -> bool {
        !self.listed.is_empty() || !self.completions.is_empty()
    }

    pub(crate) fn take_completions(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.completions);
    }

    fn enter_once(&mut self, wait: Wait) -> io::Result<()> {
        let count = self.operations.len();
        #[cfg(test)]
        let count = crate::tests::faults::entries(count as u32)? as usize;
        self.operate(count);
        if wait == Wait::Submit {
            return Ok(());
        }
        self.go_on();
        let sleeps = wait != Wait::Poll && self.is_submitted() && !self.has_deferred();
        calls::wait(&self.epoll, &mut self.events, if sleeps { -1 } else { 0 })?;
        let events = std::mem::take(&mut self.events);
        for event in &events {
            self.told(event.u64, event.events);
        }
        self.events = events;
        Ok(())
    }

    /// Does the first `count` operations.
    fn operate(&mut self, count: usize) {
        let mut operations = std::mem::take(&mut self.operations);
        for operation in operations.drain(..count) {
            self.operate_one(operation);
        }
        debug_assert!(self.operations.is_empty(), "an operation queues no other");
        self.operations = operations;
    }

    fn operate_one(&mut self, operation: Operation) {
        match operation {
            Operation::Send(entry) => self.try_send(entry),
            Operation::Read(fd, reading, user_data) => self.begin_reading(fd, reading, user_data),
            Operation::Cancel(fd, target) => self.cancel_now(fd, target),
            Operation::Close(fd) => self.watches.remove(&self.epoll, fd.as_raw_fd()),
            Operation::Ring(peer) => crate::descriptor::signal(peer),
            Operation::StartWindow(window) => self.timers.start_window(window),
            Operation::StopWindow => {
                let last = self.timers.stop_window();
                self.completions.push(last);
            }
            Operation::Retry(user_data) => self.timers.pause(user_data),
        }
    }

    /// The kernel has reported the events `what` of the descriptor that is called `name`.
    fn told(&mut self, name: u64, what: u32) {
        match name {
            WINDOW => self.completions.extend(self.timers.window_end()),
            RETRY => self.timers.end_pauses(&mut self.completions),
            WAKE => self.complete(UserData::WAKE, 1, 0),
            BELL => self.complete(UserData::DOORBELL, 0, 0),
            index => self.told_of(index as usize, what),
        }
    }

    fn told_of(&mut self, index: usize, what: u32) {
        let Some(watch) = self.watches.get(index) else {
            debug_assert!(false, "nothing is told of what is closed");
            return;
        };
        watch.note_told();
        let mut is_unwanted = false;
        if what & READABLE != 0 {
            watch.is_ready = true;
            watch.reads_all |= what & SPECIAL != 0;
            match watch.reading {
                Reading::Nothing => is_unwanted = true,
                Reading::Poll => {
                    watch.reading = Reading::Nothing;
                    let user_data = watch.user_data;
                    self.complete(user_data, what as i32, 0);
                }
                _ => self.read(index),
            }
        }
        if what & WRITABLE != 0 {
            self.send_waiting(index);
        }
        let tells_wrong = self
            .watches
            .get(index)
            .is_some_and(|watch| watch.tells_wrong(is_unwanted));
        if tells_wrong {
            // If the kernel has no memory for the change, it leaves things as they are, and reports again.
            let _ = self.watches.sync(&self.epoll, index, Ask::IfChanged);
        }
    }

    fn complete(&mut self, user_data: UserData, result: i32, flags: u32) {
        self.completions.push(Completion {
            user_data,
            result,
            flags,
        });
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Drop for Epoll {
    /// Executes the queued operations: sends are sent, and descriptors that were to be closed are closed.
    fn drop(&mut self) {
        self.operate(self.operations.len());
    }
}
