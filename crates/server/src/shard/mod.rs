//! One shard: an executor's network loop, its connections, and its engine, which it puts down whenever it enters the
//! kernel.

mod allowance;
mod arrivals;
mod conn_memory;
mod connections;
mod cpu_yield;
mod datagrams;
mod deliver;
mod describe;
mod gate;
mod handshakes;
mod holding;
mod idle;
mod lists;
mod measure;
mod pace;
mod prefetch;
mod reaper;
mod refresh;
mod sample_feed;
mod senders;
mod slow;
mod slow_lines;
mod spare_time;
mod sweep;
mod tick;
mod upkeep;
mod upkeep_signals;
mod warm;
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
use allowance::Allowance;
use cpu_yield::CpuYield;
use gate::Gate;
pub(crate) use gate::Listener;
use holding::Holding;
use idle::Idle;
use lists::{Lists, Refreshes};
use reaper::Reaper;
use senders::Datagrams;
use slow_lines::SlowLines;
use upkeep_signals::UpkeepSignals;
use warm::Warm;

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
    gate: Gate,
    conns: ConnTable,
    /// The connections that wait for something.
    lists: Lists,
    /// When each connection may have been idle for too long.
    idle: Idle,
    /// The heap memory that the connections hold.
    holding: Holding,
    datagrams: Datagrams,
    /// The requests that wait for certificates to be read.
    refreshes: Refreshes,
    /// Buffers for the next turn.
    warm: Warm,
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
        let allowance = Allowance::of(&shared.globals.config, now);
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
            gate: Gate::new(parts.listeners),
            conns: ConnTable::default(),
            lists: Lists::default(),
            idle: Idle::new(idle_timeout, now),
            holding: Holding::default(),
            datagrams: Datagrams::new(allowance),
            refreshes: Refreshes::default(),
            warm: Warm::default(),
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
        self.net.open_datagrams();
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
