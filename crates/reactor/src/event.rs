//! What goes in ([`Outgoing`]) and what comes out ([`Event`]).

use std::os::fd::OwnedFd;

use crate::buffers::RecvBuf;
use crate::datagram::DatagramBuf;

/// The caller's name for a connection or listener: an index and a generation, say. Less than 2^56.
///
/// Give each connection a token of its own and do not reuse it before the connection before it is closed and its last
/// event has come: the reactor tells connections apart by their tokens, never by descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

impl Token {
    /// The largest token.
    pub const MAX: Token = Token((1 << 56) - 1);
}

/// Bytes that are sent from where they lie instead of being copied into [`Outgoing::bytes`].
#[derive(Clone, Copy, Debug)]
pub struct Insert {
    /// The bytes go out just before `bytes[at]`; `at == bytes.len()` puts them last. Ascending within a send.
    pub at: usize,
    /// Where the bytes begin.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
    /// The caller's own note, returned with the insert.
    pub cookie: u64,
}

// SAFETY: an insert is an address and a length that only the kernel reads, on behalf of `Reactor::send`; the type itself
// gives no access to the memory, so moving it to another thread gives none either.
unsafe impl Send for Insert {}

/// One send: a buffer from [`crate::Reactor::take_buffer`] and memory to be spliced into it.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The bytes to send; the buffer goes back to the reactor's pool when they are sent.
    pub bytes: Vec<u8>,
    /// Memory outside `bytes`. It must stay valid and unchanged until the insert comes back in an event.
    pub inserts: Vec<Insert>,
}

impl Outgoing {
    /// Bytes on the wire.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.inserts.iter().map(|insert| insert.len).sum::<usize>()
    }

    /// True if there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is sent, in order: bytes and inserts in turns.
    ///
    /// # Safety
    /// The memory of all inserts stays valid and unchanged while the pieces are in use.
    pub unsafe fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        let before = self.inserts.iter().flat_map(move |insert| {
            let bytes = &self.bytes[std::mem::replace(&mut from, insert.at)..insert.at];
            // SAFETY: the caller's promise.
            let inserted = unsafe { std::slice::from_raw_parts(insert.ptr, insert.len) };
            [bytes, inserted]
        });
        let last = self.inserts.last().map_or(0, |insert| insert.at);
        before.chain(std::iter::once(&self.bytes[last..]))
    }
}

impl From<Vec<u8>> for Outgoing {
    fn from(bytes: Vec<u8>) -> Self {
        let inserts = Vec::new();
        Self { bytes, inserts }
    }
}

/// What happened since the last turn.
#[derive(Debug)]
pub enum Event {
    /// A new connection. Socket options are those of its listener (set `TCP_NODELAY` there); close-on-exec is set.
    Accepted {
        /// The listener's token.
        token: Token,
        /// The connection.
        fd: OwnedFd,
    },
    /// An accept failed. The reactor goes on by itself: at once after an aborted connection, after
    /// [`crate::ReactorConfig::accept_retry`] when descriptors or memory ran out (`EMFILE`, `ENFILE`, `ENOBUFS`,
    /// `ENOMEM`) or on [`crate::Reactor::accept`]; not at all after another error, which is a fault of the listener.
    AcceptFailed {
        /// The listener's token.
        token: Token,
        /// Why.
        errno: i32,
    },
    /// Bytes arrived: read them with [`crate::Reactor::bytes`], then [`crate::Reactor::recycle`] the buffer.
    Received {
        /// The connection.
        token: Token,
        /// The bytes.
        buf: RecvBuf,
    },
    /// The peer sends nothing more. Receiving has ended.
    Eof {
        /// The connection.
        token: Token,
    },
    /// Receiving has ended with an error.
    RecvFailed {
        /// The connection.
        token: Token,
        /// Why: mostly `ECONNRESET` or `ETIMEDOUT`.
        errno: i32,
    },
    /// Receiving has ended because of [`crate::Reactor::cancel_recv`]; [`crate::Reactor::recv`] starts it again.
    RecvStopped {
        /// The connection.
        token: Token,
    },
    /// The socket took only a part. The reactor sends the rest as the peer reads; do not send more before `SendDone`.
    SendBlocked {
        /// The connection.
        token: Token,
    },
    /// All bytes are with the kernel. Reported only after `SendBlocked`, and for every send that had inserts.
    SendDone {
        /// The connection.
        token: Token,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// The send has ended with an error, or was cut off by [`crate::Reactor::close`] (`ECANCELED`; then reported
    /// only if it had inserts).
    SendFailed {
        /// The connection.
        token: Token,
        /// Why: mostly `EPIPE` or `ECONNRESET`.
        errno: i32,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// A datagram arrived: read it with [`crate::Reactor::datagram`], then [`crate::Reactor::recycle_datagram`] the buffer.
    Datagram {
        /// The UDP socket.
        token: Token,
        /// The datagram.
        buf: DatagramBuf,
    },
    /// Receiving datagrams has ended with an error that does not pass.
    DatagramsFailed {
        /// The UDP socket.
        token: Token,
        /// Why.
        errno: i32,
    },
    /// A peer rang with [`crate::Reactor::doorbell`]. Several rings may be one event.
    Doorbell,
    /// Someone called [`crate::Waker::wake`]. Several wakes may be one event.
    Wake,
    /// A warm window has passed since the last tick or since waiting began. At most one per turn.
    Tick,
}
