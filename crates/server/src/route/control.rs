//! Messages of the control plane: rare, between threads of any kind, through a locked inbox.

use std::os::fd::OwnedFd;

use crate::cell::ConnId;
use crate::cell::ReplyTo;
use crate::cell::ShardId;
use crate::dialect::Style;
use crate::listen::ListenerId;

/// What one thread asks of a shard's network side.
pub(crate) enum Control {
    /// Take over a connection that was accepted elsewhere.
    Adopt {
        /// The socket.
        fd: OwnedFd,
        /// The address that it came in by.
        listener: ListenerId,
    },
    /// Describe some of your connections, for `stats conns`.
    DescribeConns {
        /// Who asks.
        origin: ShardId,
        /// Where the answer goes.
        reply_to: ReplyTo,
        /// The first of them, by its number in the table.
        from: u32,
        /// The protocol of the answer.
        style: Style<'static>,
    },
    /// The answer, for `stats conns`.
    ConnsDescribed {
        /// Where it goes.
        reply_to: ReplyTo,
        /// What is told of them.
        bytes: Vec<u8>,
        /// Where the next step begins, if there is more to tell.
        next: Option<u32>,
    },
    /// Lines have come for a connection that watches.
    Watched {
        /// The connection.
        conn: ConnId,
    },
    /// Read the certificates again, on a thread of their own.
    RefreshCertificates {
        /// Where the outcome is told, if anywhere.
        reply_to: Option<ReplyTo>,
    },
    /// They have been read, or could not be.
    CertificatesRefreshed {
        /// Where that is told.
        reply_to: Vec<ReplyTo>,
        /// The reply.
        line: Vec<u8>,
    },
    /// A connection has closed somewhere: accept again, if that had stopped.
    RoomForConnections,
    /// A second has passed: time for the network side's chores.
    Second,
}
