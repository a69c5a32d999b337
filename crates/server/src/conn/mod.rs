//! A connection: bytes in, operations out, replies back in order. It knows no socket call and no clock.
//!
//! ```text
//!              +--------- input (left over from earlier) ---------+
//!   received --+--> codec (by the first byte) --> Op --+--> own engine ------+--> Replies --> to be sent
//!                                                      +--> Router (remote) -+
//! ```
//!
//! Phases: a command line is awaited, a large value is being read into slab memory, bytes are being dropped, or a long
//! multi-get is being worked off. A connection pauses when its peer does not read, when it waits for a broadcast, and
//! after `-R` requests in one turn. Meanwhile, received bytes are kept in `input`; beyond a limit, the socket is no
//! longer read.
//!
//! ```text
//! input steps reads secure direct         bytes on their way in, and the loop over them
//! text binary ahead password              requests, by protocol
//! announced upload holder window          values
//! gather crawl watch                      commands of all shards; walks; the log that takes a connection for good
//! output flow course end state held       replies; when a connection goes on and ends; `stats conns`; its memory
//! ```

mod ahead;
mod announced;
mod binary;
mod course;
mod crawl;
mod cx;
mod direct;
mod end;
mod flow;
mod gather;
mod held;
mod holder;
mod input;
mod link;
mod output;
mod password;
mod reads;
mod secure;
mod sending;
mod state;
mod steps;
mod table;
mod text;
mod tls;
mod upload;
mod watch;
mod window;

use std::os::fd::RawFd;
use std::sync::Arc;

use corecached_engine::{KeyHash, Seconds};
use corecached_protocol::Codec;
use corecached_protocol::event::CloseReason;

pub(crate) use course::{Listed, Parting};
pub(crate) use cx::{Cx, KEYS_PER_TURN};
pub(crate) use direct::{Arrival, LANDING_BYTES};
pub(crate) use gather::Gather;
pub(crate) use held::Held;
pub(crate) use link::Link;
pub(crate) use output::OUTPUT_BYTES_MAX;
pub(crate) use reads::{Reads, Turning};
pub(crate) use secure::HandshakeTurn;
pub(crate) use table::{ConnTable, Totals};
pub(crate) use tls::{Sealing, Secure};

use crate::ground::listeners::BindingProtocol;
use crate::ids::ConnId;
use crate::listen::ListenerId;
use crate::replies::Replies;
use crate::route::pushed::Pushed;
use crate::watch::Watcher;
use course::{Admittance, Course, Stop};
use crawl::Crawl;
use input::{Input, OpenLine};
use sending::Sending;
use text::KeyRun;
use upload::Upload;

/// The command or task that the connection is in the middle of.
#[derive(Debug, Default)]
enum Phase {
    /// A command line comes next.
    #[default]
    Command,
    /// The value of a storage command is being read into slab memory.
    Value(Box<Upload>),
    /// This many bytes of a refused value are still to be dropped.
    Swallow(u64),
    /// A get of many keys, of which some are not answered yet.
    Keys(Box<KeyRun>),
    /// A walk over all items.
    Crawl(Box<Crawl>),
    /// The connection receives only lines of a log, until it ends.
    Watching(Arc<Watcher>),
}

/// One client.
#[derive(Debug)]
pub(crate) struct Conn {
    link: Link,
    /// The connection's place in the table.
    pub(crate) id: ConnId,
    /// The address that the client connected to.
    pub(crate) listener: ListenerId,
    codec: Option<Codec>,
    admittance: Admittance,
    /// The command or task that the connection is in the middle of.
    phase: Phase,
    /// How the connection goes on.
    course: Course,
    /// How the connection's socket is read.
    pub(crate) reads: Reads,
    input: Input,
    line: OpenLine,
    replies: Replies,
    /// The shards on which operations of the connection may not have been run yet.
    pushed: Pushed,
    /// The broadcast under way.
    gather: Option<Box<Gather>>,
    /// The TLS session, if the connection came in by an address with TLS.
    secure: Option<Box<Secure>>,
    /// Bytes of replies that TLS has taken and that are not sent yet.
    sealing_bytes: usize,
    /// The state of the last send.
    sending: Sending,
    /// Memory of the last send.
    sending_bytes: usize,
    /// When the peer last sent something, or took the rest of a long reply.
    pub(crate) last_activity: Seconds,
    /// The facts that watchers are told when the connection closes.
    pub(crate) parting: Parting,
    /// The memory that the shard has counted for the connection.
    pub(crate) counted: Held,
    /// The shard's lists that the connection is in.
    pub(crate) listed: Listed,
}

impl Conn {
    /// A new connection; not `admitted` if it has to authenticate first.
    pub(crate) fn new(
        link: Link,
        id: ConnId,
        listener: ListenerId,
        admitted: bool,
        secure: Option<Box<Secure>>,
        now: Seconds,
    ) -> Conn {
        Conn {
            reads: Reads::new(&link),
            link,
            id,
            listener,
            codec: None,
            admittance: match admitted {
                true => Admittance::Admitted,
                false => Admittance::Stranger,
            },
            phase: Phase::default(),
            course: Course::default(),
            input: Input::default(),
            line: OpenLine::default(),
            replies: Replies::default(),
            pushed: Pushed::default(),
            gather: None,
            secure,
            sealing_bytes: 0,
            sending: Sending::Nothing,
            sending_bytes: 0,
            last_activity: now,
            parting: Parting::default(),
            counted: Held::default(),
            listed: Listed::default(),
        }
    }

    /// The socket, for the reactor.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.link.raw_fd()
    }

    /// The connection's socket or datagram.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The socket or datagram of a connection that has ended.
    pub(crate) fn into_link(self) -> Link {
        self.link
    }

    /// Whether the connection is one request datagram, which can be answered but not talked to.
    pub(crate) fn is_datagram(&self) -> bool {
        matches!(self.link, Link::Datagram { .. })
    }

    /// Whether the connection is a datagram whose reply has become too large.
    pub(crate) fn is_cut_short(&self) -> bool {
        matches!(
            self.link,
            Link::Datagram {
                is_cut_short: true,
                ..
            }
        )
    }

    /// The protocol, once its first byte has come.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Works on received bytes and keeps those that it cannot use yet.
    pub(crate) fn receive_plain(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        self.last_activity = cx.access.now;
        if self.is_closing() || self.is_watching() {
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

    /// Goes on with the input that was kept.
    pub(crate) fn resume(&mut self, cx: &mut Cx<'_>) {
        let input = self.input.take();
        let used = self.consume_all(input.rest(), cx);
        self.input.put_back(input, used);
    }

    /// Executes requests until the input is dry or it is time to stop; returns how many bytes were used up.
    fn consume_all(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> usize {
        let (used, stop) = self.consume(bytes, cx);
        self.course.after(stop);
        match stop {
            Stop::Yield => cx.net.conn_yields.add(1),
            Stop::Close => {
                // A reason that is set already is a better one: the connection ended by `quit` or the like.
                self.parting.reason.get_or_insert(CloseReason::Error);
                return bytes.len();
            }
            _ => {}
        }
        if self.output_is_full(cx)
            && let Link::Datagram { is_cut_short, .. } = &mut self.link
        {
            *is_cut_short = true;
            self.course = Course::Closing;
        }
        if self.reads.have_ended() {
            self.course.close_if_open();
        }
        used
    }

    fn consume(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
        let Some(&first) = bytes.first() else {
            // A walk goes on without further input.
            return match self.phase {
                // The connection may have been paused since it was put on the list of those that can go on.
                Phase::Crawl(_) if self.is_paused() => (0, Stop::Paused),
                Phase::Crawl(_) if self.output_is_full(cx) => (0, Stop::Later),
                Phase::Crawl(_) => (0, crawl::resume(self, cx)),
                // A value can be whole without further input, and it can have waited for memory.
                Phase::Value(_) => match self.codec {
                    Some(codec) => steps::consume(self, codec, bytes, cx),
                    None => (0, Stop::Dry),
                },
                _ => (0, Stop::Dry),
            };
        };
        if self.codec.is_none() && secure::may_be_client_hello(bytes) && !self.is_datagram() {
            return self.answer_client_hello(bytes, cx);
        }
        match self.codec.or_else(|| self.choose_codec(first, cx)) {
            Some(codec) => steps::consume(self, codec, bytes, cx),
            None => (0, Stop::Close),
        }
    }

    /// Chooses the protocol for good, by the first byte and by what the listener allows. Returns `None` if the two do
    /// not agree.
    fn choose_codec(&mut self, first: u8, cx: &Cx<'_>) -> Option<Codec> {
        self.codec = match cx.shared.admission.listener(self.listener).protocol {
            BindingProtocol::Auto => Some(Codec::detect(first)),
            // A first byte of the binary protocol is then part of an unknown text command.
            BindingProtocol::Ascii => Some(Codec::Text),
            BindingProtocol::Binary => {
                Some(Codec::Binary).filter(|&codec| codec == Codec::detect(first))
            }
        };
        self.codec
    }

    fn hash(cx: &Cx<'_>, key: &[u8]) -> KeyHash {
        cx.shared.ground.hasher.hash(key)
    }
}
