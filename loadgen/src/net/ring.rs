//! One worker's io_uring: multishot receives into provided buffers, sends that cost no completion.
//!
//! The kernel tries a send during the `io_uring_enter` that submits it (`MSG_DONTWAIT`, and `MSG_WAITALL` so that a
//! short send counts as failed). A send that succeeds posts no completion. So after an enter and after draining the
//! completion queue, each send without a completion is done:
//!
//! ```text
//!           queue_send              enter, no completion
//!   Idle --------------> Submitted ----------------------> Idle
//!                          | short or EAGAIN                ^
//!                          v            rest sent           |
//!                       Blocked (the kernel waits) ---------
//! ```
//!
//! The ring owns the bytes of a send until then, which is what makes its interface safe: [`Ring::queue_send`] swaps
//! the caller's full buffer for an empty one.
//!
//! A connection that is given up is shut down, which ends its operations; when none is left ([`Ring::is_idle`]), its
//! socket is taken out ([`Ring::detach`]) and another put in its place ([`Ring::attach`]).

pub use super::buffers::Filled;
use super::buffers::{BUFFERS, BufferRing, GROUP};
use io_uring::types::{CancelBuilder, Fixed, SubmitArgs, TimeoutFlags, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A connection's number on its ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

impl ConnectionId {
    /// The number as an index into per-connection tables.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An event of the ring.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes arrived; read them with [`Ring::bytes`] and give the buffer back with [`Ring::recycle`].
    Received(ConnectionId, Filled),
    /// The rest of a send that had blocked is sent: the connection can send again.
    SendResumed(ConnectionId),
    /// The peer closed the connection.
    Closed(ConnectionId),
    /// The connection failed.
    Failed(ConnectionId, i32),
    /// The periodic tick.
    Tick,
}

/// How long [`Ring::enter`] waits for something to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most this many nanoseconds.
    For(u64),
    /// Until an event; ticks are events.
    Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendState {
    Idle,
    Submitted,
    Blocked,
}

struct Socket {
    fd: Option<OwnedFd>,
    bytes: Vec<u8>,
    sent: usize,
    state: SendState,
    /// A receive is under way.
    receiving: bool,
    /// The connection has been shut down.
    shut: bool,
}

/// Kinds of operations, in the upper half of a completion's user data; the connection is in the lower.
const RECV: u64 = 1 << 32;
const SEND: u64 = 2 << 32;
const SEND_REST: u64 = 3 << 32;
const TICK: u64 = 4 << 32;

/// How often [`Event::Tick`] comes.
pub const TICK_INTERVAL: Duration = Duration::from_millis(10);

/// The ring of one worker and the sockets it drives.
pub struct Ring {
    // Dropped first: ends all registrations and operations before the memory below goes away.
    uring: IoUring,
    buffers: BufferRing,
    sockets: Vec<Socket>,
    submitted: Vec<ConnectionId>,
    rearm: Vec<ConnectionId>,
    tick: Box<Timespec>,
}

impl Ring {
    /// A ring for `sockets` on the calling thread, receives armed. `send_bytes` is reserved for each.
    pub fn new(sockets: Vec<OwnedFd>, send_bytes: usize) -> io::Result<Self> {
        let entries = (sockets.len() as u32 * 2 + 8)
            .next_power_of_two()
            .clamp(64, 8192);
        // A failed send must not hide in an overflow list: each buffer can have a completion, and each connection an
        // ended receive and a failed send.
        let completions = entries.max(u32::from(BUFFERS)) * 4;
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(completions)
            .build(entries)?;
        uring.submitter().register_ring_fd()?;
        let descriptors: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        uring.submitter().register_files(&descriptors)?;
        let buffers = BufferRing::register(&uring.submitter())?;
        let mut ring = Self {
            submitted: Vec::with_capacity(sockets.len()),
            rearm: Vec::with_capacity(sockets.len()),
            sockets: sockets
                .into_iter()
                .map(|fd| Socket::new(fd, send_bytes))
                .collect(),
            tick: Box::new(Timespec::from(TICK_INTERVAL)),
            uring,
            buffers,
        };
        ring.arm_all()?;
        Ok(ring)
    }

    fn arm_all(&mut self) -> io::Result<()> {
        let tick = opcode::Timeout::new(&raw const *self.tick)
            .flags(TimeoutFlags::MULTISHOT)
            .build()
            .user_data(TICK);
        self.push(&tick)?;
        for index in 0..self.sockets.len() as u32 {
            self.arm_recv(ConnectionId(index))?;
        }
        Ok(())
    }

    fn arm_recv(&mut self, connection: ConnectionId) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(Fixed(connection.0), GROUP)
            .build()
            .user_data(RECV | u64::from(connection.0));
        self.sockets[connection.index()].receiving = true;
        self.push(&entry)
    }

    /// Ends everything that is under way on a connection, in both directions.
    pub fn shut(&mut self, connection: ConnectionId) {
        let socket = &mut self.sockets[connection.index()];
        socket.shut = true;
        if let Some(fd) = &socket.fd {
            // A socket that is not connected any more has nothing under way.
            let _ = socket2::SockRef::from(fd).shutdown(std::net::Shutdown::Both);
        }
    }

    /// Whether no operation is under way on a connection.
    #[must_use]
    pub fn is_idle(&self, connection: ConnectionId) -> bool {
        let socket = &self.sockets[connection.index()];
        socket.state == SendState::Idle && !socket.receiving
    }

    /// Closes the socket of a connection that is idle.
    pub fn detach(&mut self, connection: ConnectionId) -> io::Result<()> {
        assert!(self.is_idle(connection), "the kernel still uses the socket");
        self.uring
            .submitter()
            .register_files_update(connection.0, &[-1])?;
        self.sockets[connection.index()].fd = None;
        Ok(())
    }

    /// Gives a connection that was detached another socket.
    pub fn attach(&mut self, connection: ConnectionId, fd: OwnedFd) -> io::Result<()> {
        assert!(self.is_idle(connection), "the kernel still uses the socket");
        self.uring
            .submitter()
            .register_files_update(connection.0, &[fd.as_raw_fd()])?;
        let socket = &mut self.sockets[connection.index()];
        socket.fd = Some(fd);
        socket.shut = false;
        self.arm_recv(connection)
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        if self.uring.submission().is_full() {
            self.uring.submit()?;
        }
        // SAFETY: what the entry points at outlives the operation: receive buffers and the tick's timespec belong to
        // `self` behind the ring, and the bytes of a send are in `self.sockets`, which changes them only in state Idle.
        unsafe { self.uring.submission().push(entry) }
            .map_err(|_| io::Error::other("the submission queue is full"))
    }

    /// Whether the connection can take another send.
    #[must_use]
    pub fn can_send(&self, connection: ConnectionId) -> bool {
        self.sockets[connection.index()].state == SendState::Idle
    }

    /// Queues all of `bytes`, leaving an empty buffer of the same capacity in its place. The connection must be able
    /// to send ([`Ring::can_send`]).
    pub fn queue_send(&mut self, connection: ConnectionId, bytes: &mut Vec<u8>) -> io::Result<()> {
        let socket = &mut self.sockets[connection.index()];
        assert_eq!(socket.state, SendState::Idle, "a send is under way");
        std::mem::swap(&mut socket.bytes, bytes);
        socket.sent = 0;
        socket.state = SendState::Submitted;
        self.submitted.push(connection);
        let entry = self.sockets[connection.index()]
            .send_entry(connection, libc::MSG_DONTWAIT)
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND | u64::from(connection.0));
        self.push(&entry)
    }

    fn send_rest(&mut self, connection: ConnectionId) -> io::Result<()> {
        let socket = &mut self.sockets[connection.index()];
        socket.state = SendState::Blocked;
        let entry = socket
            .send_entry(connection, 0)
            .user_data(SEND_REST | u64::from(connection.0));
        self.push(&entry)
    }

    /// Whether nothing is queued for the kernel and nothing waits to be picked up from it.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        self.uring.completion().is_empty() && !self.must_enter()
    }

    fn must_enter(&mut self) -> bool {
        let submission = self.uring.submission();
        !submission.is_empty() || submission.taskrun()
    }

    /// Submits what is queued and waits.
    pub fn enter(&mut self, wait: Wait) -> io::Result<()> {
        let result = match wait {
            Wait::No if !self.must_enter() => return Ok(()),
            Wait::No => self.uring.submit(),
            Wait::Event => self.uring.submit_and_wait(1),
            Wait::For(ns) => {
                let timeout = Timespec::from(Duration::from_nanos(ns));
                self.uring
                    .submitter()
                    .submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        };
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The next event. `None` means that no event is left, and that each send that succeeded is complete.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            let Some(completion) = self.uring.completion().next() else {
                break;
            };
            if let Some(event) = self.translate(&completion)? {
                return Ok(Some(event));
            }
        }
        self.settle()?;
        Ok(None)
    }

    fn translate(&mut self, completion: &cqueue::Entry) -> io::Result<Option<Event>> {
        let connection = ConnectionId(completion.user_data() as u32);
        match completion.user_data() & !u64::from(u32::MAX) {
            RECV => Ok(self.received(connection, completion)),
            SEND | SEND_REST => self.send_ended(connection, completion.result()),
            _ => Ok(Some(Event::Tick)),
        }
    }

    fn received(&mut self, connection: ConnectionId, completion: &cqueue::Entry) -> Option<Event> {
        let result = completion.result();
        let socket = &mut self.sockets[connection.index()];
        socket.receiving = cqueue::more(completion.flags());
        if result == 0 {
            return Some(Event::Closed(connection));
        }
        if result < 0 && result != -libc::ENOBUFS {
            return Some(Event::Failed(connection, -result));
        }
        if !socket.receiving && !socket.shut {
            self.rearm.push(connection);
        }
        cqueue::buffer_select(completion.flags())
            .map(|id| Event::Received(connection, Filled::new(id, result.max(0) as usize)))
    }

    fn send_ended(&mut self, connection: ConnectionId, result: i32) -> io::Result<Option<Event>> {
        let socket = &mut self.sockets[connection.index()];
        if socket.shut || (result < 0 && result != -libc::EAGAIN) {
            socket.finish_send();
            return Ok((!socket.shut).then_some(Event::Failed(connection, -result)));
        }
        socket.sent += result.max(0) as usize;
        if socket.sent < socket.bytes.len() {
            self.send_rest(connection)?;
            return Ok(None);
        }
        socket.finish_send();
        Ok(Some(Event::SendResumed(connection)))
    }

    /// Notes, after the completion queue was drained, that the sends without a completion have succeeded.
    fn settle(&mut self) -> io::Result<()> {
        if !self.submitted.is_empty() && self.uring.submission().is_empty() {
            for connection in self.submitted.drain(..) {
                let socket = &mut self.sockets[connection.index()];
                if socket.state == SendState::Submitted {
                    socket.finish_send();
                }
            }
        }
        while let Some(connection) = self.rearm.pop() {
            if !self.sockets[connection.index()].shut {
                self.arm_recv(connection)?;
            }
        }
        Ok(())
    }

    /// The bytes of an [`Event::Received`].
    #[must_use]
    pub fn bytes(&self, filled: &Filled) -> &[u8] {
        self.buffers.bytes(filled)
    }

    /// Gives the buffer of an [`Event::Received`] back.
    pub fn recycle(&mut self, filled: Filled) {
        self.buffers.recycle(filled);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing a ring cancels in the background; the kernel must be done with our memory before it is freed. The
        // only error is that there was nothing to cancel.
        let _ = self
            .uring
            .submitter()
            .register_sync_cancel(None, CancelBuilder::any());
    }
}

impl Socket {
    fn new(fd: OwnedFd, send_bytes: usize) -> Self {
        Self {
            fd: Some(fd),
            bytes: Vec::with_capacity(send_bytes),
            sent: 0,
            state: SendState::Idle,
            receiving: false,
            shut: false,
        }
    }

    fn send_entry(&self, connection: ConnectionId, flags: i32) -> squeue::Entry {
        let rest = &self.bytes[self.sent..];
        opcode::Send::new(Fixed(connection.0), rest.as_ptr(), rest.len() as u32)
            .flags(flags | libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
    }

    fn finish_send(&mut self) {
        self.bytes.clear();
        self.state = SendState::Idle;
    }
}
