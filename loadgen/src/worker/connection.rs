//! One connection's requests on their way out, and those waiting for replies.

use crate::target::GroupId;
use crate::value::{Check, Version};
use crate::wire::{Parser, Protocol};
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
    /// When the schedule wanted it.
    pub(crate) due_ns: u64,
    /// The same, or later if no connection was free then.
    pub(crate) ready_ns: u64,
    /// When it was handed to the kernel.
    pub(crate) sent_ns: u64,
    /// When it was rendered; the version of what it writes.
    pub(crate) version: Version,
    /// See [`super::verify`].
    pub(crate) barrier: Version,
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
    /// How many of `pending`, at its end, are in `bytes`.
    pub(crate) unsent: usize,
}

/// What a connection reserves, so that nothing is allocated during a run.
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
    pub(crate) fn has_room(&self, depth: usize) -> bool {
        self.pending.len() < depth && self.bytes.len() < OUTBOX_BYTES
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
    /// Whose value it is.
    pub(crate) key: KeyId,
    pub(crate) hits: u32,
    pub(crate) cas_unique: u64,
    /// Keys of the multi-get that have been answered or skipped.
    pub(crate) keys_passed: u16,
    /// Of these, the skipped ones (kept for look-aside).
    pub(crate) missed: Vec<KeyId>,
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
        }
    }

    /// Ready for the next reply.
    pub(crate) fn reset(&mut self) {
        self.hits = 0;
        self.cas_unique = 0;
        self.keys_passed = 0;
        self.missed.clear();
    }
}

/// A connection without its socket, which belongs to the ring.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) group: GroupId,
    pub(crate) outbox: Outbox,
    pub(crate) parser: Parser,
    pub(crate) reply: Reply,
    /// Whether it is in the list of those with something to send.
    pub(crate) dirty: bool,
}

impl Connection {
    pub(crate) fn new(group: GroupId, protocol: Protocol, limits: &Limits) -> Self {
        Self {
            group,
            outbox: Outbox::new(limits),
            parser: Parser::new(protocol),
            reply: Reply::new(limits),
            dirty: false,
        }
    }
}
