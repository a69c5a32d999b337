//! A batch: all operations of one tick of one shard for one other shard, and their replies on the way back.
//!
//! The same box travels: filled by the origin, executed by the owner or by the origin itself under a loan, read for its
//! replies by the origin, emptied and used again. Keys, words and values are copied into one arena, so that a batch does not
//! depend on receive buffers and needs no allocation once it is warm.

use std::os::fd::RawFd;

use corecached_engine::KeyHash;
use corecached_reactor::{Insert, Outgoing};

use crate::cell::ConnId;
use crate::execute::{Access, Grant, Part, execute};
use crate::op::{Op, ReplyStyle, Verb};
use crate::replies::{self, ReplySeq};

/// Arenas above this capacity are not kept for the next batch.
const ARENA_BYTES_KEPT: usize = 256 * 1024;

/// Likewise for operations and their replies: 200 KiB of those.
const OPS_KEPT: usize = 1024;

/// Operations whose items are asked for together.
const PREFETCHED_OPS: usize = 16;

/// Who gets the reply of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyTo {
    /// The connection, on the shard that sent the batch.
    pub(crate) conn: ConnId,
    /// The place in its order of replies.
    pub(crate) seq: ReplySeq,
}

/// An operation with its key, value and words as lengths into the batch's arena, where they stand in this order.
#[derive(Debug)]
struct Packed {
    hash: KeyHash,
    verb: Verb<'static>,
    reply: ReplyStyle<'static>,
    key_bytes: usize,
    words_bytes: usize,
    value_bytes: usize,
    reply_to: Option<ReplyTo>,
    /// The connection that it is run for.
    descriptor: RawFd,
}

/// A batch as it travels: the queues between shards carry the box, not the fields.
pub(crate) type BoxedBatch = Box<Batch>;

/// Operations for one shard, and their replies.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    ops: Vec<Packed>,
    arena: Vec<u8>,
    replies: Outgoing,
    /// For each operation with a reply: where its bytes and inserts end.
    ends: Vec<(usize, usize)>,
    parts: Vec<Part>,
    /// Operations that ask for memory for large values.
    asking: usize,
}

impl Batch {
    /// Adds an operation; `reply_to` is `None` for one that wants no reply.
    pub(crate) fn push(&mut self, op: &Op<'_>, reply_to: Option<ReplyTo>, descriptor: RawFd) {
        let (words, value) = (op.reply.words(), op.verb.value());
        self.asking += usize::from(op.verb.asks_for_memory());
        self.arena.extend_from_slice(op.key);
        self.arena.extend_from_slice(words);
        self.arena.extend_from_slice(value);
        self.ops.push(Packed {
            hash: op.hash,
            verb: op.verb.with_value(&[]),
            reply: op.reply.with_words(&[]),
            key_bytes: op.key.len(),
            words_bytes: words.len(),
            value_bytes: value.len(),
            reply_to,
            descriptor,
        });
    }

    /// Adds a storage operation whose value comes in pieces.
    pub(crate) fn push_pieces<'v>(
        &mut self,
        op: &Op<'_>,
        pieces: impl Iterator<Item = &'v [u8]>,
        reply_to: Option<ReplyTo>,
        descriptor: RawFd,
    ) {
        self.push(op, reply_to, descriptor);
        let before = self.arena.len();
        for piece in pieces {
            self.arena.extend_from_slice(piece);
        }
        if let Some(packed) = self.ops.last_mut() {
            packed.value_bytes += self.arena.len() - before;
        }
    }

    /// Number of operations.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Bytes of keys and values carried.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Bytes of heap memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Batch>()
            + self.arena.capacity()
            + self.ops.capacity() * size_of::<Packed>()
            + self.ends.capacity() * size_of::<(usize, usize)>()
            + replies::held(&self.replies)
    }

    /// Operations that ask for memory for large values.
    pub(crate) fn asking(&self) -> usize {
        self.asking
    }

    /// Runs every operation, in order, keeping the replies.
    pub(crate) fn run(&mut self, access: &mut Access<'_>) {
        let mut at = 0;
        for (index, packed) in self.ops.iter().enumerate() {
            if index % PREFETCHED_OPS == 0 {
                self.prefetch(index, access);
            }
            let (key, rest) = self.arena[at..].split_at(packed.key_bytes);
            let (words, rest) = rest.split_at(packed.words_bytes);
            let value = &rest[..packed.value_bytes];
            at += packed.key_bytes + packed.words_bytes + packed.value_bytes;
            let op = Op {
                key,
                hash: packed.hash,
                verb: packed.verb.with_value(value),
                reply: packed.reply.with_words(words),
            };
            access.descriptor = packed.descriptor;
            let part = execute(access, &op, &mut self.replies);
            self.parts.extend(part);
            if packed.reply_to.is_some() {
                self.ends
                    .push((self.replies.bytes.len(), self.replies.inserts.len()));
            }
        }
    }

    /// Asks for the buckets, then the items, of the operations from `first` on.
    fn prefetch(&self, first: usize, access: &Access<'_>) {
        let ahead = &self.ops[first..self.ops.len().min(first + PREFETCHED_OPS)];
        for packed in ahead {
            access.engine.prefetch(packed.hash);
        }
        for packed in ahead {
            access.engine.prefetch_item(packed.hash);
        }
    }

    /// Gives every reply, in the order of the operations, to `deliver`; then the batch is empty again.
    ///
    /// `deliver` gets the reply's bytes, its inserts and the offset that the inserts' positions count from.
    pub(crate) fn deliver(&mut self, mut deliver: impl FnMut(ReplyTo, Reply<'_>)) {
        let (mut start, mut first) = (0, 0);
        let mut parts = self.parts.drain(..);
        let answered = self
            .ops
            .iter()
            .filter_map(|packed| Some((packed.reply_to?, &packed.verb)));
        for ((reply_to, verb), &(end, last)) in answered.zip(&self.ends) {
            let reply = match verb {
                Verb::Report | Verb::Prefixes { .. } | Verb::Reassign { .. } => {
                    parts.next().map_or(Reply::Done, Reply::Part)
                }
                Verb::Walk(_) => parts.next().map_or(Reply::Done, |part| Reply::Walked {
                    bytes: &self.replies.bytes[start..end],
                    part,
                }),
                verb if verb.asks_for_memory() => match parts.next() {
                    Some(Part::Granted(grant)) => Reply::Granted(grant),
                    _ => Reply::Done,
                },
                Verb::FlushAll { .. } | Verb::ResetStats => Reply::Done,
                _ => Reply::Bytes {
                    bytes: &self.replies.bytes[start..end],
                    inserts: &mut self.replies.inserts[first..last],
                    base: start,
                },
            };
            deliver(reply_to, reply);
            (start, first) = (end, last);
        }
        drop(parts);
        self.clear();
    }

    fn clear(&mut self) {
        self.ops.clear();
        self.ops.shrink_to(OPS_KEPT);
        self.asking = 0;
        self.ends.clear();
        self.ends.shrink_to(OPS_KEPT);
        self.arena.clear();
        self.arena.shrink_to(ARENA_BYTES_KEPT);
        self.replies.bytes.clear();
        self.replies.bytes.shrink_to(ARENA_BYTES_KEPT);
        self.replies.inserts.clear();
        self.replies.inserts.shrink_to(OPS_KEPT);
    }
}

/// What an operation in a batch came to.
pub(crate) enum Reply<'a> {
    /// Bytes for the client.
    Bytes {
        /// The reply.
        bytes: &'a [u8],
        /// Values in slab memory that belong between them.
        inserts: &'a mut [Insert],
        /// Offset of `bytes` in the buffer that the inserts' positions count from.
        base: usize,
    },
    /// This shard has done its part of a broadcast.
    Done,
    /// What this shard gives to a broadcast.
    Part(Part),
    /// Memory for a large value.
    Granted(Box<Grant>),
    /// A step of a walk.
    Walked {
        /// What it shows.
        bytes: &'a [u8],
        /// How far it has come.
        part: Part,
    },
}
