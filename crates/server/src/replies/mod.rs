//! The replies of one connection, in request order although other shards answer in any order.
//!
//! ```text
//!   ready            waiting[0]   waiting[1]   waiting[2]
//!   +-------------+  +---------+  +---------+  +---------+
//!   | may be sent |  | remote  |  | local,  |  | remote  |      later replies of this connection that are
//!   |   now       |  | (empty) |  | in side |  | (empty) |      already there stand in `side` until it is their turn
//!   +-------------+  +---------+  +---------+  +---------+
//! ```
//!
//! With nothing waiting (always so with one shard), a reply is written straight into `ready`. The buffers come from the
//! shard ([`ReplyBuffers`]); that of `side` goes back as soon as nothing waits, so an idle connection keeps none.

use std::collections::VecDeque;

use corecached_reactor::{Insert, Outgoing};

use crate::ids::ReplySeq;
use crate::wire::value::SEND_IN_PLACE_BYTES;

mod buffers;

pub(crate) use buffers::ReplyBuffers;

/// A reply that was made elsewhere: a slice of a buffer of replies.
#[derive(Debug)]
pub(crate) struct ReplySlice<'a> {
    /// The bytes of the reply.
    pub(crate) bytes: &'a [u8],
    /// Values in slab memory that belong between the bytes; they are taken.
    pub(crate) inserts: &'a mut [Insert],
    /// Where `bytes` begins in the buffer that the inserts' positions count from.
    pub(crate) base: usize,
}

impl<'a> ReplySlice<'a> {
    /// A reply without values in slab memory.
    pub(crate) fn plain(bytes: &'a [u8]) -> ReplySlice<'a> {
        ReplySlice {
            bytes,
            inserts: &mut [],
            base: 0,
        }
    }

    /// All bytes of a buffer.
    pub(crate) fn all(outgoing: &'a mut Outgoing) -> ReplySlice<'a> {
        ReplySlice {
            bytes: &outgoing.bytes,
            inserts: &mut outgoing.inserts,
            base: 0,
        }
    }
}

/// One place in the order of replies, from the first that is not there yet.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Another shard still owes the reply.
    Waiting,
    /// The reply is there: this many bytes and inserts, which in `side` follow those of the ready slots before this
    /// slot.
    Ready {
        start: usize,
        end: usize,
        first_insert: usize,
        end_insert: usize,
    },
}

/// Replies of one connection in request order.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    ready: Outgoing,
    side: Outgoing,
    waiting: VecDeque<Slot>,
    /// Sequence number of `waiting[0]`.
    first: u32,
    /// Bytes of inserts in `ready` and `side`.
    inserted_bytes: usize,
    /// The expected length of the next reply from another shard, judged by the replies that have come.
    estimate: Estimate,
}

/// A maximum of the lengths of replies that falls slowly, so that a few small replies do not bring it down.
#[derive(Clone, Copy, Debug)]
struct Estimate(usize);

impl Default for Estimate {
    /// Before the first reply, replies are expected to be as long as the largest value that is copied, with the bytes
    /// around it.
    fn default() -> Estimate {
        Estimate(SEND_IN_PLACE_BYTES)
    }
}

impl Estimate {
    #[inline]
    fn note(&mut self, bytes: usize) {
        self.0 = bytes.max(self.0 - self.0 / ESTIMATE_FALL);
    }
}

impl Replies {
    /// Calls `write` with the buffer in which the next reply belongs.
    #[inline]
    pub(crate) fn write<R>(
        &mut self,
        buffers: &mut ReplyBuffers,
        write: impl FnOnce(&mut Outgoing) -> R,
    ) -> R {
        if self.waiting.is_empty() {
            if self.ready.bytes.capacity() == 0 {
                self.ready.bytes = buffers.take_ready();
            }
            let inserts = self.ready.inserts.len();
            let result = write(&mut self.ready);
            if self.ready.inserts.len() > inserts {
                self.inserted_bytes += inserted(&self.ready.inserts[inserts..]);
            }
            return result;
        }
        self.write_behind(buffers, write)
    }

    fn write_behind<R>(
        &mut self,
        buffers: &mut ReplyBuffers,
        write: impl FnOnce(&mut Outgoing) -> R,
    ) -> R {
        self.prepare_side(buffers);
        let (start, first_insert) = (self.side.bytes.len(), self.side.inserts.len());
        let result = write(&mut self.side);
        let (end, end_insert) = (self.side.bytes.len(), self.side.inserts.len());
        if end == start && end_insert == first_insert {
            return result;
        }
        self.inserted_bytes += inserted(&self.side.inserts[first_insert..]);
        if let Some(Slot::Ready {
            end: last_end,
            end_insert: last_insert,
            ..
        }) = self.waiting.back_mut()
            && *last_end == start
            && *last_insert == first_insert
        {
            (*last_end, *last_insert) = (end, end_insert);
            return result;
        }
        self.waiting.push_back(Slot::Ready {
            start,
            end,
            first_insert,
            end_insert,
        });
        result
    }

    fn prepare_side(&mut self, buffers: &mut ReplyBuffers) {
        if self.side.bytes.capacity() == 0 {
            self.side.bytes = buffers.take_side();
        }
    }

    /// Keeps a place for a reply that another shard will give, and returns the place.
    pub(crate) fn expect(&mut self) -> ReplySeq {
        let seq = self.first.wrapping_add(self.waiting.len() as u32);
        self.waiting.push_back(Slot::Waiting);
        ReplySeq(seq)
    }

    /// The places of the first reply that is not ready, and of the next reply from another shard.
    pub(crate) fn span(&self) -> (u32, u32) {
        let next = self.first.wrapping_add(self.waiting.len() as u32);
        (self.first, next)
    }

    /// Puts an awaited reply in its place, and moves all replies that are complete now to the ready bytes.
    pub(crate) fn fulfil(
        &mut self,
        seq: ReplySeq,
        buffers: &mut ReplyBuffers,
        reply: ReplySlice<'_>,
    ) {
        let index = seq.0.wrapping_sub(self.first) as usize;
        debug_assert!(index < self.waiting.len(), "a reply nobody waits for");
        let inserted = inserted(reply.inserts);
        self.inserted_bytes += inserted;
        self.estimate.note(reply.bytes.len() + inserted);
        if index == 0 {
            if self.ready.bytes.capacity() == 0 {
                self.ready.bytes = buffers.take_ready();
            }
            append(&mut self.ready, reply);
            self.waiting.pop_front();
            self.first = self.first.wrapping_add(1);
            self.advance(buffers);
            return;
        }
        self.prepare_side(buffers);
        let (start, first_insert) = (self.side.bytes.len(), self.side.inserts.len());
        append(&mut self.side, reply);
        if let Some(slot) = self.waiting.get_mut(index) {
            *slot = Slot::Ready {
                start,
                end: self.side.bytes.len(),
                first_insert,
                end_insert: self.side.inserts.len(),
            };
        }
    }

    /// Moves ready slots from the front of the queue to `ready`.
    fn advance(&mut self, buffers: &mut ReplyBuffers) {
        while let Some(&Slot::Ready {
            start,
            end,
            first_insert,
            end_insert,
        }) = self.waiting.front()
        {
            let reply = ReplySlice {
                bytes: &self.side.bytes[start..end],
                inserts: &mut self.side.inserts[first_insert..end_insert],
                base: start,
            };
            append(&mut self.ready, reply);
            self.waiting.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        if self.waiting.is_empty() {
            // An idle connection keeps no buffer.
            buffers.give_side(std::mem::take(&mut self.side.bytes));
            self.side.inserts.clear();
            self.side.inserts.shrink_to(WAITING_KEPT);
            self.waiting.shrink_to(WAITING_KEPT);
        }
    }

    /// Number of replies that other shards still owe, and of those queued behind them.
    pub(crate) fn outstanding(&self) -> usize {
        self.waiting.len()
    }

    /// Expected bytes of the replies that other shards still owe.
    #[inline]
    pub(crate) fn expected_bytes(&self) -> usize {
        match self.waiting.len() {
            0 => 0,
            waiting => waiting * self.estimate.0 + self.side.bytes.len(),
        }
    }

    /// Number of further replies, at most `wanted` and at least one, that keep the bytes queued and awaited below
    /// `limit`.
    pub(crate) fn room(&self, limit: usize, wanted: usize) -> usize {
        let free = limit.saturating_sub(self.queued_bytes() + self.expected_bytes());
        (free / self.estimate.0.max(1)).clamp(1, wanted)
    }

    /// Bytes of heap memory held, without replies that were taken.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        held(&self.ready) + held(&self.side) + self.waiting.capacity() * size_of::<Slot>()
    }

    /// Whether something may be sent now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.bytes.is_empty() || !self.ready.inserts.is_empty()
    }

    /// Bytes that wait to be sent, values in slab memory included.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.ready.bytes.len() + self.side.bytes.len() + self.inserted_bytes
    }

    /// Bytes that wait to be sent without the values in slab memory, and so in heap memory.
    pub(crate) fn copied_bytes(&self) -> usize {
        self.ready.bytes.len() + self.side.bytes.len()
    }

    /// Takes the bytes that may be sent now.
    pub(crate) fn take_ready(&mut self) -> Outgoing {
        self.inserted_bytes -= inserted(&self.ready.inserts);
        std::mem::take(&mut self.ready)
    }

    /// Takes the inserts of everything that will never be sent, so that they can be unpinned; empties the queue.
    pub(crate) fn abandon(&mut self) -> Vec<Insert> {
        let mut inserts = std::mem::take(&mut self.ready).inserts;
        // Inserts that have moved on from here have left empty ones behind.
        inserts.append(&mut self.side.inserts);
        *self = Replies::default();
        inserts
    }
}

/// Places in the order of replies, and values in the side buffer, for which memory is kept when they have emptied.
const WAITING_KEPT: usize = 64;
/// With each reply the estimate falls by this fraction: from 16 KiB to 100 bytes in 330 replies.
const ESTIMATE_FALL: usize = 64;

/// Bytes of heap memory that the replies in `outgoing` hold, without values in slab memory.
pub(crate) fn held(outgoing: &Outgoing) -> usize {
    outgoing.bytes.capacity() + outgoing.inserts.capacity() * size_of::<Insert>()
}

fn inserted(inserts: &[Insert]) -> usize {
    inserts.iter().map(Insert::len).sum()
}

/// Appends a reply.
fn append(to: &mut Outgoing, reply: ReplySlice<'_>) {
    let shift = to.bytes.len();
    to.bytes.extend_from_slice(reply.bytes);
    let taken = reply.inserts.iter_mut().map(|insert| {
        let at = insert.at() - reply.base + shift;
        insert.take_to(at)
    });
    to.inserts.extend(taken);
}

#[cfg(test)]
mod tests;
