//! The io_uring itself: set-up, queueing and `io_uring_enter`. Knows operations, not connections.
//!
//! Entries are never refused: when the submission queue is full its entries are submitted, and if the kernel takes none
//! (out of memory) entries wait in a backlog. The system calls are made here and not through the `Submitter` of the
//! crate io-uring, because `Submitter` forgets the registered ring descriptor from one borrow to the next and decides
//! by itself whether completions are fetched.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, TimeoutFlags, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use crate::config::{ReactorConfig, Window};
use crate::descriptor;
use crate::operation::{DATAGRAM_GROUP, RECV_GROUP, SendEntry, SendWhat, Wait};
use crate::patience::Patience;
use crate::peer::empty_header;
use crate::probe::Features;
use crate::user_data::UserData;
use crate::waker::{DoorbellTarget, Waker};

/// `IORING_REGISTER_RING_FDS`.
const REGISTER_RING_FDS: u32 = 20;

/// `struct io_uring_getevents_arg`.
#[repr(C)]
struct GetEventsArg {
    sigmask: u64,
    sigmask_bytes: u32,
    min_wait_usec: u32,
    timespec: u64,
}

const _: () = assert!(size_of::<GetEventsArg>() == 24);

/// `struct io_uring_rsrc_update`, as used to register a ring descriptor.
#[repr(C)]
struct RingFdUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

const _: () = assert!(size_of::<RingFdUpdate>() == 16);

/// An io_uring of one thread.
pub(crate) struct Ring {
    io: IoUring,
    /// The index under which the ring's descriptor is registered with its thread, which saves a lookup per call.
    registered_index: Option<u32>,
    /// Entries that found the submission queue full and the kernel unwilling.
    backlog: VecDeque<squeue::Entry>,
    /// The memory that entries other than sends point to.
    fixed: Box<Fixed>,
    multishot_timeout: bool,
    /// Keeps a sleep from counting as waiting for a disk, where the kernel can do that (6.15).
    sleep_flags: EnterFlags,
    patience: Patience,
    /// The end of the waker's pipe that is read, once there is one.
    wake_pipe: Option<OwnedFd>,
}

/// Memory the kernel reads at submission or writes at completion: it stays where it is while the ring lives.
struct Fixed {
    short_window: Timespec,
    long_window: Timespec,
    accept_retry: Timespec,
    alarm: Timespec,
    datagram_header: libc::msghdr,
    /// The bytes read from the waker's pipe; they are ignored.
    wakes: [u8; 64],
}

impl Ring {
    /// Sets the ring up for the calling thread.
    pub(crate) fn new(config: &ReactorConfig, features: &Features) -> io::Result<Ring> {
        let io = match build(config, Queue::InOrder) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                build(config, Queue::ByArray)
            }
            built => built,
        }?;
        let fixed = Fixed {
            short_window: config.short_window.into(),
            long_window: config.long_window.into(),
            accept_retry: config.accept_retry.into(),
            alarm: Timespec::new(),
            datagram_header: empty_header(),
            wakes: [0; 64],
        };
        let registered_index = register_ring_fd(io.as_raw_fd());
        let (backlog, fixed) = (VecDeque::new(), Box::new(fixed));
        let multishot_timeout = features.multishot_timeout;
        let sleep_flags = match io.params().is_feature_no_iowait() {
            true => EnterFlags::NO_IOWAIT,
            false => EnterFlags::empty(),
        };
        Ok(Ring {
            io,
            registered_index,
            backlog,
            fixed,
            multishot_timeout,
            sleep_flags,
            patience: Patience::default(),
            wake_pipe: None,
        })
    }

    pub(crate) fn accept(&mut self, listener: RawFd, user_data: UserData) {
        let entry = opcode::AcceptMulti::new(Fd(listener)).flags(libc::SOCK_CLOEXEC);
        self.push_plain(entry.build(), user_data);
    }

    pub(crate) fn recv(&mut self, fd: RawFd, user_data: UserData) {
        self.push_plain(
            opcode::RecvMulti::new(Fd(fd), RECV_GROUP).build(),
            user_data,
        );
    }

    /// Completes once when there is something to read from `fd`, which may be the end of the stream.
    pub(crate) fn poll(&mut self, fd: RawFd, user_data: UserData) {
        let entry = opcode::PollAdd::new(Fd(fd), libc::POLLIN as u32);
        self.push_plain(entry.build(), user_data);
    }

    /// Receives datagrams with the addresses of their senders.
    pub(crate) fn recv_datagrams(&mut self, fd: RawFd, user_data: UserData) {
        let header = &raw const self.fixed.datagram_header;
        let entry = opcode::RecvMsgMulti::new(Fd(fd), header, DATAGRAM_GROUP);
        self.push_plain(entry.build(), user_data);
    }

    /// Cancels the operation submitted as `target`; the last completion of that operation follows.
    pub(crate) fn cancel(&mut self, target: UserData) {
        let entry = opcode::AsyncCancel::new(target.0).build();
        self.push_plain(entry.flags(squeue::Flags::SKIP_SUCCESS), UserData::IGNORED);
    }

    /// Closes a descriptor the caller owns and hands over.
    pub(crate) fn close(&mut self, fd: OwnedFd) {
        let entry = opcode::Close::new(Fd(fd.into_raw_fd())).build();
        self.push_plain(entry.flags(squeue::Flags::SKIP_SUCCESS), UserData::IGNORED);
    }

    /// Completes as `user_data` in the ring `target`, a descriptor of this process. Completes here only if it fails, as
    /// [`UserData::ring`].
    pub(crate) fn message(&mut self, target: RawFd, user_data: UserData) {
        let entry = opcode::MsgRingData::new(Fd(target), 0, user_data.0, None).build();
        let entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
        self.push_plain(entry, UserData::ring(target));
    }

    /// Starts the timer of the warm window: it repeats where the kernel can do that.
    pub(crate) fn start_window(&mut self, window: Window) {
        let flags = if self.multishot_timeout {
            TimeoutFlags::MULTISHOT
        } else {
            TimeoutFlags::empty()
        };
        let length = match window {
            Window::Short => &raw const self.fixed.short_window,
            Window::Long => &raw const self.fixed.long_window,
        };
        let entry = opcode::Timeout::new(length).flags(flags);
        self.push_plain(entry.build(), UserData::WINDOW);
    }

    /// Removes the timer of the warm window; its last completion follows.
    pub(crate) fn stop_window(&mut self) {
        let entry = opcode::TimeoutRemove::new(UserData::WINDOW.0).build();
        self.push_plain(entry.flags(squeue::Flags::SKIP_SUCCESS), UserData::IGNORED);
    }

    /// Starts the timer that ends a park after `time`.
    pub(crate) fn start_alarm(&mut self, time: Duration) {
        self.fixed.alarm = time.into();
        let entry = opcode::Timeout::new(&raw const self.fixed.alarm).build();
        self.push_plain(entry, UserData::ALARM);
    }

    /// Removes a timer of [`Ring::start_alarm`]; its completion follows.
    pub(crate) fn stop_alarm(&mut self) {
        let entry = opcode::TimeoutRemove::new(UserData::ALARM.0).build();
        self.push_plain(entry.flags(squeue::Flags::SKIP_SUCCESS), UserData::IGNORED);
    }

    /// Completes once after the pause that follows a failed accept.
    pub(crate) fn start_accept_retry(&mut self, user_data: UserData) {
        let entry = opcode::Timeout::new(&raw const self.fixed.accept_retry).build();
        self.push_plain(entry, user_data);
    }

    /// The ring as its peers ring it.
    pub(crate) fn doorbell_target(&self) -> io::Result<DoorbellTarget> {
        // SAFETY: the ring is open, being borrowed.
        let ring = unsafe { BorrowedFd::borrow_raw(self.io.as_raw_fd()) };
        Ok(DoorbellTarget(Arc::new(ring.try_clone_to_owned()?)))
    }

    /// Makes the waker's pipe, and waits for the first wake.
    pub(crate) fn open_waker(&mut self) -> io::Result<Waker> {
        let (read_end, write_end) = descriptor::pipe()?;
        self.wake_pipe = Some(read_end);
        self.read_wake();
        Ok(Waker {
            signal: Arc::new(write_end),
        })
    }

    /// Completes once when the waker's pipe has been written to, and empties it.
    pub(crate) fn read_wake(&mut self) {
        let Some(pipe) = &self.wake_pipe else { return };
        let into = &mut self.fixed.wakes;
        let pipe = Fd(pipe.as_raw_fd());
        let entry = opcode::Read::new(pipe, into.as_mut_ptr(), into.len() as u32).build();
        self.push_plain(entry, UserData::WAKE);
    }

    /// Queues a send.
    ///
    /// # Safety
    /// As [`Driver::send`].
    pub(crate) unsafe fn send(&mut self, entry: SendEntry) {
        let fd = Fd(entry.fd);
        let built = match entry.what {
            SendWhat::Bytes(start, bytes) => opcode::Send::new(fd, start, bytes)
                .flags(entry.flags)
                .build(),
            SendWhat::Message(header, _) => opcode::SendMsg::new(fd, header)
                .flags(entry.flags as u32)
                .build(),
        };
        let flags = match entry.skips_success {
            true => squeue::Flags::SKIP_SUCCESS,
            false => squeue::Flags::empty(),
        };
        // SAFETY: the caller's promise.
        unsafe { self.push(built.flags(flags).user_data(entry.user_data.0)) }
    }

    /// An entry whose memory, if any, is the ring's own.
    fn push_plain(&mut self, entry: squeue::Entry, user_data: UserData) {
        // SAFETY: the callers above build entries that point nowhere or into `self.fixed`, a heap allocation that
        // lives until the ring is closed (`Drop` cancels what is outstanding first).
        unsafe { self.push(entry.user_data(user_data.0)) }
    }

    /// Queues an entry for the next `enter`.
    ///
    /// # Safety
    /// The memory the entry points to stays valid until the entry's completion. With `SKIP_SUCCESS` the promise also
    /// ends with an `enter` that brought no completion of the entry and after which [`Ring::is_submitted`] holds, asked
    /// before anything else is pushed.
    unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.backlog.is_empty() {
            // SAFETY: the caller's promise.
            if unsafe { self.io.submission().push(&entry) }.is_ok() {
                return;
            }
            // The queue is full: submit its entries. A failure shows again in the next `enter`, which reports it.
            let _ = self.enter_once(Wait::Submit);
            // SAFETY: the caller's promise.
            if unsafe { self.io.submission().push(&entry) }.is_ok() {
                return;
            }
        }
        self.backlog.push_back(entry);
    }

    /// Submits everything and waits as `wait` says. An interruption or a passing lack of resources is no error: the
    /// caller calls again.
    pub(crate) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        self.flush_backlog();
        let wait = if self.backlog.is_empty() {
            wait
        } else {
            Wait::Poll
        };
        match self.enter_once(wait) {
            Ok(()) => {
                self.patience.renew();
                Ok(())
            }
            Err(error) => self.patience.judge(error),
        }
    }

    /// True when every entry pushed so far has been taken by the kernel.
    pub(crate) fn is_submitted(&mut self) -> bool {
        self.backlog.is_empty() && self.io.submission().is_empty()
    }

    /// True when the kernel holds completions back that only another `enter` brings: task work it has not run, or
    /// completions that did not fit the queue.
    pub(crate) fn has_deferred(&mut self) -> bool {
        let queue = self.io.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    /// True when an `enter` that does not sleep would do nothing.
    pub(crate) fn has_nothing_to_enter_for(&mut self) -> bool {
        self.is_submitted() && !self.has_deferred()
    }

    /// True when completions did not fit the queue.
    pub(crate) fn has_overflow(&mut self) -> bool {
        self.io.submission().cq_overflow()
    }

    /// The next completion.
    pub(crate) fn completions(&mut self) -> cqueue::CompletionQueue<'_> {
        self.io.completion()
    }

    /// From now on every completion also signals `eventfd`.
    pub(crate) fn register_eventfd(&self, eventfd: RawFd) -> io::Result<()> {
        self.io.submitter().register_eventfd(eventfd)
    }

    pub(crate) fn unregister_eventfd(&self) -> io::Result<()> {
        self.io.submitter().unregister_eventfd()
    }

    /// Offers the buffer ring at `address` as `group`.
    ///
    /// # Safety
    /// `address` holds `entries` buffer entries, page-aligned, that outlive this ring.
    pub(crate) unsafe fn register_buffers(
        &self,
        address: u64,
        entries: u16,
        group: u16,
    ) -> io::Result<()> {
        let submitter = self.io.submitter();
        // SAFETY: the caller's promise.
        unsafe { submitter.register_buf_ring_with_flags(address, entries, group, 0) }
    }

    fn flush_backlog(&mut self) {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: promised when the entry was pushed; it holds until the entry is submitted and completed.
            if unsafe { self.io.submission().push(entry) }.is_ok() {
                self.backlog.pop_front();
            } else if self.enter_once(Wait::Submit).is_err() || self.io.submission().is_full() {
                return;
            }
        }
    }

    fn enter_once(&mut self, wait: Wait) -> io::Result<()> {
        let mut argument = GetEventsArg {
            sigmask: 0,
            sigmask_bytes: 0,
            min_wait_usec: 0,
            timespec: 0,
        };
        let (want, mut flags) = match wait {
            Wait::Submit => (0, EnterFlags::empty()),
            Wait::Poll => (0, EnterFlags::GETEVENTS),
            Wait::One => (1, EnterFlags::GETEVENTS | self.sleep_flags),
            Wait::Batch { usec, want } => {
                argument.min_wait_usec = usec;
                let extended = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
                (want, extended | self.sleep_flags)
            }
        };
        let (address, bytes) = if flags.contains(EnterFlags::EXT_ARG) {
            (&raw const argument, size_of::<GetEventsArg>())
        } else {
            (std::ptr::null(), 0)
        };
        let fd = match self.registered_index {
            Some(index) => {
                flags |= EnterFlags::REGISTERED_RING;
                index as RawFd
            }
            None => self.io.as_raw_fd(),
        };
        let count = self.io.submission().len() as u32;
        #[cfg(test)]
        let count = crate::tests::faults::entries(count)?;
        // SAFETY: `fd` is this ring, `count` entries are in its queue and satisfy the promise of `push`; `argument`
        // outlives the call.
        let taken = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                fd,
                count,
                want,
                flags.bits(),
                address,
                bytes,
            )
        };
        if taken < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_raw_fd()
    }
}

impl Drop for Ring {
    /// Ends every operation that still refers to memory of this process, so that the memory may be freed after the
    /// ring.
    fn drop(&mut self) {
        let everything = CancelBuilder::any();
        let _ = self.enter(Wait::Submit); // descriptors to be closed
        let patience = Some(Timespec::from(Duration::from_millis(100)));
        let _ = self
            .io
            .submitter()
            .register_sync_cancel(patience, everything);
        // Cancelled operations let go of their sockets when their completions are made, and this thread has to make
        // them: the ring itself lives on with the registration of its descriptor until the thread ends.
        let _ = self.enter(Wait::Poll);
    }
}

/// How the kernel finds the entries of the submission queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queue {
    /// One after the other (kernel 6.6).
    InOrder,
    /// By an array of their indexes.
    ByArray,
}

fn build(config: &ReactorConfig, queue: Queue) -> io::Result<IoUring> {
    let mut builder = IoUring::<squeue::Entry, cqueue::Entry>::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(config.completion_entries)
        .dontfork();
    if queue == Queue::InOrder {
        builder.setup_no_sqarray();
    }
    builder.build(config.entries)
}

/// The index of the ring among the calling thread's registered rings; `None` leaves the ordinary descriptor in use.
fn register_ring_fd(fd: RawFd) -> Option<u32> {
    let mut update = RingFdUpdate {
        offset: u32::MAX,
        reserved: 0,
        data: fd as u64,
    };
    // SAFETY: `update` is one valid `io_uring_rsrc_update` and outlives the call.
    let registered = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            fd,
            REGISTER_RING_FDS,
            &raw mut update,
            1,
        )
    };
    (registered == 1).then_some(update.offset)
}
