//! Admission of connections: the addresses, the limit `-c`, passwords and certificates.
//!
//! ```text
//!   accepted --> enter --> open ... leave --+
//!                  |                        | the one that closes tells shards that are paused
//!                  v full                   v
//!               paused: the shard stops accepting until there is room again
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::auth::Auth;
use crate::ids::ShardId;
use crate::listen::{ListenerId, ListenerInfo};
use crate::tls::Tls;

/// The rules of admission, and the number of connections that are open.
pub(crate) struct Admission {
    /// The listening addresses, by [`ListenerId`].
    listeners: Vec<ListenerInfo>,
    /// The users of the server; `None` if anyone may use it.
    pub(crate) auth: Option<Arc<Auth>>,
    /// The certificates, with `-Z`.
    pub(crate) tls: Option<Arc<Tls>>,
    /// `-c`.
    limit: u64,
    /// Connections open or being opened, over all shards.
    open: AtomicU64,
    /// Connections open or being opened, by shard, with the shard's UDP sockets. A shard that hands a connection over
    /// counts it for the shard that gets it.
    by_shard: Vec<AtomicU64>,
    /// Shards that have stopped accepting until a connection closes.
    paused_shards: AtomicU64,
}

impl Admission {
    /// The admission of a server without connections.
    pub(crate) fn new(
        listeners: Vec<ListenerInfo>,
        auth: Option<Arc<Auth>>,
        tls: Option<Arc<Tls>>,
        limit: u32,
        shards: usize,
    ) -> Admission {
        Admission {
            listeners,
            auth,
            tls,
            limit: u64::from(limit),
            open: AtomicU64::new(0),
            by_shard: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            paused_shards: AtomicU64::new(0),
        }
    }

    /// The properties that connections inherit from an address.
    #[inline]
    pub(crate) fn listener(&self, id: ListenerId) -> &ListenerInfo {
        &self.listeners[id.index()]
    }

    /// All addresses.
    pub(crate) fn listeners(&self) -> &[ListenerInfo] {
        &self.listeners
    }

    /// Counts a connection in; returns false if there are as many as `-c` allows.
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        let one_more = |open| (open < self.limit).then_some(open + 1);
        let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
        self.open.fetch_update(set, fetch, one_more).is_ok()
    }

    /// Counts a connection out; returns true if shards wait for room and have to be told.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        // A shard that pauses counts itself first and looks at the connections after that. Here the order is the
        // reverse, so one of the two sees the other.
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.paused_shards.load(Ordering::SeqCst) > 0
    }

    /// Whether there are as many connections as `-c` allows.
    pub(crate) fn is_full(&self) -> bool {
        self.open() >= self.limit
    }

    /// Connections open or being opened.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    /// Notes that a shard stops accepting until there is room.
    pub(crate) fn pause_shard(&self) {
        self.paused_shards.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that a shard accepts again.
    pub(crate) fn resume_shard(&self) {
        self.paused_shards.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts one more connection of a shard.
    pub(crate) fn moved_in(&self, shard: ShardId) {
        self.by_shard[usize::from(shard.0)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one connection of a shard less.
    pub(crate) fn moved_out(&self, shard: ShardId) {
        self.by_shard[usize::from(shard.0)].fetch_sub(1, Ordering::Relaxed);
    }

    /// Number of connections of a shard.
    pub(crate) fn of_shard(&self, shard: ShardId) -> u64 {
        self.by_shard[usize::from(shard.0)].load(Ordering::Relaxed)
    }

    /// The shard with the fewest connections, if it has clearly fewer than `shard`.
    pub(crate) fn less_loaded_than(&self, shard: ShardId) -> Option<ShardId> {
        let load = |shard: &AtomicU64| shard.load(Ordering::Relaxed);
        let shards = self.by_shard.iter().map(load).enumerate();
        let (least, fewest) = shards.min_by_key(|&(_, load)| load)?;
        // A difference of one connection, or of a sixteenth, is not worth a hand-over.
        let tolerated = fewest + fewest / TOLERATED_PART;
        (self.of_shard(shard) > tolerated).then_some(ShardId(least as u16))
    }
}

/// A shard may have more connections than the least loaded shard by one in this many.
const TOLERATED_PART: u64 = 16;
