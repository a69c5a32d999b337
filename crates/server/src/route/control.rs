//! Messages of the control plane: rare, between threads of any kind, through a locked inbox.

use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;

use crate::ids::{ConnId, ReplyTo, ShardId};
use crate::listen::ListenerId;
use crate::operation::ShardReport;
use crate::wire::Style;

/// A message to a shard's network side, from any thread.
pub(crate) enum Control {
    /// Take over a connection that was accepted elsewhere.
    Adopt {
        /// The socket.
        fd: OwnedFd,
        /// The address that the client connected to.
        listener: ListenerId,
    },
    /// Describe some connections of your shard, for `stats conns`.
    DescribeConns {
        /// The shard that asks.
        origin: ShardId,
        /// The place of the reply.
        reply_to: ReplyTo,
        /// The first place of the table to be described.
        from: u32,
        /// The protocol of the answer.
        style: Style<'static>,
    },
    /// The answer to `DescribeConns`.
    ConnsDescribed {
        /// The place of the reply.
        reply_to: ReplyTo,
        /// The lines that describe the connections.
        bytes: Vec<u8>,
        /// The place where the next step begins, if there is more to tell.
        next: Option<u32>,
    },
    /// Lines have come for a connection that watches.
    Watched {
        /// The connection that watches.
        conn: ConnId,
    },
    /// Read the certificates again, on a thread of their own.
    RefreshCertificates {
        /// The reply that tells the outcome, if one is wanted.
        reply_to: Option<ReplyTo>,
    },
    /// The certificates have been read, or could not be.
    CertificatesRefreshed {
        /// The replies that tell the outcome.
        reply_to: Vec<ReplyTo>,
        /// The line of these replies.
        line: Vec<u8>,
    },
    /// A connection has closed somewhere: accept again, if accepting had stopped.
    RoomForConnections,
    /// Tell the statistics of your engine.
    Report {
        /// Where they are waited for.
        answer: Sender<ShardReport>,
    },
    /// A second has passed: time for the network side's chores.
    Second,
}
