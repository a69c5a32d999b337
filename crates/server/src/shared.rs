//! What all shards share: settings, the memory budget, the way to every shard, and the counters of the network side.
//!
//! Nothing here is locked on the request path: counters have one writer each, and the control inbox is for rare messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use corecached_engine::{Budget, KeyHash, KeyHasher};

use crate::auth::Auth;
use crate::cell::ShardId;
use crate::crawler::Crawler;
use crate::ground::clock::Clock;
use crate::ground::config::Config;
use crate::ground::tuning::Tuning;
use crate::listen::{ListenerId, ListenerInfo};
use crate::memory::uploads::Uploads;
use crate::process::Reloads;
use crate::route::control::Control;
use crate::route::directory::ShardHandle;
use crate::tls::Tls;
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
