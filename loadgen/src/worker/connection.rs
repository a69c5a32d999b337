//! One connection's requests on their way out, and those waiting for replies.

use super::desync::{Shown, Suspicion};
use super::secure::{Secure, encrypted_bytes};
use crate::net::tls::ClientSession;
use crate::target::GroupId;
use crate::value::{Check, Version};
use crate::wire::Parser;
use crate::wire::protocol::Protocol;
use crate::workload::keys::KeyId;
use crate::workload::verb::{KeySpace, Verb};
use std::collections::VecDeque;

/// A request whose reply has not come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) verb: Verb,
    pub(crate) space: KeySpace,
    /// Keys asked for; those of a multi-get are in [`Outbox::keys`].
    pub(crate) keys: u16,
    pub(crate) key: KeyId,
    /// When the request was due by the schedule.
    pub(crate) due_ns: u64,
    /// When the request was due and its connection had room: `due_ns`, or later.
    pub(crate) ready_ns: u64,
    /// When the request was handed to the kernel.
    pub(crate) sent_ns: u64,
    /// The version of the value that the request writes, which tells when it was rendered.
    pub(crate) version: Version,
    /// See [`super::verify`].
    pub(crate) barrier: Version,
}

/// A request that was due while its connection was full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) verb: Verb,
    pub(crate) key: KeyId,
    pub(crate) due_ns: u64,
}

/// Bytes at which a connection takes no more requests until some are sent.
const OUTBOX_BYTES: usize = 64 * 1024;

/// Requests rendered but not yet sent, and all requests not yet answered, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pending: VecDeque<Pending>,
    /// Keys of pending multi-gets, in order.
    pub(crate) keys: VecDeque<KeyId>,
    /// How many requests at the end of `pending` are in `bytes`.
    pub(crate) unsent: usize,
}

/// The sizes that a connection reserves, so that nothing is allocated during a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Requests outstanding at most.
    pub(crate) depth: usize,
    /// Keys of one multi-get.
    pub(crate) multiget_keys: usize,
    /// Bytes of one request at most.
    pub(crate) request_bytes_max: usize,
}

impl Limits {
    /// Capacity of each of a connection's two send buffers.
    pub(crate) fn outbox_bytes(&self) -> usize {
        // One request beyond the threshold, and a follow-up for each reply of one receive.
        OUTBOX_BYTES.min(self.depth * self.request_bytes_max) + 2 * self.request_bytes_max
    }

    /// The same for a connection with TLS, or without it.
    pub(crate) fn send_bytes(&self, is_encrypted: bool) -> usize {
        match is_encrypted {
            true => encrypted_bytes(self.outbox_bytes()),
            false => self.outbox_bytes(),
        }
    }
}

impl Outbox {
    fn new(limits: &Limits) -> Self {
        Self {
            bytes: Vec::with_capacity(limits.outbox_bytes()),
            pending: VecDeque::with_capacity(limits.depth + limits.multiget_keys + 1),
            keys: VecDeque::with_capacity(limits.depth * limits.multiget_keys + 1),
            unsent: 0,
        }
    }

    /// Whether another request fits.
    #[inline]
    fn has_room(&self, depth: usize) -> bool {
        self.pending.len() < depth && self.bytes.len() < OUTBOX_BYTES
    }

    /// Forgets all requests; they will have no reply.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.pending.clear();
        self.keys.clear();
        self.unsent = 0;
    }

    /// Notes when the requests in `bytes` were handed to the kernel.
    #[inline]
    pub(crate) fn stamp(&mut self, sent_ns: u64) {
        let first = self.pending.len() - self.unsent;
        for pending in self.pending.range_mut(first..) {
            pending.sent_ns = sent_ns;
        }
        self.unsent = 0;
    }
}

/// The reply under way.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) check: Check,
    /// Whether the value under way is checked.
    pub(crate) checking: bool,
    /// The key of the value under way.
    pub(crate) key: KeyId,
    pub(crate) hits: u32,
    pub(crate) cas_unique: u64,
    /// Keys of the multi-get that have been answered or skipped.
    pub(crate) keys_passed: u16,
    /// The skipped keys among them (kept for look-aside).
    pub(crate) missed: Vec<KeyId>,
    /// The key whose value the reply has brought, as far as it shows.
    pub(crate) shown: Shown,
    /// If the value was another key's: a description of it.
    pub(crate) came: String,
    /// The evidence that replies are taken for those of other requests.
    pub(crate) suspicion: Suspicion,
}

impl Reply {
    fn new(limits: &Limits) -> Self {
        Self {
            check: Check::default(),
            checking: false,
            key: KeyId(0),
            hits: 0,
            cas_unique: 0,
            keys_passed: 0,
            missed: Vec::with_capacity(limits.multiget_keys + 1),
            shown: Shown::Nothing,
            came: String::new(),
            suspicion: Suspicion::default(),
        }
    }

    /// Ready for the next reply.
    pub(crate) fn reset(&mut self) {
        self.hits = 0;
        self.cas_unique = 0;
        self.keys_passed = 0;
        self.missed.clear();
        self.shown = Shown::Nothing;
    }
}

/// Whether a connection is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The connection is open.
    Up,
    /// The connection has closed, and operations on its socket may still be under way.
    Closing,
    /// A new socket has been asked for.
    Dialling,
}

/// A connection without its socket, which belongs to the ring.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) group: GroupId,
    pub(crate) link: Link,
    pub(crate) outbox: Outbox,
    /// Open loop: requests that were due while the connection was full, in order.
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) parser: Parser,
    pub(crate) reply: Reply,
    /// Whether the connection is in the list of connections with something to send.
    pub(crate) dirty: bool,
    /// Measured requests that the connection has taken.
    pub(crate) requests: u64,
    /// When the connection's last reply came.
    pub(crate) replied_ns: u64,
    /// How often the connection was opened anew since its last reply.
    pub(crate) attempts: u32,
    /// TLS, if the server speaks it.
    pub(crate) tls: Option<Secure>,
    protocol: Protocol,
    limits: Limits,
}

impl Connection {
    pub(crate) fn new(group: GroupId, protocol: Protocol, limits: &Limits) -> Self {
        Self {
            group,
            link: Link::Up,
            outbox: Outbox::new(limits),
            waiting: VecDeque::with_capacity(limits.depth),
            parser: Parser::new(protocol),
            reply: Reply::new(limits),
            dirty: false,
            requests: 0,
            replied_ns: 0,
            attempts: 0,
            tls: None,
            protocol,
            limits: *limits,
        }
    }

    /// The connection has been opened, with this session if TLS is spoken.
    pub(crate) fn secure(&mut self, session: Option<Box<ClientSession>>) {
        self.tls = session.map(|session| Secure::new(session, self.limits.send_bytes(true)));
    }

    /// Whether there is something to send.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        let has_own = |tls: &Secure| !tls.out.is_empty();
        !self.outbox.bytes.is_empty() || self.tls.as_ref().is_some_and(has_own)
    }

    /// Whether another request can be sent on the connection now.
    #[inline]
    pub(crate) fn has_room(&self, depth: usize) -> bool {
        self.link == Link::Up && self.outbox.has_room(depth)
    }

    /// Forgets everything about the earlier socket: the requests sent on it, and the received part of a reply.
    pub(crate) fn reset(&mut self) {
        self.outbox.clear();
        self.waiting.clear();
        self.reply.reset();
        self.reply.checking = false;
        self.reply.came.clear();
        self.reply.suspicion = Suspicion::default();
        self.parser = Parser::new(self.protocol);
        self.tls = None;
    }
}
