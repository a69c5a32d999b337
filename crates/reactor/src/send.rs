//! Sends: the kernel tries them at submission, and finishes them later when the peer is slow.
//!
//! A send is first submitted with `MSG_DONTWAIT | MSG_WAITALL` and `IOSQE_CQE_SKIP_SUCCESS`. The kernel executes the
//! send inside `io_uring_enter`. If the socket takes all of it there is no completion at all. Any other result
//! (`EAGAIN`, a part, an error) is posted before that call returns, since an entry with `MSG_DONTWAIT` is never queued
//! for later (`REQ_F_NOWAIT` in io_uring/net.c and `io_queue_async`). So after a turn that submitted everything:
//!
//! ```text
//!   no completion    -> sent; the buffer is free                                  (nearly always)
//!   short or EAGAIN  -> the rest again without MSG_DONTWAIT: the kernel waits for room, a completion ends it
//!   other error      -> failed
//! ```
//! A send that needs several calls (more than 256 pieces, or more than 1 GiB) waits from the beginning. If a turn could
//! not submit everything, no send without a completion is known to be out: the caller is told that they are under way.
//!
//! Every send has an id, which its events and its completions name (`docs/design/006-sends.md`).

use std::num::NonZeroU32;
use std::os::fd::RawFd;

use crate::driver::Driver;
use crate::gather::{CHUNK_BYTES_MAX, PIECES_MAX, gather};
use crate::operation::{SendEntry, SendWhat};
use crate::outgoing::{Outgoing, Progress};
use crate::send_id::SendId;
use crate::token::Token;
use crate::user_data::UserData;

const FLAGS_WAITING: i32 = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
const FLAGS_INLINE: i32 = FLAGS_WAITING | libc::MSG_DONTWAIT;

/// Messages kept for reuse; more than a few only exist when many large values are sent in one tick.
const POOLED_MESSAGES_MAX: usize = 64;

/// The error of a send whose bytes do not add up: it is not known which bytes the peer has got, so the connection is of
/// no use.
pub const IN_DOUBT: i32 = libc::EPROTO;

/// How a send begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The send is tried once, and done unless a completion comes.
    Inline,
    /// The send waits from the beginning: a completion will come.
    Waiting,
    /// There are fewer bytes to send than the outgoing declares.
    Impossible,
}

/// Meaning of a completion for its send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The rest is on its way.
    Continues,
    /// All bytes are with the kernel.
    Done,
    /// The send ended with this error.
    Failed(i32),
}

/// A send that has ended.
pub(crate) struct Ended {
    pub(crate) token: Token,
    pub(crate) id: SendId,
    /// The caller has been told that the send is under way.
    pub(crate) is_told: bool,
    pub(crate) outgoing: Outgoing,
}

/// All sends in flight, by slot.
#[derive(Default)]
pub(crate) struct Sends {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots whose first submission has not been settled.
    fresh: Vec<u32>,
    pool: MessagePool,
}

/// Messages for reuse, boxed as they are in slots: the kernel has their address.
type MessagePool = Vec<Box<Message>>;

struct Slot {
    serial: NonZeroU32,
    token: Token,
    /// The socket. Nothing is submitted for it once its stream is closed.
    fd: RawFd,
    outgoing: Outgoing,
    sent_bytes: usize,
    total_bytes: usize,
    /// The place after the first `sent_bytes` bytes, in a send with inserts.
    progress: Progress,
    /// Only for sends with inserts. The message stays in place while the kernel may read it.
    message: Option<Box<Message>>,
    phase: Phase,
    /// The caller knows that the send is under way, and is owed the event of its end.
    is_told: bool,
    /// Listed in `fresh`: the slot must not be given to another send yet.
    is_fresh: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Submitted with `MSG_DONTWAIT`: no completion means sent.
    Inline,
    /// Submitted without `MSG_DONTWAIT`: a completion will come.
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
    /// Queues a send and says how it begins.
    pub(crate) fn start(
        &mut self,
        driver: &mut Driver,
        fd: RawFd,
        token: Token,
        outgoing: Outgoing,
    ) -> (SendId, Begun) {
        let id = self.place(fd, token, outgoing);
        self.fresh.push(id.slot);
        if !self.submit(driver, id.slot) {
            return (id, Begun::Impossible);
        }
        let slot = &mut self.slots[id.slot as usize];
        slot.is_told = slot.phase == Phase::Waiting;
        match slot.is_told {
            true => (id, Begun::Waiting),
            false => (id, Begun::Inline),
        }
    }

    /// The id of a send of nothing, which has ended.
    pub(crate) fn pass(&mut self) -> SendId {
        let id = self.place(-1, Token(0), Outgoing::default());
        let slot = &mut self.slots[id.slot as usize];
        (slot.phase, slot.is_fresh) = (Phase::Free, false);
        self.free.push(id.slot);
        id
    }

    /// Whether a send is not known to have ended.
    pub(crate) fn is_under_way(&self, id: SendId) -> bool {
        let slot = &self.slots[id.slot as usize];
        slot.serial == id.serial && slot.phase != Phase::Free
    }

    /// The id of the send that a completion with this payload belongs to.
    pub(crate) fn named(&self, payload: u64) -> SendId {
        let slot = payload as u32;
        let serial = self.slots[slot as usize].serial;
        let id = SendId { slot, serial };
        // A send that has ended has given its memory away. A completion for such a send means that the kernel still
        // read that memory, so nothing can be trusted any more.
        assert!(
            id.pack() == payload && self.is_under_way(id),
            "a completion for a send that has ended"
        );
        id
    }

    /// The token of a send, and its descriptor.
    pub(crate) fn stream(&self, id: SendId) -> (Token, RawFd) {
        let slot = &self.slots[id.slot as usize];
        (slot.token, slot.fd)
    }

    /// A completion of the send came. With `is_closing` nothing more is submitted for the send.
    pub(crate) fn complete(
        &mut self,
        driver: &mut Driver,
        id: SendId,
        result: i32,
        is_closing: bool,
    ) -> Verdict {
        let slot = &mut self.slots[id.slot as usize];
        match result {
            0.. if !slot.note_sent(result as usize) => return Verdict::Failed(IN_DOUBT),
            0.. => {}
            _ if -result == libc::EAGAIN || -result == libc::EINTR => {}
            _ => return Verdict::Failed(-result),
        }
        if slot.sent_bytes == slot.total_bytes {
            return Verdict::Done;
        }
        if is_closing {
            return Verdict::Failed(libc::ECANCELED);
        }
        slot.phase = Phase::Waiting;
        match self.submit(driver, id.slot) {
            true => Verdict::Continues,
            false => Verdict::Failed(IN_DOUBT),
        }
    }

    /// Notes that the caller is told that a send is under way; `false` if the caller has been told before.
    pub(crate) fn tell(&mut self, id: SendId) -> bool {
        !std::mem::replace(&mut self.slots[id.slot as usize].is_told, true)
    }

    /// Takes out a send whose last completion has come.
    pub(crate) fn end(&mut self, id: SendId) -> Ended {
        let slot = &mut self.slots[id.slot as usize];
        slot.phase = Phase::Free;
        let ended = Ended {
            token: slot.token,
            id,
            is_told: slot.is_told,
            outgoing: std::mem::take(&mut slot.outgoing),
        };
        let message = slot.message.take();
        if !slot.is_fresh {
            self.free.push(id.slot);
        }
        if let Some(message) = message
            && self.pool.len() < POOLED_MESSAGES_MAX
        {
            self.pool.push(message);
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
            let id = slot.id(index);
            match slot.phase {
                Phase::Inline => sent(self.end(id)),
                Phase::Free => self.free.push(index),
                Phase::Waiting => {}
            }
        }
        self.fresh = fresh;
    }

    /// Calls `tell` for each send that cannot be settled yet, so that the caller does not take it for done. These sends
    /// stay fresh.
    pub(crate) fn postpone(&mut self, mut tell: impl FnMut(Token, SendId)) {
        for &index in &self.fresh {
            let slot = &mut self.slots[index as usize];
            if slot.phase == Phase::Inline && !std::mem::replace(&mut slot.is_told, true) {
                tell(slot.token, slot.id(index));
            }
        }
    }

    /// Puts a send into a slot, and returns its id.
    fn place(&mut self, fd: RawFd, token: Token, outgoing: Outgoing) -> SendId {
        let total_bytes = outgoing.len();
        let mut slot = Slot {
            serial: NonZeroU32::MIN,
            token,
            fd,
            outgoing,
            sent_bytes: 0,
            total_bytes,
            progress: Progress::default(),
            message: None,
            phase: Phase::Inline,
            is_told: false,
            is_fresh: true,
        };
        if let Some(index) = self.free.pop() {
            let place = &mut self.slots[index as usize];
            slot.serial = place.serial.checked_add(1).unwrap_or(NonZeroU32::MIN);
            *place = slot;
            return place.id(index);
        }
        let index = u32::try_from(self.slots.len()).expect("fewer sends than 2^32");
        let id = slot.id(index);
        self.slots.push(slot);
        id
    }

    /// Submits the rest of the send in slot `index`, which must not be empty; `false` if no bytes of the rest can be
    /// found.
    fn submit(&mut self, driver: &mut Driver, index: u32) -> bool {
        let slot = &mut self.slots[index as usize];
        let left = slot.total_bytes - slot.sent_bytes;
        let (what, bytes) = if slot.outgoing.inserts.is_empty() {
            slot.plain(left)
        } else {
            slot.gathered(&mut self.pool)
        };
        if bytes == 0 {
            return false;
        }
        if bytes < left {
            slot.phase = Phase::Waiting;
        }
        let is_inline = slot.phase == Phase::Inline;
        let entry = SendEntry {
            fd: slot.fd,
            what,
            flags: if is_inline {
                FLAGS_INLINE
            } else {
                FLAGS_WAITING
            },
            skips_success: is_inline,
            user_data: UserData::send(slot.id(index)),
        };
        // SAFETY: the entry points to the slot's bytes, inserts and message. These are neither moved nor freed before
        // `end`, which is called after the send's completion, or by `settle` when there will be none: the heap memory
        // of a `Vec` and a `Box` stays put when the slot itself moves. The memory that the inserts refer to is valid as
        // long as the inserts are in the slot. The descriptor is open: its `Stream` is not closed, or the close is
        // queued behind this entry.
        unsafe { driver.send(entry) }
        true
    }
}

impl Slot {
    /// The id of the send in this slot, which is number `index`.
    fn id(&self, index: u32) -> SendId {
        SendId {
            slot: index,
            serial: self.serial,
        }
    }

    /// Notes that the kernel has taken `bytes` more bytes. `false` if `bytes` is 0 or more than there was left to send.
    fn note_sent(&mut self, bytes: usize) -> bool {
        if bytes == 0 || bytes > self.total_bytes - self.sent_bytes {
            return false;
        }
        self.sent_bytes += bytes;
        if self.sent_bytes == self.total_bytes || self.outgoing.inserts.is_empty() {
            return true;
        }
        // SAFETY: the progress is that of this slot's send, whose inserts stay until the send ends.
        unsafe { self.progress.skip(&self.outgoing, bytes) == bytes }
    }

    /// A send of contiguous bytes.
    fn plain(&self, left: usize) -> (SendWhat, usize) {
        let bytes = left.min(CHUNK_BYTES_MAX);
        let start = self.outgoing.bytes[self.sent_bytes..].as_ptr();
        (SendWhat::Bytes(start, bytes as u32), bytes)
    }

    /// A send of several pieces.
    fn gathered(&mut self, pool: &mut MessagePool) -> (SendWhat, usize) {
        let mut message = self
            .message
            .take()
            .or_else(|| pool.pop())
            .unwrap_or_default();
        message.pieces.clear();
        // SAFETY: the progress is that of this slot's send, whose inserts stay until the send ends.
        let bytes = unsafe { gather(&self.outgoing, self.progress, &mut message.pieces) };
        message.header.msg_iov = message.pieces.as_mut_ptr();
        message.header.msg_iovlen = message.pieces.len();
        let header = &raw const self.message.insert(message).header;
        (SendWhat::Message(header, bytes), bytes)
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
