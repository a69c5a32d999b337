//! One shard: an executor's network loop, its connections, and its engine, which it puts down whenever it enters the kernel.

mod allowance;
mod arrivals;
mod conn_memory;
mod connections;

mod datagrams;
mod deliver;
mod describe;
mod handshakes;
mod maintenance;
mod reaper;
mod spare_time;
mod tick;
mod windows;
mod with_conn;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use corecached_engine::Seconds;
use corecached_mesh::Owner;
use corecached_reactor::{Event, Reactor, Token};

use crate::cell::core::Core;
use crate::cell::{ConnId, ShardId};
use crate::conn::Sealing;
use crate::conn::{ConnTable, OUTPUT_BYTES_MAX, Totals};
use crate::ground::counters::NetCounters;
use crate::listen::ListenerId;
use crate::route::directory::ShardHandle;
use crate::route::router::Router;
use crate::shared::Shared;
use crate::watch::EventLog;
use allowance::Allowance;
use arrivals::Newcomer;
use datagrams::Datagrams;
use reaper::Reaper;
use windows::Windows;

/// Tokens of listeners have this bit, which is no part of a connection id.
const LISTENER_TOKEN: u64 = 1 << 55;

/// A listening socket of one shard.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket.
    pub(crate) fd: Arc<OwnedFd>,
    /// Its number, the same on every shard.
    pub(crate) id: ListenerId,
}

impl Listener {
    /// Its descriptor, for messages and statistics.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn token(&self) -> Token {
        Token(LISTENER_TOKEN | u64::from(self.id.0))
    }
}

/// What a shard is made of; moved to its thread.
pub(crate) struct ShardParts {
    /// Its number.
    pub(crate) id: ShardId,
    /// Its engine, in its owner's hand.
    pub(crate) owner: Owner<Core>,
    /// The way to the other shards.
    pub(crate) router: Router,
    /// The sockets that it accepts from.
    pub(crate) listeners: Vec<Listener>,
}

/// A running shard.
pub(crate) struct Shard {
    // Dropped first, and of it the reactor before the router: what the kernel still sends lies in the engine that is dropped
    // next, or in one that the router refers to.
    net: Net,
    owner: Owner<Core>,
    events: Vec<Event>,
    windows: Windows,
    reaper: Reaper,
}

/// The network side of a shard: everything but the engine.
struct Net {
    id: ShardId,
    shared: Arc<Shared>,
    reactor: Reactor,
    router: Router,
    conns: ConnTable,
    datagrams: Datagrams,
    listeners: Vec<Listener>,
    /// When accepting stopped because of `-c`.
    deaf_since: Option<Instant>,
    /// Accepted, but over the limit `-c`: they wait until one of the others closes.
    waiting_room: VecDeque<(ListenerId, OwnedFd)>,
    /// Connections that have come and are not in the table yet.
    arrivals: VecDeque<Newcomer>,
    /// Connections with input that could be worked on at once.
    ready: VecDeque<ConnId>,
    /// Connections that are ready at the end of the warm window.
    resting: Vec<ConnId>,
    /// Connections with replies to send.
    dirty: Vec<ConnId>,
    /// Connections whose handshake waits for its turn.
    handshakes: VecDeque<ConnId>,
    /// Connections to be closed.
    doomed: VecDeque<ConnId>,
    /// A warm buffer for the next replies.
    spare: Option<Vec<u8>>,
    /// What the network side writes down for watchers.
    log: EventLog,
    /// A buffer to decrypt in.
    scratch: Vec<u8>,
    /// A buffer for what is read without the ring; empty until the first large value.
    landing: Vec<u8>,
    /// What encrypting needs and leaves behind.
    sealing: Sealing,
    /// What others have been told that connections hold.
    told: Totals,
    /// With that much to send, a connection executes nothing further.
    output_bytes_max: usize,
    now: Seconds,
    stopping_since: Option<Instant>,
    /// Where it is noted that clients have sent something.
    windows: Windows,
}

impl Shard {
    /// Sets a shard up on its own thread; it serves once `serve` is called.
    pub(crate) fn new(parts: ShardParts, shared: Arc<Shared>, reactor: Reactor) -> Shard {
        let now = shared.ground.clock.now();
        let allowance = Allowance::of(&shared.ground.config, now);
        let windows = Windows::default();
        let net = Net {
            id: parts.id,
            now,
            log: EventLog::new(Arc::clone(&shared.watch)),
            shared,
            datagrams: Datagrams::new(allowance),
            reactor,
            router: parts.router,
            conns: ConnTable::default(),
            listeners: parts.listeners,
            deaf_since: None,
            waiting_room: VecDeque::new(),
            arrivals: VecDeque::new(),
            ready: VecDeque::new(),
            resting: Vec::new(),
            dirty: Vec::new(),
            handshakes: VecDeque::new(),
            doomed: VecDeque::new(),
            spare: None,
            scratch: Vec::new(),
            landing: Vec::new(),
            sealing: Sealing::default(),
            told: Totals::default(),
            output_bytes_max: OUTPUT_BYTES_MAX,
            stopping_since: None,
            windows: windows.clone(),
        };
        Shard {
            owner: parts.owner,
            net,
            events: Vec::new(),
            windows,
            reaper: Reaper::new(),
        }
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// What the ring answers when it cannot go on.
    pub(crate) async fn serve(mut self) -> io::Result<()> {
        let windows = self.windows.clone();
        maintenance::spawn(Arc::clone(&self.net.shared), self.net.id, windows);
        self.net.open_datagrams();
        self.net.listen();
        self.run().await
    }
}

impl Net {
    fn handle(&self) -> &ShardHandle {
        self.shared.route.shard(self.id)
    }

    fn counters(&self) -> &NetCounters {
        self.shared.telemetry.of(self.id.0)
    }
}
