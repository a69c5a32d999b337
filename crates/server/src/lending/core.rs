//! The part of a shard that can be lent: its engine and the requests that others have sent to it.

use std::os::fd::RawFd;
use std::sync::Arc;

use corecached_engine::{Engine, Seconds};
use corecached_mesh::Loanable;
use corecached_mesh::spsc::Consumer;

use super::batch::BoxedBatch;
use crate::ids::ShardId;
use crate::operation::access::Access;
use crate::operation::observer::Observer;

/// A shard's engine with its inbound queues, behind the ownership word.
///
/// The queues are part of the core because a borrower must first run the batches that it has sent to the shard earlier.
/// Only so do operations of one connection on one key stay in order.
pub(crate) struct Core {
    /// The cache.
    pub(crate) engine: Engine,
    /// Observes the operations on the shard.
    pub(crate) observer: Observer,
    /// Batches from each shard, by its id; the shard's own place is unused.
    pub(crate) inbound: Vec<Consumer<BoxedBatch>>,
}

impl Core {
    /// Access to the engine for operations of the connection `descriptor`.
    #[inline]
    pub(crate) fn access(&mut self, shard: ShardId, now: Seconds, descriptor: RawFd) -> Access<'_> {
        Access {
            engine: &mut self.engine,
            observer: &mut self.observer,
            shard,
            now,
            descriptor,
        }
    }
}

/// The cores of all shards, for shards that borrow one.
pub(crate) struct Cores(Vec<Arc<Loanable<Core>>>);

impl Cores {
    /// Takes the cores in the order of their shards.
    pub(crate) fn new(cores: Vec<Arc<Loanable<Core>>>) -> Cores {
        Cores(cores)
    }

    /// The core of a shard.
    #[inline]
    pub(crate) fn of(&self, shard: ShardId) -> &Loanable<Core> {
        &self.0[usize::from(shard.0)]
    }

    /// The cores of all shards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Loanable<Core>> {
        self.0.iter().map(Arc::as_ref)
    }
}
