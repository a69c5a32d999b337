//! One shard: an executor's network loop, its connections, and its engine, which it puts down whenever it enters the
//! kernel.

mod accepting;
mod acceptor;
mod buffers;
mod closing;
mod conn_memory;
mod conn_memory_state;
mod control;
mod cpu_yield;
mod deliver;
mod ending;
mod events;
mod handshakes;
mod idle_wheel;
mod lists;
mod measure;
mod pace;
mod portions;
mod prefetch;
mod reaper;
mod refresh;
mod sample_feed;
mod sends;
mod slow;
mod slow_lines;
mod spare_time;
mod stats_conns;
mod sweep;
mod tick;
mod udp;
mod udp_rate;
mod udp_requests;
mod upkeep;
mod upkeep_signals;
mod with_conn;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use corecached_engine::Seconds;
use corecached_mesh::Owner;
use corecached_reactor::{Event, Reactor};

use crate::base::counters::NetCounters;
use crate::conn::ConnTable;
use crate::ids::ShardId;
use crate::latency::Meter;
use crate::lending::core::Core;
use crate::process::Slice;
use crate::route::directory::ShardHandle;
use crate::route::router::Router;
use crate::route::stage::Stage;
use crate::shared::Shared;
use crate::watch::EventLog;
use acceptor::Acceptor;
pub(crate) use acceptor::Listener;
use buffers::Buffers;
use conn_memory_state::ConnMemoryState;
use cpu_yield::CpuYield;
use idle_wheel::IdleWheel;
use lists::{Lists, Refreshes};
use reaper::Reaper;
use slow_lines::SlowLines;
use udp_rate::UdpRate;
use udp_requests::UdpRequests;
use upkeep_signals::UpkeepSignals;

/// The parts from which a shard is made; they are moved to its thread.
pub(crate) struct ShardParts {
    /// The shard's number.
    pub(crate) id: ShardId,
    /// The shard's engine, held by its owner.
    pub(crate) owner: Owner<Core>,
    /// The way to the other shards.
    pub(crate) router: Router,
    /// The sockets that the shard accepts from.
    pub(crate) listeners: Vec<Listener>,
}

/// A running shard.
pub(crate) struct Shard {
    // `net` is dropped first, and within it the reactor before the router: the memory that the kernel still sends from
    // lies in the engine that is dropped next, or in an engine that the router refers to.
    net: Net,
    owner: Owner<Core>,
    events: Vec<Event>,
    upkeep: UpkeepSignals,
    reaper: Reaper,
    cpu_yield: CpuYield,
}

/// The network side of a shard: everything but the engine.
struct Net {
    id: ShardId,
    shared: Arc<Shared>,
    /// The ring.
    reactor: Reactor,
    /// The way to the other shards.
    router: Router,
    /// The sockets where connections come in.
    acceptor: Acceptor,
    conns: ConnTable,
    /// The connections that wait for something.
    lists: Lists,
    /// When each connection may have been idle for too long.
    idle_wheel: IdleWheel,
    /// The heap memory that the connections hold.
    conn_memory: ConnMemoryState,
    udp: UdpRequests,
    /// The requests that wait for certificates to be read.
    refreshes: Refreshes,
    /// Buffers for the next turn.
    buffers: Buffers,
    /// Events of the network side, for watchers.
    log: EventLog,
    /// Measures how long commands take.
    meter: Meter,
    /// Messages about slow commands.
    slow_lines: SlowLines,
    /// Signals to the upkeep.
    upkeep: UpkeepSignals,
    now: Seconds,
    stopping_since: Option<Instant>,
}

impl Shard {
    /// Sets a shard up on its own thread, which has this `slice`; it serves once `serve` is called.
    pub(crate) fn new(
        parts: ShardParts,
        shared: Arc<Shared>,
        reactor: Reactor,
        slice: Slice,
    ) -> Shard {
        let now = shared.globals.clock.now();
        let rate = UdpRate::of(&shared.globals.config, now);
        let upkeep = UpkeepSignals::default();
        let idle_timeout = shared.globals.config.idle_timeout_seconds;
        let slow_us = shared.globals.config.slow_us;
        let net = Net {
            meter: Meter::new(parts.id, shared.latency.is_on(), slow_us),
            id: parts.id,
            log: EventLog::new(Arc::clone(&shared.watch)),
            shared,
            reactor,
            router: parts.router,
            acceptor: Acceptor::new(parts.listeners),
            conns: ConnTable::default(),
            lists: Lists::default(),
            idle_wheel: IdleWheel::new(idle_timeout, now),
            conn_memory: ConnMemoryState::default(),
            udp: UdpRequests::new(rate),
            refreshes: Refreshes::default(),
            buffers: Buffers::default(),
            slow_lines: SlowLines::new(now),
            upkeep: upkeep.clone(),
            now,
            stopping_since: None,
        };
        Shard {
            owner: parts.owner,
            net,
            events: Vec::new(),
            upkeep,
            reaper: Reaper::new(),
            cpu_yield: CpuYield::new(slice),
        }
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// The error of the ring when it cannot go on.
    pub(crate) async fn serve(mut self) -> io::Result<()> {
        let upkeep = self.upkeep.clone();
        upkeep::spawn(Arc::clone(&self.net.shared), self.net.id, upkeep);
        self.net.listen_udp();
        self.net.listen();
        let served = self.run().await;
        self.net.handle().reaches(Stage::Leaving);
        served
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
