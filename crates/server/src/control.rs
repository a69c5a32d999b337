//! Messages of the control plane: rare, between threads of any kind, through a locked inbox.

use std::os::fd::{OwnedFd, RawFd};

use crate::batch::ReplyTo;
use crate::conn::ConnId;
use crate::listen::ListenerId;
use crate::shard::ShardId;
use crate::stats::Pairs;

/// What one thread asks of a shard's network side.
pub(crate) enum Control {
    /// Take over a connection that was accepted elsewhere.
    Adopt {
        /// The socket.
        fd: OwnedFd,
        /// The address that it came in by.
        listener: ListenerId,
    },
    /// Describe your connections, for `stats conns`.
    DescribeConns {
        /// Who asks.
        origin: ShardId,
        /// Where the answer goes.
        reply_to: ReplyTo,
    },
    /// The answer, for `stats conns`.
    ConnsDescribed {
        /// Where it goes.
        reply_to: ReplyTo,
        /// What is told of each, by descriptor.
        conns: Vec<(RawFd, Pairs)>,
    },
    /// Lines have come for a connection that watches.
    Watched {
        /// The connection.
        conn: ConnId,
    },
    /// A connection has closed somewhere: accept again, if that had stopped.
    RoomForConnections,
    /// A second has passed: time for the network side's chores.
    Second,
}
