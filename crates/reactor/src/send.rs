//! Sends: tried by the kernel at submission, finished by it when the peer is slow.
//!
//! A send is first submitted with `MSG_DONTWAIT | MSG_WAITALL` and `IOSQE_CQE_SKIP_SUCCESS`. The kernel executes it
//! inside `io_uring_enter`: if the socket takes all of it there is no completion at all, and anything else (`EAGAIN`,
//! a part, an error) is posted before that call returns, since an entry with `MSG_DONTWAIT` is never queued for later
//! (`REQ_F_NOWAIT` in io_uring/net.c and `io_queue_async`). So after a turn that submitted everything:
//!
//! ```text
//!   no completion    -> sent; the buffer is free                                  (nearly always)
//!   short or EAGAIN  -> the rest again without MSG_DONTWAIT: the kernel waits for room, a completion ends it
//!   other error      -> failed
//! ```
//! A send that needs several calls (more than 256 pieces, or more than 1 GiB) waits from the beginning.

use io_uring::{opcode, squeue, types::Fd};
use std::os::fd::RawFd;

use crate::event::{Outgoing, Progress, Token};
use crate::gather::{CHUNK_BYTES_MAX, PIECES_MAX, gather};
use crate::ring::Ring;
use crate::user_data::UserData;

const FLAGS_WAITING: i32 = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
const FLAGS_INLINE: i32 = FLAGS_WAITING | libc::MSG_DONTWAIT;

/// Messages kept for reuse; more than a few only exist when many large values are sent in one tick.
const SPARE_MESSAGES_MAX: usize = 64;

/// What a completion meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The socket was full for the first time; the rest is on its way.
    Blocked,
    /// The rest is still on its way.
    Continues,
    /// All bytes are with the kernel.
    Done,
    /// It ended with this error.
    Failed(i32),
}

/// A send that has ended.
pub(crate) struct Ended {
    pub(crate) token: Token,
    pub(crate) outgoing: Outgoing,
}

/// All sends in flight, by slot.
#[derive(Default)]
pub(crate) struct Sends {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots whose first submission has not been settled.
    fresh: Vec<u32>,
    spare: Spare,
}

/// Messages for reuse, boxed as they are in slots: the kernel has their address.
type Spare = Vec<Box<Message>>;

struct Slot {
    token: Token,
    fd: RawFd,
    outgoing: Outgoing,
    sent_bytes: usize,
    total_bytes: usize,
    /// Where `sent_bytes` is, in a send with inserts.
    progress: Progress,
    /// Only for sends with inserts; it stays in place while the kernel may read it.
    message: Option<Box<Message>>,
    phase: Phase,
    /// Listed in `fresh`: the slot must not be given to another send yet.
    is_fresh: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Submitted with `MSG_DONTWAIT`: no completion means sent.
    Inline,
    /// Submitted without: a completion will come.
    Waiting,
    /// Ended.
    Free,
}

/// The header and pieces of one `sendmsg`.
struct Message {
    header: libc::msghdr,
    pieces: Vec<libc::iovec>,
}

impl Sends {
    /// Queues a send. Returns its slot and whether it waits from the beginning (then a completion will come).
    pub(crate) fn start(
        &mut self,
        ring: &mut Ring,
        fd: RawFd,
        token: Token,
        outgoing: Outgoing,
    ) -> (u32, bool) {
        let total_bytes = outgoing.len();
        let slot = Slot {
            token,
            fd,
            outgoing,
            sent_bytes: 0,
            total_bytes,
            progress: Progress::default(),
            message: None,
            phase: Phase::Inline,
            is_fresh: true,
        };
        let index = self.place(slot);
        self.fresh.push(index);
        self.submit(ring, index);
        (index, self.slots[index as usize].phase == Phase::Waiting)
    }

    /// The token of the send in slot `index`.
    pub(crate) fn token(&self, index: u32) -> Token {
        self.slots[index as usize].token
    }

    /// The descriptor of the send in slot `index`.
    pub(crate) fn fd(&self, index: u32) -> RawFd {
        self.slots[index as usize].fd
    }

    /// A completion came for slot `index`. With `is_closing` nothing more is submitted for it.
    pub(crate) fn complete(
        &mut self,
        ring: &mut Ring,
        index: u32,
        result: i32,
        is_closing: bool,
    ) -> Verdict {
        let slot = &mut self.slots[index as usize];
        assert!(
            slot.phase != Phase::Free,
            "a completion for a send that has ended"
        );
        match result {
            0.. => slot.note_sent(result as usize),
            _ if -result == libc::EAGAIN || -result == libc::EINTR => {}
            _ => return Verdict::Failed(-result),
        }
        if slot.sent_bytes == slot.total_bytes {
            return Verdict::Done;
        }
        if is_closing {
            return Verdict::Failed(libc::ECANCELED);
        }
        let was = std::mem::replace(&mut slot.phase, Phase::Waiting);
        self.submit(ring, index);
        if was == Phase::Inline {
            Verdict::Blocked
        } else {
            Verdict::Continues
        }
    }

    /// Takes the send out of slot `index`, whose completion has come.
    pub(crate) fn end(&mut self, index: u32) -> Ended {
        let slot = &mut self.slots[index as usize];
        slot.phase = Phase::Free;
        let ended = Ended {
            token: slot.token,
            outgoing: std::mem::take(&mut slot.outgoing),
        };
        let message = slot.message.take();
        if !slot.is_fresh {
            self.free.push(index);
        }
        if let Some(message) = message
            && self.spare.len() < SPARE_MESSAGES_MAX
        {
            self.spare.push(message);
        }
        ended
    }

    /// Ends all sends that were submitted inline and got no completion: they are sent. To be called only when the
    /// kernel has taken every entry and every completion has been looked at.
    pub(crate) fn settle(&mut self, mut sent: impl FnMut(Ended)) {
        let mut fresh = std::mem::take(&mut self.fresh);
        for index in fresh.drain(..) {
            let slot = &mut self.slots[index as usize];
            slot.is_fresh = false;
            match slot.phase {
                Phase::Inline => sent(self.end(index)),
                Phase::Free => self.free.push(index),
                Phase::Waiting => {}
            }
        }
        self.fresh = fresh;
    }

    fn place(&mut self, slot: Slot) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("fewer sends than 2^32")
            }
        }
    }

    /// Submits what is left of the send in slot `index`.
    fn submit(&mut self, ring: &mut Ring, index: u32) {
        let slot = &mut self.slots[index as usize];
        let left = slot.total_bytes - slot.sent_bytes;
        let (entry, bytes) = if slot.outgoing.inserts.is_empty() {
            slot.plain(left)
        } else {
            slot.gathered(&mut self.spare, left)
        };
        if bytes < left {
            slot.phase = Phase::Waiting;
        }
        let flags = match slot.phase {
            Phase::Inline => squeue::Flags::SKIP_SUCCESS,
            _ => squeue::Flags::empty(),
        };
        let entry = entry.flags(flags).user_data(UserData::send(index).0);
        // SAFETY: the entry points to the slot's bytes, inserts and message. They are neither moved nor freed before
        // `end`, which is called after the send's completion, or by `settle` when there will be none: the heap
        // memory of a `Vec` and a `Box` stays put when the slot itself moves. Inserts are valid by the contract of
        // `Insert`.
        unsafe { ring.push(entry) }
    }
}

impl Slot {
    /// The kernel has taken so many bytes more.
    fn note_sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes;
        assert!(
            self.sent_bytes <= self.total_bytes,
            "the kernel sent more than there was"
        );
        if self.sent_bytes < self.total_bytes && !self.outgoing.inserts.is_empty() {
            // SAFETY: the inserts are valid by the contract of `Insert` until they are given back.
            unsafe { self.progress.skip(&self.outgoing, bytes) };
        }
    }

    fn flags(&self, bytes: usize, left: usize) -> i32 {
        let is_inline = self.phase == Phase::Inline && bytes == left;
        if is_inline {
            FLAGS_INLINE
        } else {
            FLAGS_WAITING
        }
    }

    /// A send of contiguous bytes.
    fn plain(&self, left: usize) -> (squeue::Entry, usize) {
        let bytes = left.min(CHUNK_BYTES_MAX);
        let start = self.outgoing.bytes[self.sent_bytes..].as_ptr();
        let entry = opcode::Send::new(Fd(self.fd), start, bytes as u32);
        (entry.flags(self.flags(bytes, left)).build(), bytes)
    }

    /// A send of several pieces.
    fn gathered(&mut self, spare: &mut Spare, left: usize) -> (squeue::Entry, usize) {
        let mut message = self
            .message
            .take()
            .or_else(|| spare.pop())
            .unwrap_or_default();
        message.pieces.clear();
        // SAFETY: the inserts are valid by the contract of `Insert` until they are given back.
        let bytes = unsafe { gather(&self.outgoing, self.progress, &mut message.pieces) };
        message.header.msg_iov = message.pieces.as_mut_ptr();
        message.header.msg_iovlen = message.pieces.len();
        let flags = self.flags(bytes, left) as u32;
        let header = &raw const self.message.insert(message).header;
        let entry = opcode::SendMsg::new(Fd(self.fd), header).flags(flags);
        (entry.build(), bytes)
    }
}

impl Default for Message {
    fn default() -> Self {
        // SAFETY: a `msghdr` of zeroes is valid: no name, no pieces, no control data.
        let header = unsafe { std::mem::zeroed() };
        let pieces = Vec::with_capacity(PIECES_MAX.min(16));
        Self { header, pieces }
    }
}
