//! A connection: bytes in, operations out, replies back in order. It knows no socket call and no clock.
//!
//! ```text
//!              +--------- input (left over from earlier) ---------+
//!   received --+--> codec (by the first byte) --> Op --+--> own engine ------+--> Replies --> to be sent
//!                                                      +--> Router (remote) -+
//! ```
//!
//! Phases: a command line is awaited, a large value is being read into slab memory, bytes are being dropped, or a long
//! multi-get is being worked off. A connection pauses when its peer does not read, when it waits for a broadcast, and after
//! `-R` requests in one turn; what it has received meanwhile is kept in `input`, and beyond a limit it is no longer read.

mod ahead;
mod binary;
mod crawl;
mod direct;
mod gather;
mod holder;
mod input;
mod link;
mod password;
mod secure;
mod steps;
mod table;
mod text;
mod upload;
mod watch;
mod window;

use std::os::fd::RawFd;
use std::sync::Arc;

use corecached_engine::{KeyHash, Seconds};
use corecached_protocol::Codec;
use corecached_protocol::binary::HEADER_BYTES;
use corecached_protocol::event::{CloseReason, Peer};
use corecached_reactor::{Insert, Outgoing};

pub(crate) use direct::{Arrival, LANDING_BYTES};
pub(crate) use gather::Gather;
pub(crate) use link::Link;
pub(crate) use table::{ConnId, ConnTable};

use crate::batch::ReplyTo;
use crate::config::BindingProtocol;
use crate::execute::{Access, execute};
use crate::listen::ListenerId;
use crate::op::Op;
use crate::replies::{Replies, ReplySeq};
use crate::shard::router::Router;
use crate::shared::{NetCounters, Shared};
use crate::tls::Secure;
use crate::watch::Watcher;
use crawl::Crawl;
use input::Input;
use text::KeyRun;
use upload::Upload;

/// With that much to send, no further request is executed until some of it has gone: the bound of a connection's output
/// is this and one more reply.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// As many replies may be outstanding at other shards (and queued behind them).
const OUTSTANDING_MAX: usize = 512;
/// With that much input waiting to be parsed, the socket is no longer read.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// What a connection needs from its shard while it works on input.
pub(crate) struct Cx<'a> {
    /// The shard's own engine.
    pub(crate) access: Access<'a>,
    /// The way to the other shards.
    pub(crate) router: &'a mut Router,
    /// What all shards share.
    pub(crate) shared: &'a Shared,
    /// This shard's network counters.
    pub(crate) net: &'a NetCounters,
    /// A warm buffer for replies, if one is at hand.
    pub(crate) spare: Option<Vec<u8>>,
    /// Where replies go that nobody wants.
    pub(crate) unwanted: Outgoing,
}

impl Cx<'_> {
    /// Asks for the bucket of a key that will be looked up soon, if it is this shard's.
    #[inline]
    fn prefetch(&self, hash: KeyHash) {
        if self.shared.owner_of(hash) == self.access.shard {
            self.access.engine.prefetch(hash);
        }
    }

    /// Asks for the item of a key whose bucket has been asked for.
    #[inline]
    fn prefetch_item(&self, hash: KeyHash) {
        if self.shared.owner_of(hash) == self.access.shard {
            self.access.engine.prefetch_item(hash);
        }
    }
}

/// What the connection is in the middle of.
#[derive(Debug, Default)]
enum Phase {
    /// A command line comes next.
    #[default]
    Command,
    /// The value of a storage command is being read into slab memory.
    Value(Box<Upload>),
    /// That many bytes of a refused value are still to be dropped.
    Swallow(u64),
    /// A multi-get whose replies did not all fit the output limit.
    Keys(Box<KeyRun>),
    /// A walk over all items.
    Crawl(Box<Crawl>),
    /// Nothing but lines of a log, until the connection ends.
    Watching(Arc<Watcher>),
}

/// Whether the socket is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A receive is armed.
    On,
    /// There is a poll instead, since large values are expected.
    Polled,
    /// It is being cancelled.
    Stopping,
    /// No receive is armed.
    Off,
    /// The peer has sent its last byte.
    Ended,
}

/// Why `consume` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// All complete requests are done.
    Dry,
    /// More could be done, in the next turn.
    Yield,
    /// More could be done once the peer reads, other shards answer or the broadcast is through.
    Paused,
    /// The connection ends when its replies are sent.
    Close,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Conn {
    link: Link,
    /// Its place in the table.
    pub(crate) id: ConnId,
    /// The address that it came in by.
    pub(crate) listener: ListenerId,
    codec: Option<Codec>,
    /// Whether it may do more than authenticate.
    admitted: bool,
    /// Whether the next SASL step is one.
    sasl_started: bool,
    phase: Phase,
    input: Input,
    /// Bytes at the beginning of the input that are known to hold no line end.
    searched: usize,
    replies: Replies,
    gather: Option<Box<Gather>>,
    /// Its client, if somebody watches connections.
    pub(crate) peer: Option<Box<Peer>>,
    /// Why it is closed, when it is.
    pub(crate) close_reason: Option<CloseReason>,
    /// TLS, if it came in by such an address.
    secure: Option<Box<Secure>>,
    /// Bytes of replies that TLS has taken and not sent yet.
    sealing_bytes: usize,
    /// When its peer last sent something, or took the rest of a long reply.
    pub(crate) last_activity: Seconds,
    /// Whether the socket is being read.
    pub(crate) reading: Reading,
    /// Reads to be made directly, until one brings no large value.
    direct_reads: u8,
    /// The peer does not read: a send waits in the kernel.
    send_blocked: bool,
    /// There is input that could be worked on.
    stalled: bool,
    /// Ends once its replies are sent.
    closing: bool,
    /// A datagram whose reply has become too large: it was not read to its end.
    pub(crate) cut_short: bool,
    /// Is in the shard's list of connections with something to send.
    pub(crate) dirty: bool,
    /// Is in the shard's list of connections with input left.
    pub(crate) queued: bool,
}

impl Conn {
    /// A fresh connection; not `admitted` if it has to authenticate first.
    pub(crate) fn new(
        link: Link,
        id: ConnId,
        listener: ListenerId,
        admitted: bool,
        secure: Option<Box<Secure>>,
        now: Seconds,
    ) -> Conn {
        let reading = match link {
            Link::Socket(_) => Reading::On,
            Link::Datagram { .. } => Reading::Ended,
        };
        Conn {
            link,
            id,
            listener,
            codec: None,
            admitted,
            sasl_started: false,
            phase: Phase::default(),
            input: Input::default(),
            searched: 0,
            replies: Replies::default(),
            gather: None,
            peer: None,
            close_reason: None,
            secure,
            sealing_bytes: 0,
            last_activity: now,
            reading,
            direct_reads: 0,
            send_blocked: false,
            stalled: false,
            closing: false,
            cut_short: false,
            dirty: false,
            queued: false,
        }
    }

    /// The socket, for the reactor.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.link.raw_fd()
    }

    /// The other side.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The other side, of a connection that has ended.
    pub(crate) fn into_link(self) -> Link {
        self.link
    }

    /// Whether it is one request datagram, which can be answered but not talked to.
    pub(crate) fn is_datagram(&self) -> bool {
        matches!(self.link, Link::Datagram { .. })
    }

    /// The protocol, once its first byte has come.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Works on received bytes; keeps what it cannot use yet.
    pub(crate) fn receive_plain(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        self.last_activity = cx.access.now;
        if self.closing || self.is_watching() {
            return;
        }
        if self.input.is_empty() {
            let used = self.consume_all(bytes, cx);
            self.input.keep(&bytes[used..]);
        } else {
            self.input.keep(bytes);
            self.resume(cx);
        }
    }

    /// Goes on with the input that was left over.
    pub(crate) fn resume(&mut self, cx: &mut Cx<'_>) {
        let input = self.input.take();
        let used = self.consume_all(input.rest(), cx);
        self.input.put_back(input, used);
    }

    /// Executes requests until the input is dry or it is time to stop; returns how many bytes were used up.
    fn consume_all(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> usize {
        let (used, stop) = self.consume(bytes, cx);
        self.stalled = matches!(stop, Stop::Yield | Stop::Paused);
        if stop == Stop::Yield && !matches!(self.phase, Phase::Crawl(_) | Phase::Value(_)) {
            cx.net.conn_yields.add(1);
        }
        if stop == Stop::Close {
            // Whoever says so politely has set it.
            self.close_reason.get_or_insert(CloseReason::Error);
            self.closing = true;
            return bytes.len();
        }
        if self.is_datagram() && self.output_is_full() {
            self.cut_short = true;
            self.stalled = false;
        }
        self.closing |= self.reading == Reading::Ended && !self.stalled;
        used
    }

    fn consume(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
        let Some(&first) = bytes.first() else {
            // A paused multi-get goes on without further input.
            return match self.phase {
                // It may have been paused since it was put on the list of those that can go on.
                Phase::Keys(_) if self.is_paused() => (0, Stop::Paused),
                Phase::Keys(_) => (0, text::resume_keys(self, cx)),
                Phase::Crawl(_) if self.is_paused() => (0, Stop::Paused),
                Phase::Crawl(_) if self.output_is_full() => (0, Stop::Yield),
                Phase::Crawl(_) => (0, crawl::resume(self, cx)),
                // A value can be whole without further input, or have waited for memory.
                Phase::Value(_) => match self.codec {
                    Some(codec) => steps::consume(self, codec, bytes, cx),
                    None => (0, Stop::Dry),
                },
                _ => (0, Stop::Dry),
            };
        };
        if self.codec.is_none() && secure::is_client_hello(bytes) {
            // TLS at a plain address: its client could not read an answer.
            return (0, Stop::Close);
        }
        match self.codec.or_else(|| self.choose_codec(first, cx)) {
            Some(codec) => steps::consume(self, codec, bytes, cx),
            None => (0, Stop::Close),
        }
    }

    /// The protocol for good, by the first byte and by what the listener allows; `None` if they do not agree.
    fn choose_codec(&mut self, first: u8, cx: &Cx<'_>) -> Option<Codec> {
        self.codec = match cx.shared.listener(self.listener).protocol {
            BindingProtocol::Auto => Some(Codec::detect(first)),
            // A first byte of the binary protocol is then part of an unknown command.
            BindingProtocol::Ascii => Some(Codec::Text),
            BindingProtocol::Binary => {
                Some(Codec::Binary).filter(|&codec| codec == Codec::detect(first))
            }
        };
        self.codec
    }

    /// Whether no further request may be executed for now.
    fn is_paused(&self) -> bool {
        self.send_blocked
            || self.gather.is_some()
            || self.replies.outstanding() >= OUTSTANDING_MAX
            || matches!(&self.phase, Phase::Value(upload) if upload.is_awaited())
    }

    /// Whether its output is so large that it has to be sent first.
    fn output_is_full(&self) -> bool {
        let bytes = match self.link {
            Link::Socket(_) => self.replies.queued_bytes() + self.sealing_bytes,
            // Its reply waits until it is complete, so what lies elsewhere does not count.
            Link::Datagram { .. } => self.replies.copied_bytes(),
        };
        bytes > OUTPUT_BYTES_MAX
    }

    /// Runs an operation here, or hands it to the shard that owns the key.
    #[inline]
    fn submit(&mut self, op: &Op<'_>, cx: &mut Cx<'_>) {
        let owner = cx.shared.owner_of(op.hash);
        if owner != cx.access.shard {
            let reply_to = (!op.reply.is_none()).then(|| self.expect_reply());
            cx.router.push(owner, op, reply_to);
        } else if op.reply.is_none() {
            execute(&mut cx.access, op, &mut cx.unwanted);
        } else {
            let Cx { access, spare, .. } = cx;
            self.replies.write(
                || spare.take().unwrap_or_default(),
                |out| execute(access, op, out),
            );
        }
    }

    /// Where an answer goes that is not for the client.
    fn no_reply_to(conn: ConnId) -> ReplyTo {
        let seq = ReplySeq(0);
        ReplyTo { conn, seq }
    }

    fn expect_reply(&mut self) -> ReplyTo {
        ReplyTo {
            conn: self.id,
            seq: self.replies.expect(),
        }
    }

    /// Appends reply bytes made here.
    #[inline]
    fn say(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        self.tell(cx, |out| out.bytes.extend_from_slice(bytes));
    }

    /// Appends a reply made here by `write`.
    #[inline]
    fn tell(&mut self, cx: &mut Cx<'_>, write: impl FnOnce(&mut Outgoing)) {
        self.replies
            .write(|| cx.spare.take().unwrap_or_default(), write);
    }

    /// An awaited reply has come from another shard.
    pub(crate) fn fulfil(
        &mut self,
        seq: ReplySeq,
        spare: &mut Option<Vec<u8>>,
        bytes: &[u8],
        inserts: &[Insert],
        base: usize,
    ) {
        self.replies.fulfil(
            seq,
            || spare.take().unwrap_or_default(),
            bytes,
            inserts,
            base,
        );
    }

    /// The broadcast under way, if there is one.
    pub(crate) fn gather_mut(&mut self) -> Option<&mut Gather> {
        self.gather.as_deref_mut()
    }

    /// Ends the broadcast under way, all shards having done their part.
    pub(crate) fn finish_gather(&mut self, shared: &Shared, spare: &mut Option<Vec<u8>>) {
        let Some(mut gather) = self.gather.take() else {
            return;
        };
        if let (Phase::Crawl(crawl), Some(walked)) = (&mut self.phase, gather.take_walked()) {
            crawl.go_on(walked);
        }
        if let Some(seq) = gather.seq() {
            let mut reply = Outgoing::default();
            gather.tell(shared, &mut reply);
            self.replies.fulfil(
                seq,
                || spare.take().unwrap_or_default(),
                &reply.bytes,
                &reply.inserts,
                0,
            );
        }
    }

    /// Whether replies to earlier requests are not sent yet.
    fn owes_replies(&self) -> bool {
        self.replies.outstanding() > 0 || self.replies.has_ready()
    }

    /// Whether it goes on without further input: a multi-get is in the middle of its keys, a walk in the middle of the
    /// items, or a value waits for memory.
    fn is_mid_run(&self) -> bool {
        match &self.phase {
            Phase::Keys(_) | Phase::Crawl(_) => true,
            Phase::Value(upload) => upload.waits(),
            _ => false,
        }
    }

    /// Takes the replies to send now, unless the socket is still busy with earlier ones.
    pub(crate) fn take_output(&mut self) -> Option<Outgoing> {
        (!self.send_blocked && self.replies.has_ready()).then(|| self.replies.take_ready())
    }

    /// The socket took less than all of the last replies; the rest waits for the peer to read.
    pub(crate) fn send_blocked(&mut self) {
        self.send_blocked = true;
    }

    /// The last replies have been sent.
    pub(crate) fn send_done(&mut self, now: Seconds) {
        self.send_blocked = false;
        self.last_activity = now;
    }

    /// Whether nothing happens here unless its peer sends something: it is idle if that takes long.
    pub(crate) fn awaits_input(&self) -> bool {
        let is_busy = matches!(
            self.phase,
            Phase::Keys(_) | Phase::Crawl(_) | Phase::Watching(_)
        );
        let owes = self.send_blocked || self.owes_replies() || self.gather.is_some();
        !is_busy && !owes && !self.is_datagram()
    }

    /// Whether it could go on with input that it kept.
    pub(crate) fn can_resume(&self) -> bool {
        self.stalled && !self.closing && !self.is_paused()
    }

    /// Whether it has received more requests than it may keep waiting. (A long line that is not complete yet is not full:
    /// its bound is the parser's.)
    pub(crate) fn input_is_full(&self) -> bool {
        self.stalled && self.input.len() > INPUT_BYTES_MAX
    }

    /// How the socket should be read from now on; `None` leaves it unread.
    pub(crate) fn wanted_reading(&self) -> Option<Reading> {
        match self.wants_direct() {
            _ if self.input_is_full() => None,
            true if self.stalled && self.needs_room() => None,
            true => Some(Reading::Polled),
            false => Some(Reading::On),
        }
    }

    /// Whether it should be closed now: it ends, and nothing is left to send.
    pub(crate) fn is_finished(&self) -> bool {
        if !self.closing || self.send_blocked {
            return false;
        }
        match &self.secure {
            Some(secure) if secure.has_failed() => secure.is_finished(),
            Some(secure) if !secure.is_finished() => false,
            _ => self.is_answered() && !self.replies.has_ready(),
        }
    }

    /// Whether all replies are there that will ever be.
    pub(crate) fn is_answered(&self) -> bool {
        self.closing && self.gather.is_none() && self.replies.outstanding() == 0
    }

    /// Takes all replies at once.
    pub(crate) fn take_all_output(&mut self) -> Outgoing {
        self.replies.take_ready()
    }

    /// Whether its end concerns others: see [`Conn::abandon`].
    pub(crate) fn must_be_abandoned(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Command | Phase::Swallow(_) | Phase::Keys(_)
        )
    }

    /// The peer has sent its last byte; what it has asked for is still answered.
    pub(crate) fn input_ended(&mut self) {
        self.reading = Reading::Ended;
        self.closing |= !self.stalled && !self.handshake_waits();
    }

    /// Ends the connection once the replies to what it has already asked are sent.
    pub(crate) fn end(&mut self) {
        self.close_reason = Some(CloseReason::Shutdown);
        self.closing = true;
    }

    /// Whether it is to be closed once its replies are sent.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Gives back what the connection holds in the engine; returns the values in slab memory that will not be sent.
    pub(crate) fn abandon(
        &mut self,
        access: &mut Access<'_>,
        router: &mut Router,
        shared: &Shared,
    ) -> Vec<Insert> {
        match std::mem::take(&mut self.phase) {
            Phase::Value(upload) => upload.abort(access, router),
            Phase::Crawl(crawl) => crawl.abandon(shared),
            Phase::Watching(watcher) => shared.watch.remove(&watcher),
            _ => {}
        }
        let mut unsent = self.replies.abandon();
        if let Some(secure) = &mut self.secure {
            unsent.extend(secure.abandon());
        }
        unsent
    }

    /// Its state in the words of `stats conns`.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.phase {
            _ if self.closing => "conn_closing",
            Phase::Watching(_) => "conn_watch",
            _ if self.send_blocked => "conn_mwrite",
            Phase::Value(_) => "conn_nread",
            Phase::Swallow(_) => "conn_swallow",
            Phase::Keys(_) => "conn_parse_cmd",
            Phase::Crawl(_) => "conn_watch",
            Phase::Command if self.gather.is_some() => "conn_parse_cmd",
            Phase::Command if self.awaits_value() => "conn_nread",
            Phase::Command if self.replies.outstanding() > 0 => "conn_io_queue",
            Phase::Command => "conn_read",
        }
    }

    /// Whether a command has come whose value is what is missing.
    fn awaits_value(&self) -> bool {
        match self.codec {
            Some(Codec::Binary) => self.input.len() >= HEADER_BYTES,
            _ => self.input.awaits_value(),
        }
    }

    /// Replies not sent yet, for `stats conns`.
    pub(crate) fn replies_waiting(&self) -> usize {
        self.replies.outstanding() + usize::from(self.replies.has_ready())
    }

    fn hash(cx: &Cx<'_>, key: &[u8]) -> KeyHash {
        cx.shared.hasher.hash(key)
    }
}
