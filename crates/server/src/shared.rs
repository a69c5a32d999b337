//! What all shards share: settings, the memory budget, the way to every shard, and the counters of the network side.
//!
//! Nothing here is locked on the request path: counters have one writer each, and the control inbox is for rare messages.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use corecached_engine::{Budget, KeyHash, KeyHasher};
use corecached_mesh::{Bell, Loanable};
use corecached_reactor::{DoorbellTarget, Waker};

use crate::auth::Auth;
use crate::cell::ShardId;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Control;
use crate::crawler::Crawler;
use crate::listen::{ListenerId, ListenerInfo};
use crate::process::Reloads;
use crate::shard::conn_memory::ConnMemory;
use crate::shard::core::Core;
use crate::shard::notice::Notice;
use crate::tls::Tls;
use crate::tuning::Tuning;
use crate::uploads::Uploads;
use crate::watch::Watch;

/// State of the whole process.
pub(crate) struct Shared {
    /// The command line.
    pub(crate) config: Config,
    /// The listening addresses, by [`ListenerId`].
    pub(crate) listeners: Vec<ListenerInfo>,
    /// What of it commands have changed.
    pub(crate) tuning: Tuning,
    /// Crawls and dumps.
    pub(crate) crawler: Crawler,
    /// Who watches, and `stats detail`.
    pub(crate) watch: Arc<Watch>,
    /// The memory limit.
    pub(crate) budget: Arc<Budget>,
    /// The hash that decides shard and place.
    pub(crate) hasher: KeyHasher,
    /// The server's clock.
    pub(crate) clock: Clock,
    /// Every shard, by id.
    pub(crate) shards: Vec<ShardHandle>,
    /// Set when the process ends.
    pub(crate) stopping: AtomicBool,
    /// The level of `verbosity`.
    pub(crate) verbosity: AtomicU8,
    /// Connections open or being opened, over all shards; for the limit `-c`.
    pub(crate) connections: AtomicU64,
    /// Shards that have stopped accepting until a connection closes.
    pub(crate) deaf_shards: AtomicU64,
    /// Values on their way in.
    pub(crate) uploads: Arc<Uploads>,
    /// Rounds in which a shard was short of memory.
    pub(crate) page_requests: AtomicU64,
    /// `flush_all` commands, over all shards.
    pub(crate) cmd_flush: AtomicU64,
    /// Who may use the server; `None` if anyone may.
    pub(crate) auth: Option<Arc<Auth>>,
    /// Certificates, with `-Z`.
    pub(crate) tls: Option<Arc<Tls>>,
    /// What SIGHUP reads again.
    pub(crate) reloads: Reloads,
}

impl Shared {
    /// The shard that owns keys of this hash: `(hash >> 32) * shards >> 32`, as `stats shards` says.
    #[inline]
    pub(crate) fn owner_of(&self, hash: KeyHash) -> ShardId {
        ShardId((((hash.0 >> 32) * self.shards.len() as u64) >> 32) as u16)
    }

    /// What connections inherit from an address.
    #[inline]
    pub(crate) fn listener(&self, id: ListenerId) -> &ListenerInfo {
        &self.listeners[id.index()]
    }

    /// The way to a shard.
    #[inline]
    pub(crate) fn shard(&self, id: ShardId) -> &ShardHandle {
        &self.shards[usize::from(id.0)]
    }

    /// The network side's part of `stats reset`.
    pub(crate) fn reset_counters(&self) {
        self.cmd_flush.store(0, Ordering::Relaxed);
        self.crawler.reset();
        self.watch.reset();
        for shard in &self.shards {
            shard.net.reset();
            shard.conn_memory.reset();
            shard.memory.pages_given.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the process is ending.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// A connection has closed: shards that wait for room to accept look again.
    pub(crate) fn connection_closed(&self) {
        // A shard that goes deaf counts itself first and looks at the connections then; this is the other order, so one
        // of the two sees the other.
        self.connections.fetch_sub(1, Ordering::SeqCst);
        if self.deaf_shards.load(Ordering::SeqCst) > 0 {
            for shard in &self.shards {
                shard.post(Control::RoomForConnections);
            }
        }
    }

    /// Ends the process: every shard sends what it has to send, closes and returns.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        for shard in &self.shards {
            shard.wake();
        }
    }
}

/// What the others may use of a shard.
pub(crate) struct ShardHandle {
    /// Its engine, when it is to be had.
    pub(crate) core: Arc<Loanable<Core>>,
    /// Its ring, once it runs.
    pub(crate) links: OnceLock<Links>,
    /// Its counters.
    pub(crate) net: NetCounters,
    /// What its upkeep tells the others' of its memory.
    pub(crate) memory: Notice,
    /// What its connections hold.
    pub(crate) conn_memory: ConnMemory,
    /// A crawl for dead items is asked for; its upkeep does it.
    pub(crate) crawl_wanted: AtomicBool,
    /// Whether it sleeps.
    bell: Bell,
    /// Set by peers that have pushed a batch.
    has_mail: AtomicBool,
    inbox: Mutex<Vec<Control>>,
    has_control: AtomicBool,
}

/// How a running shard is woken.
pub(crate) struct Links {
    /// By a peer's ring.
    pub(crate) doorbell: DoorbellTarget,
    /// By any thread.
    pub(crate) waker: Waker,
}

impl ShardHandle {
    /// A handle for the shard behind `core`.
    pub(crate) fn new(core: Arc<Loanable<Core>>) -> ShardHandle {
        ShardHandle {
            core,
            links: OnceLock::new(),
            net: NetCounters::default(),
            memory: Notice::new(),
            conn_memory: ConnMemory::default(),
            crawl_wanted: AtomicBool::new(false),
            bell: Bell::new(),
            has_mail: AtomicBool::new(false),
            inbox: Mutex::new(Vec::new()),
            has_control: AtomicBool::new(false),
        }
    }

    /// Peer, after pushing a batch: whether the shard sleeps and the caller has to ring.
    #[must_use = "whoever gets true must ring, or the shard sleeps on"]
    pub(crate) fn notify(&self) -> bool {
        self.has_mail.store(true, Ordering::Release);
        self.bell.needs_ring()
    }

    /// Owner: announces that it goes to sleep; `false` if a peer has pushed something meanwhile.
    pub(crate) fn try_sleep(&self) -> bool {
        self.bell.announce_sleep();
        let sleeps = !self.has_mail.load(Ordering::Relaxed);
        if !sleeps {
            self.bell.awake();
        }
        sleeps
    }

    /// Owner: it is awake, and looks at its queues after this.
    pub(crate) fn awake(&self) {
        self.bell.awake();
        if self.has_mail.load(Ordering::Relaxed) {
            // Acquires what the peer pushed before it set the flag; a flag set later stays for the next `try_sleep`.
            self.has_mail.swap(false, Ordering::Acquire);
        }
    }

    /// Sends a control message.
    pub(crate) fn post(&self, message: Control) {
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        self.has_control.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes the control messages that have come.
    pub(crate) fn take_control(&self) -> Vec<Control> {
        if !self.has_control.load(Ordering::Relaxed)
            || !self.has_control.swap(false, Ordering::Acquire)
        {
            return Vec::new();
        }
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the shard look at its inbox.
    pub(crate) fn wake(&self) {
        if let Some(links) = self.links.get() {
            links.waker.wake();
        }
    }
}

/// A count with one writer, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    total: AtomicU64,
    /// Where it stood when the statistics were last reset.
    shown_from: AtomicU64,
}

impl Counter {
    /// Adds; only the owning shard may.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.total.store(self.total() + n, Ordering::Relaxed);
    }

    /// All that was ever counted: for what decides anything, which no client may set back.
    #[inline]
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// What statistics show.
    pub(crate) fn get(&self) -> u64 {
        let shown_from = self.shown_from.load(Ordering::Relaxed);
        self.total().saturating_sub(shown_from)
    }

    /// Statistics show 0 from now on. Any thread may: nothing of what the writer counts meanwhile is lost.
    fn reset(&self) {
        self.shown_from.store(self.total(), Ordering::Relaxed);
    }
}

/// Counters of one shard's network side.
#[derive(Debug, Default)]
pub(crate) struct NetCounters {
    /// Open connections; also raised by a peer that hands one over.
    pub(crate) curr_connections: AtomicU64,
    /// Connections ever accepted.
    pub(crate) total_connections: Counter,
    /// Connections refused because of `-c`.
    pub(crate) rejected_connections: Counter,
    /// Times accepting stopped because of `-c` or a lack of descriptors.
    pub(crate) listen_disabled: Counter,
    /// Microseconds in which accepting was stopped.
    pub(crate) listen_disabled_us: Counter,
    /// Times a connection had more requests than `-R` in one turn.
    pub(crate) conn_yields: Counter,
    /// Connections closed by `idle_timeout`.
    pub(crate) idle_kicks: Counter,
    /// Attempts to authenticate.
    pub(crate) auth_cmds: Counter,
    /// Those that failed.
    pub(crate) auth_errors: Counter,
    /// Bytes received.
    pub(crate) bytes_read: Counter,
    /// Bytes handed to the kernel.
    pub(crate) bytes_written: Counter,
    /// TLS sessions that began with certificates, not with those of an earlier one.
    pub(crate) ssl_new_sessions: Counter,
    /// TLS handshakes that failed.
    pub(crate) ssl_handshake_errors: Counter,
    /// TLS connections that ended with an error later.
    pub(crate) ssl_proto_errors: Counter,
    /// Passes of the network loop.
    pub(crate) ticks: Counter,
    /// Batches run on a borrowed shard.
    pub(crate) loans: Counter,
    /// Batches sent as messages.
    pub(crate) messages: Counter,
    /// Doorbells rung.
    pub(crate) doorbells: Counter,
    /// Datagrams that were no request, and replies by UDP that could not or may not be sent.
    pub(crate) udp_dropped: Counter,
    /// Connections closed because what was reported of their sends was not what had been sent; a fault of the server.
    pub(crate) streams_in_doubt: Counter,
    /// Operations for keys of other shards.
    pub(crate) remote_ops: Counter,
    /// Times the shard went to sleep in glommio.
    pub(crate) parks: Counter,
    /// Connections taken over from, and handed to, other shards.
    pub(crate) adopted: Counter,
}

impl NetCounters {
    /// `stats reset`.
    pub(crate) fn reset(&self) {
        for counter in [
            &self.total_connections,
            &self.rejected_connections,
            &self.listen_disabled,
            &self.listen_disabled_us,
            &self.conn_yields,
            &self.idle_kicks,
            &self.auth_cmds,
            &self.auth_errors,
            &self.bytes_read,
            &self.bytes_written,
            &self.ssl_new_sessions,
            &self.ssl_handshake_errors,
            &self.ssl_proto_errors,
            &self.ticks,
            &self.loans,
            &self.messages,
            &self.doorbells,
            &self.udp_dropped,
            &self.streams_in_doubt,
            &self.remote_ops,
            &self.parks,
            &self.adopted,
        ] {
            counter.reset();
        }
    }
}
