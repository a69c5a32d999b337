//! Where a connection's bytes come from and its replies go.

use std::os::fd::{AsRawFd, RawFd};

use corecached_reactor::Stream;

/// The other side of a connection.
#[derive(Debug)]
pub(crate) enum Link {
    /// A socket of its own.
    Socket(Stream),
    /// One request datagram. It is a connection that has sent its last byte; its replies go out together when the last
    /// of them is there, and then it ends.
    Datagram {
        /// The UDP socket; it belongs to the listener.
        socket: RawFd,
        /// The place of the sender and its request id in the shard's list of open datagrams.
        slot: u32,
        /// Whether the reply has become too large, so that the request was not worked on to its end.
        is_cut_short: bool,
    },
}

impl Link {
    /// A request datagram.
    pub(crate) fn datagram(socket: RawFd, slot: u32) -> Link {
        Link::Datagram {
            socket,
            slot,
            is_cut_short: false,
        }
    }

    /// The descriptor, for messages and for system calls while the connection is open.
    pub(super) fn raw_fd(&self) -> RawFd {
        match self {
            Link::Socket(stream) => stream.as_raw_fd(),
            Link::Datagram { socket, .. } => *socket,
        }
    }

    /// The socket of a connection that has one.
    pub(super) fn stream_mut(&mut self) -> Option<&mut Stream> {
        match self {
            Link::Socket(stream) => Some(stream),
            Link::Datagram { .. } => None,
        }
    }
}
