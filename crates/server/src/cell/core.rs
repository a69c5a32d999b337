//! The part of a shard that can be lent: its engine and the requests that others have sent to it.

use std::os::fd::RawFd;

use corecached_engine::{Engine, Seconds};
use corecached_mesh::spsc::Consumer;

use crate::batch::BoxedBatch;
use crate::execute::Access;
use crate::watch::Observer;

use crate::cell::ShardId;

/// A shard's engine with its inbound queues, behind the ownership word.
///
/// The queues are in here because a borrower must first run what it has sent to the shard earlier, so that operations of
/// one connection on one key stay in order.
pub(crate) struct Core {
    /// The cache.
    pub(crate) engine: Engine,
    /// Who sees what is done to it.
    pub(crate) observer: Observer,
    /// Batches from each shard, by its id; its own place is unused.
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
