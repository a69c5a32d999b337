//! What a connection needs from its shard while it works on input.

use corecached_engine::KeyHash;

use crate::cell::access::Access;
use crate::ground::counters::NetCounters;
use crate::route::router::Router;
use crate::shared::Shared;

/// What a connection needs from its shard while it works on input.
pub(crate) struct Cx<'a> {
    /// The shard's own engine.
    pub(crate) access: Access<'a>,
    /// The way to the other shards.
    pub(crate) router: &'a mut Router,
    /// What all shards share.
    pub(crate) shared: &'a Shared,
    /// This shard's network counters.
    pub(crate) net: &'a NetCounters,
    /// A warm buffer for replies, if one is at hand.
    pub(crate) spare: Option<Vec<u8>>,
    /// With that much to send, a connection executes nothing further.
    pub(crate) output_bytes_max: usize,
    /// Keys that gets of many may still look up in this turn of the connection.
    pub(crate) keys_left: usize,
    /// Whether this is its turn among the connections that go on, and it has not done anything long in it.
    pub(crate) has_long_turn: bool,
}

/// Keys that one connection looks up in one turn in gets of many keys: some 50 us of misses, or of small hits.
pub(crate) const KEYS_PER_TURN: usize = 512;

impl Cx<'_> {
    /// Whether something long may be done now; not a second time.
    pub(super) fn take_long_turn(&mut self) -> bool {
        std::mem::take(&mut self.has_long_turn)
    }

    /// Asks for the bucket of a key that will be looked up soon, if it is this shard's.
    #[inline]
    pub(super) fn prefetch(&self, hash: KeyHash) {
        if self.shared.route.owner_of(hash) == self.access.shard {
            self.access.engine.prefetch(hash);
        }
    }

    /// Asks for the item of a key whose bucket has been asked for.
    #[inline]
    pub(super) fn prefetch_item(&self, hash: KeyHash) {
        if self.shared.route.owner_of(hash) == self.access.shard {
            self.access.engine.prefetch_item(hash);
        }
    }
}
