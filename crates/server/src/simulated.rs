//! A server of many shards without sockets, rings and a clock that ticks, for `crates/simulate`: each shard is served
//! by a thread of the caller's, which hands it what clients send and takes what they get.
//!
//! ```text
//!   arrivals --> Conn --> engine, another shard's memory, or Router --loan or queue--> other shards
//!                  ^                                          |
//!   replies <------+-------------- deliver <------------------+
//! ```
//!
//! The turn is that of `shard/tick.rs`, except for the reactor's part and the upkeep: a send takes all replies at once.
//! Whether a shard sleeps between two turns, and who is rung, is decided by the code of the server; the caller has it
//! sleep.

use std::fs::File;
use std::mem::take;
use std::sync::Arc;

use corecached_engine::{Engine, Seconds};
use corecached_mesh::Owner;
use corecached_reactor::{Insert, Stream};

use crate::base::config::Config;
use crate::base::listeners::{BindingProtocol, TlsKind};
use crate::conn::{AuthState, Conn, ConnTable, Cx, Gather, KEYS_PER_TURN, Link, OUTPUT_BYTES_MAX};
use crate::ids::{ConnId, ReplyTo, ShardId};
use crate::latency::Tally;
use crate::lending::batch::Delivery;
use crate::lending::core::Core;
use crate::listen::{ListenerId, ListenerInfo, Transport};
use crate::operation::op::ShardOp;
use crate::operation::outcome::ShardOutcome;
use crate::replies::{ReplyBuffers, ReplySlice};
use crate::route::router::Router;
use crate::run::build;
use crate::shared::Shared;
use crate::wire::value::PinCookie;

const LISTENER: ListenerId = ListenerId(0);

/// Chunks looked at in one step of upkeep.
const UPKEEP_CHUNKS: usize = 128;

/// What a server is started with.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The number of shards.
    pub shards: usize,
    /// The memory limit.
    pub memory_limit_bytes: u64,
    /// Whether items may be evicted.
    pub evictions: bool,
}

/// The shards of a fresh server. Its clock stands still.
///
/// # Panics
/// If there is no address space for them.
#[must_use]
pub fn start(setup: Setup) -> Vec<Shard> {
    let config = Config {
        threads: setup.shards,
        memory_limit_bytes: setup.memory_limit_bytes,
        evictions: setup.evictions,
        ..Config::default()
    };
    let listener = ListenerInfo {
        transport: Transport::Tcp,
        protocol: BindingProtocol::Auto,
        tls: TlsKind::None,
        tag: None,
        by_source_port: false,
    };
    let built = build(config, None, vec![listener]).unwrap_or_else(|error| panic!("{error}"));
    let shared = built.shared;
    shared.globals.clock.stop_at_start();
    let shard = |parts: crate::shard::ShardParts| Shard {
        id: parts.id,
        owner: parts.owner,
        net: Net {
            id: parts.id,
            now: shared.globals.clock.now(),
            shared: Arc::clone(&shared),
            router: parts.router,
            conns: ConnTable::default(),
            open: Vec::new(),
            rings: Vec::new(),
            reply_buffers: ReplyBuffers::default(),
        },
    };
    built.parts.into_iter().map(shard).collect()
}

/// One shard.
pub struct Shard {
    id: ShardId,
    // Dropped before the engine, whose memory replies may lie in.
    net: Net,
    owner: Owner<Core>,
}

/// Everything but the engine.
struct Net {
    id: ShardId,
    now: Seconds,
    shared: Arc<Shared>,
    router: Router,
    conns: ConnTable,
    open: Vec<ConnId>,
    /// The shards to be rung when this one next enters the kernel.
    rings: Vec<usize>,
    reply_buffers: ReplyBuffers,
}

impl Shard {
    /// Opens a connection, and returns its number: 0, 1 and so on.
    ///
    /// # Panics
    /// If there is no `/dev/null`, which takes the place of the socket.
    pub fn connect(&mut self) -> usize {
        let socket = File::open("/dev/null").expect("there is a /dev/null");
        let link = Link::Socket(Stream::unattached(socket.into()));
        let now = self.net.now;
        let new = |id| Conn::new(link, id, LISTENER, AuthState::Done, None, now);
        self.net.open.push(self.net.conns.insert(new));
        self.net.open.len() - 1
    }

    /// One turn: `arrivals` are bytes by connections that have sent something. Returns the replies by connection.
    pub fn turn(
        &mut self,
        arrivals: &[(usize, Vec<u8>)],
        ends_window: bool,
    ) -> Vec<(usize, Vec<u8>)> {
        let net = &mut self.net;
        net.now = net.shared.globals.clock.now();
        {
            let mut turn = self.owner.resume();
            let core: &mut Core = &mut turn;
            core.observer.sync(&mut core.engine);
            let handle = net.shared.route.shard(self.id);
            net.router.serve(handle, core, net.now);
            for (conn, bytes) in arrivals {
                net.with_conn(net.open[*conn], core, |conn, cx| {
                    conn.receive_plain(bytes, cx);
                });
            }
            net.go_on(core);
            core.observer.take(&mut core.engine);
        }
        net.exchange(ends_window);
        let replies: Vec<_> = (0..net.open.len())
            .map(|number| net.take_replies(number))
            .collect();
        let (replies, pins): (Vec<_>, Vec<_>) = replies.into_iter().unzip();
        net.unpin(&mut self.owner, pins.into_iter().flatten());
        let replies = replies.into_iter().enumerate();
        replies.filter(|(_, bytes)| !bytes.is_empty()).collect()
    }

    /// Enters the kernel between two turns: `enter` has the numbers of shards that are rung now, and whether this shard
    /// then sleeps until it is rung or something arrives.
    pub fn enter_kernel(&mut self, enter: impl FnOnce(&[usize], bool)) {
        let may_sleep = self.net.may_sleep();
        let Net { shared, rings, .. } = &mut self.net;
        let handle = shared.route.shard(self.id);
        handle.enter_kernel(may_sleep, |sleeps| enter(rings, sleeps));
        rings.clear();
    }

    /// Parks if there is nothing to do, as a shard does before it enters the kernel for its next turn: `sleep` has the
    /// numbers of shards that are rung now, and returns once this shard is rung or something arrives.
    pub fn park(&mut self, sleep: impl FnOnce(&[usize])) {
        let may_sleep = self.net.may_sleep();
        let Net { shared, rings, .. } = &mut self.net;
        let handle = shared.route.shard(self.id);
        if may_sleep && handle.try_sleep() {
            sleep(rings);
            rings.clear();
            handle.end_sleep();
        }
    }

    /// Sets the clock of all shards forward.
    pub fn pass_time(&self, seconds: u32) {
        self.net
            .shared
            .globals
            .clock
            .set_forward(i64::from(seconds));
    }

    /// The seconds of the server's clock.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.net.shared.globals.clock.now().0
    }

    /// Unix time of second 0 of the server's clock.
    #[must_use]
    pub fn unix_origin(&self) -> i64 {
        self.net.shared.globals.clock.unix_origin()
    }

    /// A little of each part of the upkeep of `shard/upkeep.rs` and `shard/reaper.rs`, between two turns.
    pub fn keep_up(&self) {
        let Shared { cores, globals, .. } = &*self.net.shared;
        let now = globals.clock.now();
        let with_engine = |work: &dyn Fn(&mut Engine)| {
            if let Some(mut core) = cores.of(self.id).try_borrow() {
                work(&mut core.engine);
            }
        };
        with_engine(&|engine| engine.set_automove(globals.tuning.slab_automove.get() > 0));
        with_engine(&|engine| _ = engine.trim(UPKEEP_CHUNKS));
        with_engine(&|engine| _ = engine.maintain(now));
        with_engine(&|engine| _ = engine.sweep(now, UPKEEP_CHUNKS));
        with_engine(&|engine| _ = engine.reap(now, UPKEEP_CHUNKS, 1));
    }

    /// How many items the shard has evicted, and how many pages it has moved.
    pub fn evictions_and_moves(&mut self) -> (u64, u64) {
        let stats = self.owner.resume().engine.stats();
        (stats.evictions, stats.slabs_moved)
    }

    /// Whether nothing of this shard's connections waits on another shard.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.net.router.is_idle()
    }

    /// Panics unless the shard's engine is sound.
    pub fn check_integrity(&mut self) {
        self.owner.resume().engine.check_integrity();
    }
}

impl Net {
    fn conn(&mut self, id: ConnId) -> &mut Conn {
        self.conns.get_mut(id).expect("no connection is closed")
    }

    /// Connections go on with input that they have kept.
    fn go_on(&mut self, core: &mut Core) {
        for number in 0..self.open.len() {
            let id = self.open[number];
            if self.conn(id).can_resume() {
                self.with_conn(id, core, |conn, cx| {
                    cx.has_long_turn = true;
                    conn.resume(cx);
                });
            }
        }
    }

    fn with_conn(
        &mut self,
        id: ConnId,
        core: &mut Core,
        work: impl FnOnce(&mut Conn, &mut Cx<'_>),
    ) {
        let conn = self.conns.get_mut(id).expect("no connection is closed");
        self.router.push_for(conn.raw_fd());
        let mut cx = Cx {
            access: core.access(self.id, self.now, conn.raw_fd()),
            router: &mut self.router,
            shared: &self.shared,
            net: self.shared.telemetry.of(self.id.0),
            reply_buffers: &mut self.reply_buffers,
            tally: Tally::default(),
            output_bytes_max: OUTPUT_BYTES_MAX,
            keys_left: KEYS_PER_TURN,
            has_long_turn: false,
        };
        work(conn, &mut cx);
    }

    /// As in `shard/tick.rs`.
    fn may_sleep(&mut self) -> bool {
        let can_any_resume = (0..self.open.len()).any(|number| {
            let id = self.open[number];
            self.conn(id).can_resume()
        });
        self.router.may_sleep() && !can_any_resume
    }

    /// As `shard/deliver.rs` does it.
    fn exchange(&mut self, ends_window: bool) {
        let Shared { cores, route, .. } = &*self.shared;
        let counters = self.shared.telemetry.of(self.id.0);
        let ring = |shard: ShardId| self.rings.push(usize::from(shard.0));
        self.router
            .flush((cores, route), counters, self.now, ring, ends_window.into());
        let mut completed = self.router.collect();
        for batch in &mut completed {
            batch.deliver(|delivery| self.deliver(delivery));
        }
        self.router.give_back(completed);
    }

    fn deliver(&mut self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Reply { to, reply } => self.deliver_reply(to, reply),
            Delivery::ShardOutcome {
                to,
                outcome: ShardOutcome::Granted(grant),
            } => self.conn(to).granted(*grant),
            Delivery::ShardOutcome { to, outcome } => {
                self.shard_done(to, |gather| gather.add_outcome(outcome));
            }
            Delivery::Walked { to, lines, walked } => {
                self.deliver_reply(to, ReplySlice::plain(lines));
                self.shard_done(to.conn, |gather| gather.add_walked(walked));
            }
        }
    }

    fn deliver_reply(&mut self, to: ReplyTo, reply: ReplySlice<'_>) {
        let conn = self
            .conns
            .get_mut(to.conn)
            .expect("no connection is closed");
        conn.fulfil(to.seq, &mut self.reply_buffers, reply);
    }

    fn shard_done(&mut self, to: ConnId, add: impl FnOnce(&mut Gather)) {
        let conn = self.conns.get_mut(to).expect("no connection is closed");
        let gather = conn.gather_mut().expect("it waits for all parts");
        add(gather);
        if gather.done() {
            conn.finish_gather(&self.shared, &mut self.reply_buffers);
        }
    }

    /// The replies of a connection, and the values that were sent from slab memory.
    fn take_replies(&mut self, number: usize) -> (Vec<u8>, Vec<Insert>) {
        let (mut bytes, mut inserts) = (Vec::new(), Vec::new());
        let id = self.open[number];
        while let Some(mut outgoing) = self.conn(id).take_output() {
            outgoing
                .pieces()
                .for_each(|piece| bytes.extend_from_slice(piece));
            inserts.extend(take(&mut outgoing.inserts));
        }
        (bytes, inserts)
    }

    fn unpin(&mut self, owner: &mut Owner<Core>, inserts: impl Iterator<Item = Insert>) {
        for PinCookie { shard, pin } in inserts.filter_map(PinCookie::of) {
            if shard == self.id {
                owner.resume().engine.unpin(pin);
            } else {
                let pin = pin.into_bits();
                self.router
                    .push_shard_op(shard, &ShardOp::Unpin { pin }, None);
            }
        }
    }
}
