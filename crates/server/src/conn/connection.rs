//! The state of one connection: what it is in the middle of, and what it holds.

use std::os::fd::RawFd;
use std::sync::Arc;

use corecached_engine::Seconds;
use corecached_protocol::Codec;
use corecached_reactor::Outgoing;

use crate::ids::ConnId;
use crate::latency::Place;
use crate::listen::ListenerId;
use crate::replies::{self, Replies};
use crate::route::pushed::Pushed;
use crate::watch::Watcher;

use super::auth_state::AuthState;
use super::close_event::CloseEvent;
use super::gather::Gather;
use super::held::Held;
use super::input::{Input, OpenLine};
use super::key_run::KeyRun;
use super::link::Link;
use super::listed::Listed;
use super::read_state::Reads;
use super::run_state::RunState;
use super::sending::Sending;
use super::tls::Secure;
use super::upload::Upload;
use super::walk_state::Walk;

/// The command or task that the connection is in the middle of.
#[derive(Debug, Default)]
pub(super) enum Phase {
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
    Walk(Box<Walk>),
    /// The connection receives only lines of a log, until it ends.
    Watching(Arc<Watcher>),
}

/// One client.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Where the bytes come from and the replies go.
    pub(super) link: Link,
    /// The connection's place in the table.
    pub(crate) id: ConnId,
    /// The address that the client connected to.
    pub(crate) listener: ListenerId,
    /// The protocol, once its first byte has come.
    pub(super) codec: Option<Codec>,
    /// Whether the connection may do more than authenticate.
    pub(super) auth: AuthState,
    /// The command or task that the connection is in the middle of.
    pub(super) phase: Phase,
    /// How the connection goes on.
    pub(super) run_state: RunState,
    /// How the connection's socket is read.
    pub(crate) reads: Reads,
    /// Received bytes that could not be used yet.
    pub(super) input: Input,
    /// A line whose end has not come.
    pub(super) line: OpenLine,
    /// The replies, in request order.
    pub(super) replies: Replies,
    /// The shards on which operations of the connection may not have been run yet.
    pub(super) pushed: Pushed,
    /// The broadcast under way.
    pub(super) gather: Option<Box<Gather>>,
    /// The TLS session, if the connection came in by an address with TLS.
    pub(super) secure: Option<Box<Secure>>,
    /// Bytes of replies that TLS has taken and that are not sent yet.
    pub(super) sealing_bytes: usize,
    /// The state of the last send.
    pub(super) sending: Sending,
    /// Memory of the last send.
    pub(super) sending_bytes: usize,
    /// When the peer last sent something, or took the rest of a long reply.
    pub(crate) last_activity: Seconds,
    /// The facts that watchers are told when the connection closes.
    pub(crate) close_event: CloseEvent,
    /// The memory that the shard has counted for the connection.
    pub(crate) counted: Held,
    /// The shard's lists that the connection is in.
    pub(crate) listed: Listed,
    /// Where its commands are measured.
    pub(crate) measured: Place,
}

impl Conn {
    /// A new connection.
    pub(crate) fn new(
        link: Link,
        id: ConnId,
        listener: ListenerId,
        auth: AuthState,
        secure: Option<Box<Secure>>,
        now: Seconds,
    ) -> Conn {
        Conn {
            reads: Reads::new(&link),
            link,
            id,
            listener,
            codec: None,
            auth,
            phase: Phase::default(),
            run_state: RunState::default(),
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
            close_event: CloseEvent::default(),
            counted: Held::default(),
            listed: Listed::default(),
            measured: Place::default(),
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

    /// Makes the connection drop the next `bytes` bytes unread.
    pub(super) fn swallow(&mut self, bytes: usize) {
        if bytes > 0 {
            self.phase = Phase::Swallow(bytes as u64);
        }
    }

    /// Whether the last replies are not sent yet, since the peer does not read.
    pub(super) fn send_is_under_way(&self) -> bool {
        self.sending.is_under_way()
    }

    /// Whether the connection is to be closed once its replies are sent.
    pub(crate) fn is_closing(&self) -> bool {
        self.run_state == RunState::Closing
    }

    /// Notes the memory of `outgoing`, which is held until its bytes are sent.
    pub(super) fn note_sending(&mut self, outgoing: &Outgoing) {
        self.sending_bytes = replies::held(outgoing);
    }
}
