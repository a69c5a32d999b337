//! The bytes and operations that leave a connection: operations go to where their keys are, replies go out in the order
//! of the requests.
//!
//! ```text
//!   Op --+--> own engine -----------------> bytes --+--> Replies --> take_output --> the reactor
//!        +--> Router --> other shard --> fulfil ----+                                  |
//!        +--> broadcast --> finish_gather ----------+        send_done <---------------+
//! ```

use std::os::fd::RawFd;

use corecached_engine::Seconds;
use corecached_protocol::Codec;
use corecached_reactor::{Outgoing, Reactor, SendId};

use crate::ids::{ReplySeq, ReplyTo, ShardId};
use crate::operation::execute::execute;
use crate::operation::op::Op;
use crate::replies::{ReplyBuffers, ReplySlice};
use crate::shared::Shared;
use crate::verbose;
use crate::wire::notice::Notice;
use crate::wire::{Style, answer, remote_read};

use super::gather::Gather;
use super::sending::{InDoubt, Sending};
use super::{Conn, Cx, Link, Phase};

/// With this many bytes to send, no further request is executed until some of them are sent. So a connection's output
/// is bounded by this number and one more reply.
pub(crate) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// Shows a reply of the connection with this descriptor; `None` if its replies are not shown.
#[inline]
fn show(descriptor: Option<RawFd>, reply: &[u8]) {
    if let Some(descriptor) = descriptor {
        verbose::reply(descriptor, reply);
    }
}

impl Conn {
    /// Runs an operation on the connection's own shard, or hands it to the shard that owns the key. The outcome is told
    /// as `style` says.
    #[inline]
    pub(super) fn submit(&mut self, op: &Op<'_>, style: &Style<'_>, cx: &mut Cx<'_>) {
        let owner = cx.shared.route.owner_of(op.hash);
        if owner != cx.access.shard {
            if remote_read::may_read(op, style) && self.read(owner, (op, style), cx) {
                return;
            }
            if self.run_at_once(owner, (op, style), cx) {
                return;
            }
            self.note_pushed(owner, cx);
            let reply_to = self.expect_reply();
            cx.router.push(owner, op, style, reply_to);
        } else if style.is_none() {
            execute(&mut cx.access, op);
        } else {
            let Cx {
                access,
                reply_buffers,
                ..
            } = cx;
            let shown = self.shown_at();
            self.replies.write(reply_buffers, |out| {
                let begun = out.bytes.len();
                answer(access, op, style, out);
                show(shown, &out.bytes[begun..]);
            });
        }
    }

    /// Notes that an operation of this connection is pushed to another shard: gets may not overtake it.
    #[inline]
    pub(super) fn note_pushed(&mut self, to: ShardId, cx: &Cx<'_>) {
        self.pushed.note(to, cx.router.epoch());
    }

    /// Answers a get of another shard's key from that shard's memory. Returns false if the owner has to answer it:
    /// operations of this connection on that shard may not have been run yet, or a watcher wants to see the get. A
    /// datagram is a connection of its own, which does not know what the datagrams before it have pushed.
    #[inline]
    fn read(&mut self, owner: ShardId, op: (&Op<'_>, &Style<'_>), cx: &mut Cx<'_>) -> bool {
        let Cx {
            access,
            router,
            shared,
            reply_buffers,
            ..
        } = cx;
        let is_datagram = matches!(self.link, Link::Datagram { .. });
        if is_datagram || !access.observer.is_idle() || router.may_owe(owner, &self.pushed) {
            return false;
        }
        let Some(reader) = shared.readers.of(owner) else {
            return false;
        };
        let log = router.log();
        let shown = self.shown_at();
        self.replies.write(reply_buffers, |out| {
            let begun = out.bytes.len();
            let read = remote_read::read((reader, owner), log, access, op, out);
            show(shown, &out.bytes[begun..]);
            read
        })
    }

    /// Runs an operation on another shard's engine now, if that can be borrowed and nothing waits for it. Returns false
    /// if the operation has to be pushed.
    #[inline]
    fn run_at_once(
        &mut self,
        owner: ShardId,
        (op, style): (&Op<'_>, &Style<'_>),
        cx: &mut Cx<'_>,
    ) -> bool {
        let Cx {
            access,
            router,
            shared,
            net,
            reply_buffers,
            ..
        } = cx;
        let (shown, replies) = (self.shown_at(), &mut self.replies);
        let way = (&shared.cores, *net);
        router.run_at_once(owner, op, way, access.now, |access| {
            if style.is_none() {
                execute(access, op);
                return;
            }
            replies.write(reply_buffers, |out| {
                let begun = out.bytes.len();
                answer(access, op, style, out);
                show(shown, &out.bytes[begun..]);
            });
        })
    }

    /// The descriptor to name, if the replies of the connection are shown (`-vv`).
    #[inline]
    fn shown_at(&self) -> Option<RawFd> {
        let shown = verbose::is_on() && self.codec == Some(Codec::Text);
        shown.then(|| self.raw_fd())
    }

    /// Takes the next place in the order of replies. An operation that is not answered (`noreply`) takes one, too,
    /// which stays empty: a reply that the client gets to a later command tells it that the operation has been run.
    pub(super) fn expect_reply(&mut self) -> ReplyTo {
        ReplyTo {
            conn: self.id,
            seq: self.replies.expect(),
        }
    }

    /// Appends reply bytes made here.
    #[inline]
    pub(super) fn reply(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        self.reply_with(cx, |out| out.bytes.extend_from_slice(bytes));
    }

    /// Appends reply bytes made here, unless the request asks for no reply.
    pub(super) fn reply_unless(&mut self, noreply: bool, bytes: &[u8], cx: &mut Cx<'_>) {
        if !noreply {
            self.reply(bytes, cx);
        }
    }

    /// Appends a reply made here by `write`.
    #[inline]
    pub(super) fn reply_with(&mut self, cx: &mut Cx<'_>, write: impl FnOnce(&mut Outgoing)) {
        let shown = self.shown_at();
        self.replies.write(cx.reply_buffers, |out| {
            let begun = out.bytes.len();
            write(out);
            show(shown, &out.bytes[begun..]);
        });
    }

    /// Appends the reply to a command that is not about a key.
    pub(super) fn reply_notice(&mut self, style: Style<'_>, notice: Notice<'_>, cx: &mut Cx<'_>) {
        self.reply_with(cx, |out| style.notice(notice, &mut out.bytes));
    }

    /// Puts a reply that has come from another shard in its place.
    pub(crate) fn fulfil(
        &mut self,
        seq: ReplySeq,
        buffers: &mut ReplyBuffers,
        reply: ReplySlice<'_>,
    ) {
        show(self.shown_at(), reply.bytes);
        self.replies.fulfil(seq, buffers, reply);
    }

    /// The broadcast under way, if there is one.
    pub(crate) fn gather_mut(&mut self) -> Option<&mut Gather> {
        self.gather.as_deref_mut()
    }

    /// Ends the broadcast under way, since all shards have done their part.
    pub(crate) fn finish_gather(&mut self, shared: &Shared, buffers: &mut ReplyBuffers) {
        let Some(mut gather) = self.gather.take() else {
            return;
        };
        if let (Phase::Walk(walk), Some(walked)) = (&mut self.phase, gather.take_walked()) {
            walk.add_prefixes(gather.prefixes(), shared);
            walk.go_on(walked);
        }
        if let Some(seq) = gather.seq() {
            let mut reply = Outgoing::default();
            gather.render(shared, &mut reply.bytes);
            self.fulfil(seq, buffers, ReplySlice::all(&mut reply));
        }
    }

    /// Whether replies to earlier requests are not sent yet.
    pub(super) fn owes_replies(&self) -> bool {
        self.replies.outstanding() > 0 || self.replies.has_ready()
    }

    /// Whether the output is so large that some of it has to be sent first.
    pub(super) fn output_is_full(&self, cx: &Cx<'_>) -> bool {
        let bytes = match self.link {
            Link::Socket(_) => self.replies.queued_bytes() + self.sealing_bytes,
            // The reply to a datagram waits until it is complete, so bytes that lie elsewhere do not count.
            Link::Datagram { .. } => self.replies.copied_bytes(),
        };
        bytes > cx.output_bytes_max
    }

    /// Takes the replies to send now, unless the socket is still busy with earlier ones.
    pub(crate) fn take_output(&mut self) -> Option<Outgoing> {
        let outgoing = (!self.send_is_under_way() && self.replies.has_ready())
            .then(|| self.replies.take_ready())?;
        self.note_sending(&outgoing);
        Some(outgoing)
    }

    /// Takes all replies, whether or not the socket is busy.
    pub(crate) fn take_all_output(&mut self) -> Outgoing {
        self.replies.take_ready()
    }

    /// Sends the replies that were taken.
    pub(crate) fn send(&mut self, outgoing: Outgoing, reactor: &mut Reactor) {
        if let Some(stream) = self.link.stream_mut() {
            self.sending = Sending::Given(reactor.send(stream, outgoing));
        }
    }

    /// The socket took only a part of the last replies; the rest waits for the peer to read.
    pub(crate) fn send_blocked(&mut self, send: SendId) -> Result<(), InDoubt> {
        self.sending.blocked(send)
    }

    /// The last replies have been sent.
    pub(crate) fn send_done(&mut self, send: SendId, now: Seconds) -> Result<(), InDoubt> {
        self.last_activity = now;
        self.sending.done(send)
    }

    /// Replies not sent yet, for `stats conns`.
    pub(crate) fn replies_waiting(&self) -> usize {
        self.replies.outstanding() + usize::from(self.replies.has_ready())
    }
}
