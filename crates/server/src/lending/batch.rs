//! A batch: all operations of one tick of one shard for one other shard, and their answers on the way back.
//!
//! ```text
//!   origin                          owner, or the origin under a loan            origin
//!   push --> work, arena ---------> run: each operation -> its answer --------> deliver --> connections
//!                                        Reply   bytes of a reply, in `replies`
//!                                        ShardOutcome   the outcome of an operation on a shard
//!                                        Walked  a step of a walk, and lines in `replies`
//! ```
//!
//! The same box travels: the origin fills it, the owner executes it (or the origin itself, under a loan), and the
//! origin reads its answers, empties it and uses it again. Keys, words and values are copied into one arena, so that a
//! batch does not depend on receive buffers and needs no allocation once it is warm. An outcome becomes reply bytes
//! while the engine is at hand: a value is copied once, into the replies, from which it goes to its connection.

use std::os::fd::RawFd;

use corecached_engine::KeyHash;
use corecached_reactor::Outgoing;

use crate::ids::{ConnId, ReplyTo};
use crate::operation::access::Access;
use crate::operation::execute::run_on_shard;
use crate::operation::notes::Notes;
use crate::operation::op::{Op, ShardOp, Verb};
use crate::operation::outcome::ShardOutcome;
use crate::operation::walk::WalkStep;
use crate::replies::{self, ReplySlice};
use crate::wire::answer::answer;
use crate::wire::dump::{self, Dump, Walked};
use crate::wire::style::Style;

/// The most memory that is kept for the next batch: of keys and values, and (in all 200 KiB) of operations and answers.
const ARENA_BYTES_KEPT: usize = 256 * 1024;
const OPS_KEPT: usize = 1024;
/// Operations, and bytes, for which a batch has room as soon as anything is in it.
const ROOM_AT_ONCE: (usize, usize) = (8, 1024);

/// Operations whose items are prefetched together.
const PREFETCHED_OPS: usize = 16;

/// One operation of a batch.
#[derive(Debug)]
struct Packed {
    work: Work,
    /// The connection that the operation is run for.
    descriptor: RawFd,
}

/// An operation. Its bytes stand in the batch's arena, in the order of the operations.
#[derive(Debug)]
enum Work {
    /// An operation on a key, with the lengths of its key, words and value in the arena.
    Key {
        hash: KeyHash,
        verb: Verb<'static>,
        style: Style<'static>,
        key_bytes: usize,
        words_bytes: usize,
        value_bytes: usize,
        reply_to: ReplyTo,
    },
    /// An operation on the shard; its key stands in the arena.
    Shard {
        op: ShardOp<'static>,
        key_bytes: usize,
        asker: Option<ConnId>,
    },
    /// A step of a walk.
    Walk {
        step: WalkStep,
        dump: Dump,
        reply_to: ReplyTo,
    },
}

/// The answer to an operation that a connection waits for.
#[derive(Debug)]
enum Answer {
    /// A reply ends at this byte and this insert; it begins where the one before it ends.
    Reply {
        to: ReplyTo,
        end: usize,
        end_insert: usize,
    },
    /// A shard has done its part.
    ShardOutcome { to: ConnId, outcome: ShardOutcome },
    /// A step of a walk; its lines end at this byte.
    Walked {
        to: ReplyTo,
        end: usize,
        walked: Box<Walked>,
    },
}

/// A batch as it travels: the queues between shards carry the box, not the fields.
pub(crate) type BoxedBatch = Box<Batch>;

/// Operations for one shard, and their answers.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    work: Vec<Packed>,
    arena: Vec<u8>,
    replies: Outgoing,
    answers: Vec<Answer>,
    /// Number of operations that ask for memory for large values.
    asking: usize,
    /// Notes of the gets of the shard's keys that the origin has answered before.
    pub(crate) notes: Notes,
    /// The epoch in which the batch was sent: the number of the emptying of the origin's outboxes.
    pub(crate) epoch: u64,
}

impl Batch {
    /// Adds an operation on a key. If its style is to tell nothing, the reply has no bytes.
    pub(crate) fn push(
        &mut self,
        op: &Op<'_>,
        style: &Style<'_>,
        reply_to: ReplyTo,
        descriptor: RawFd,
    ) {
        self.push_pieces(
            op,
            style,
            std::iter::once(op.verb.value()),
            reply_to,
            descriptor,
        );
    }

    /// Adds a storage operation whose value comes in pieces.
    pub(crate) fn push_pieces<'v>(
        &mut self,
        op: &Op<'_>,
        style: &Style<'_>,
        pieces: impl Iterator<Item = &'v [u8]>,
        reply_to: ReplyTo,
        descriptor: RawFd,
    ) {
        let words = style.words();
        self.prepare();
        self.arena.extend_from_slice(op.key);
        self.arena.extend_from_slice(words);
        let before = self.arena.len();
        for piece in pieces {
            self.arena.extend_from_slice(piece);
        }
        let work = Work::Key {
            hash: op.hash,
            verb: op.verb.with_value(&[]),
            style: style.with_words(&[]),
            key_bytes: op.key.len(),
            words_bytes: words.len(),
            value_bytes: self.arena.len() - before,
            reply_to,
        };
        self.work.push(Packed { work, descriptor });
    }

    /// Gives a new batch its memory in a few pieces, so that it need not grow turn after turn.
    #[inline]
    fn prepare(&mut self) {
        if self.work.capacity() == 0 {
            let (ops, bytes) = ROOM_AT_ONCE;
            self.work.reserve(ops);
            self.answers.reserve(ops);
            self.arena.reserve(bytes);
            self.replies.bytes.reserve(bytes);
        }
    }

    /// Adds an operation on the shard; `asker` is told when it is done.
    pub(crate) fn push_shard_op(
        &mut self,
        op: &ShardOp<'_>,
        asker: Option<ConnId>,
        descriptor: RawFd,
    ) {
        self.asking += usize::from(op.asks_for_memory());
        let key = op.key();
        self.arena.extend_from_slice(key);
        let work = Work::Shard {
            op: op.with_key(&[]),
            key_bytes: key.len(),
            asker,
        };
        self.work.push(Packed { work, descriptor });
    }

    /// Adds a step of a walk.
    pub(crate) fn push_walk(
        &mut self,
        step: WalkStep,
        dump: Dump,
        reply_to: ReplyTo,
        descriptor: RawFd,
    ) {
        let work = Work::Walk {
            step,
            dump,
            reply_to,
        };
        self.work.push(Packed { work, descriptor });
    }

    /// Number of operations.
    pub(crate) fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether the batch holds no operation.
    pub(crate) fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Bytes of keys and values in the arena.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Bytes of heap memory that the batch holds.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Batch>()
            + self.arena.capacity()
            + self.work.capacity() * size_of::<Packed>()
            + self.answers.capacity() * size_of::<Answer>()
            + self.notes.held_bytes()
            + replies::held(&self.replies)
    }

    /// Number of operations that ask for memory for large values.
    pub(crate) fn asking(&self) -> usize {
        self.asking
    }

    /// Runs every operation, in order, and keeps the answers.
    pub(crate) fn run(&mut self, access: &mut Access<'_>) {
        self.notes.tell(access.engine, access.observer, access.now);
        let mut at = 0;
        for index in 0..self.work.len() {
            if index % PREFETCHED_OPS == 0 {
                self.prefetch(index, access);
            }
            access.descriptor = self.work[index].descriptor;
            at += self.run_one(index, at, access);
        }
    }

    /// Runs an operation whose bytes begin at `at` in the arena; returns how many bytes it has there.
    #[inline]
    fn run_one(&mut self, index: usize, at: usize, access: &mut Access<'_>) -> usize {
        let bytes = &self.arena[at..];
        match &self.work[index].work {
            Work::Key {
                hash,
                verb,
                style,
                key_bytes,
                words_bytes,
                value_bytes,
                reply_to,
            } => {
                let (key, rest) = bytes.split_at(*key_bytes);
                let (words, rest) = rest.split_at(*words_bytes);
                let op = Op {
                    key,
                    hash: *hash,
                    verb: verb.with_value(&rest[..*value_bytes]),
                };
                answer(access, &op, &style.with_words(words), &mut self.replies);
                self.answers.push(Answer::Reply {
                    to: *reply_to,
                    end: self.replies.bytes.len(),
                    end_insert: self.replies.inserts.len(),
                });
                key_bytes + words_bytes + value_bytes
            }
            Work::Shard {
                op,
                key_bytes,
                asker,
            } => {
                let outcome = run_on_shard(access, &op.with_key(&bytes[..*key_bytes]));
                let answer = asker.map(|to| Answer::ShardOutcome { to, outcome });
                self.answers.extend(answer);
                *key_bytes
            }
            Work::Walk {
                step,
                dump,
                reply_to,
            } => {
                let walked = dump::step(access, step, dump, &mut self.replies.bytes);
                self.answers.push(Answer::Walked {
                    to: *reply_to,
                    end: self.replies.bytes.len(),
                    walked: Box::new(walked),
                });
                0
            }
        }
    }

    /// Prefetches the buckets, then the items, of the operations from `first` on.
    fn prefetch(&self, first: usize, access: &Access<'_>) {
        let ahead = &self.work[first..self.work.len().min(first + PREFETCHED_OPS)];
        let hashes = ahead.iter().filter_map(|packed| match packed.work {
            Work::Key { hash, .. } => Some(hash),
            Work::Shard { .. } | Work::Walk { .. } => None,
        });
        for hash in hashes.clone() {
            access.engine.prefetch(hash);
        }
        for hash in hashes {
            access.engine.prefetch_item(hash);
        }
    }

    /// Gives every answer, in the order of the operations, to `deliver`; afterwards the batch is empty.
    pub(crate) fn deliver(&mut self, mut deliver: impl FnMut(Delivery<'_>)) {
        let Outgoing { bytes, inserts, .. } = &mut self.replies;
        let (mut begin, mut first) = (0, 0);
        for answer in self.answers.drain(..) {
            let base = begin;
            deliver(match answer {
                Answer::Reply {
                    to,
                    end,
                    end_insert,
                } => {
                    begin = end;
                    let from = std::mem::replace(&mut first, end_insert);
                    let reply = ReplySlice {
                        bytes: &bytes[base..end],
                        inserts: &mut inserts[from..end_insert],
                        base,
                    };
                    Delivery::Reply { to, reply }
                }
                Answer::ShardOutcome { to, outcome } => Delivery::ShardOutcome { to, outcome },
                Answer::Walked { to, end, walked } => {
                    begin = end;
                    let (lines, walked) = (&bytes[base..end], *walked);
                    Delivery::Walked { to, lines, walked }
                }
            });
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.work.clear();
        self.work.shrink_to(OPS_KEPT);
        self.asking = 0;
        self.answers.shrink_to(OPS_KEPT);
        self.arena.clear();
        self.arena.shrink_to(ARENA_BYTES_KEPT);
        self.replies.bytes.clear();
        self.replies.bytes.shrink_to(ARENA_BYTES_KEPT);
        self.replies.inserts.clear();
        self.replies.inserts.shrink_to(OPS_KEPT);
    }
}

/// An answer on its way to the connection that waits for it.
pub(crate) enum Delivery<'a> {
    /// A reply.
    Reply {
        /// The place of the reply.
        to: ReplyTo,
        /// The bytes of the reply.
        reply: ReplySlice<'a>,
    },
    /// The shard's answer to an operation on it.
    ShardOutcome {
        /// The connection that has asked.
        to: ConnId,
        /// The answer.
        outcome: ShardOutcome,
    },
    /// A step of a walk.
    Walked {
        /// The reply to which its lines belong.
        to: ReplyTo,
        /// The lines that it has produced.
        lines: &'a [u8],
        /// How far the walk has come.
        walked: Walked,
    },
}
