//! The parts of its shard that a connection uses while it works on input.

use corecached_engine::KeyHash;

use crate::base::counters::NetCounters;
use crate::latency::Tally;
use crate::operation::access::Access;
use crate::replies::ReplyBuffers;
use crate::route::router::Router;
use crate::shared::Shared;
use crate::wire::request::Times;

/// The parts of its shard that a connection uses while it works on input.
pub(crate) struct Cx<'a> {
    /// The shard's own engine.
    pub(crate) access: Access<'a>,
    /// The way to the other shards.
    pub(crate) router: &'a mut Router,
    /// State that all shards share.
    pub(crate) shared: &'a Shared,
    /// This shard's network counters.
    pub(crate) net: &'a NetCounters,
    /// Buffers for replies.
    pub(crate) reply_buffers: &'a mut ReplyBuffers,
    /// Counts the commands that the connection executes.
    pub(crate) tally: Tally<'a>,
    /// A connection with this many bytes to send executes nothing further.
    pub(crate) output_bytes_max: usize,
    /// Keys that gets of several keys may still look up in this turn of the connection.
    pub(crate) keys_left: usize,
    /// Whether this is the connection's turn among those that go on, and nothing long has been done in it yet.
    pub(crate) has_long_turn: bool,
}

/// Keys that one connection looks up in one turn in gets of many keys: some 50 us of misses, or of small hits.
pub(crate) const KEYS_PER_TURN: usize = 512;

impl Cx<'_> {
    /// Whether something long may be done now. Returns true only once in a turn.
    pub(super) fn take_long_turn(&mut self) -> bool {
        std::mem::take(&mut self.has_long_turn)
    }

    /// The time of the requests of this turn.
    #[inline]
    pub(super) fn times(&self) -> Times {
        Times {
            now: self.access.now,
            unix_origin: self.shared.globals.clock.unix_origin(),
        }
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> KeyHash {
        self.shared.globals.hasher.hash(key)
    }

    /// Prefetches the leaf of a key that will be looked up soon, whichever shard owns it.
    #[inline]
    pub(super) fn prefetch_leaf(&self, hash: KeyHash) {
        let owner = self.shared.route.owner_of(hash);
        self.shared.readers.prefetch_leaf(owner, hash);
    }

    /// Prefetches the bucket of a key whose leaf has been prefetched.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: KeyHash) {
        let owner = self.shared.route.owner_of(hash);
        let own = (self.access.shard, &*self.access.engine);
        self.shared.readers.prefetch_bucket(owner, hash, own);
    }

    /// Prefetches the item of a key whose bucket has been prefetched.
    #[inline]
    pub(super) fn prefetch_item(&self, hash: KeyHash) {
        let owner = self.shared.route.owner_of(hash);
        let own = (self.access.shard, &*self.access.engine);
        self.shared.readers.prefetch_item(owner, hash, own);
    }
}
