//! The output of the reactor: what has happened since the last turn.

use std::os::fd::OwnedFd;

use crate::buffers::RecvBuf;
use crate::config::Window;
use crate::datagram::DatagramBuf;
use crate::outgoing::Insert;
use crate::send_id::SendId;
use crate::token::Token;

/// Something that happened since the last turn.
#[derive(Debug)]
pub enum Event {
    /// A new connection. Socket options are those of its listener (set `TCP_NODELAY` there); close-on-exec is set.
    Accepted {
        /// The listener's token.
        token: Token,
        /// The connection.
        fd: OwnedFd,
    },
    /// An accept failed. After an aborted connection the reactor accepts again at once. When descriptors or memory ran
    /// out (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`) it does so after [`crate::ReactorConfig::accept_retry`], or on
    /// [`crate::Reactor::accept`]. After any other error, which is a fault of the listener, it does not.
    AcceptFailed {
        /// The listener's token.
        token: Token,
        /// The reason, as an errno.
        errno: i32,
    },
    /// Bytes arrived: read them with [`crate::Reactor::bytes`], then [`crate::Reactor::recycle`] the buffer.
    Received {
        /// The connection.
        token: Token,
        /// The bytes.
        buf: RecvBuf,
    },
    /// The peer has ended its stream. Receiving has ended.
    Eof {
        /// The connection.
        token: Token,
    },
    /// Receiving has ended with an error.
    RecvFailed {
        /// The connection.
        token: Token,
        /// The reason, as an errno: mostly `ECONNRESET` or `ETIMEDOUT`.
        errno: i32,
    },
    /// Receiving has ended because of [`crate::Reactor::cancel_recv`]; [`crate::Reactor::recv`] starts it again.
    RecvStopped {
        /// The connection.
        token: Token,
    },
    /// There is something to read, which may be the end of the stream: the answer to [`crate::Reactor::poll`].
    Readable {
        /// The connection.
        token: Token,
    },
    /// The send is under way still: mostly because the socket took only a part. The reactor sends the rest as the peer
    /// reads. `SendDone` or `SendFailed` will end it; nothing else may be sent before.
    SendBlocked {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
    },
    /// All bytes are with the kernel. Reported only after `SendBlocked`, and for every send that had inserts.
    SendDone {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// The send has ended with an error, or was cut off by [`crate::Reactor::close`] (`ECANCELED`; then reported
    /// only if it had inserts).
    SendFailed {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
        /// Why: mostly `EPIPE` or `ECONNRESET`; [`crate::IN_DOUBT`] if its bytes do not add up.
        errno: i32,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// A datagram arrived: read it with [`crate::Reactor::datagram`], then [`crate::Reactor::recycle_datagram`] the
    /// buffer.
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
        /// The reason, as an errno.
        errno: i32,
    },
    /// A peer rang with [`crate::Reactor::doorbell`]. Several rings may be one event.
    Doorbell,
    /// Someone called [`crate::Waker::wake`]. Several wakes may be one event.
    Wake,
    /// A warm window has ended. At most one per turn.
    WindowEnded {
        /// Its length, which need not be the one that was wanted last ([`crate::Reactor::set_window`]).
        window: Window,
    },
}
