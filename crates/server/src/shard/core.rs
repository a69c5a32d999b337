//! The part of a shard that can be lent: its engine and the requests that others have sent to it.

use corecached_engine::Engine;
use corecached_mesh::spsc::Consumer;

use crate::batch::BoxedBatch;

/// A shard's engine with its inbound queues, behind the ownership word.
///
/// The queues are in here because a borrower must first run what it has sent to the shard earlier, so that operations of
/// one connection on one key stay in order.
pub(crate) struct Core {
    /// The cache.
    pub(crate) engine: Engine,
    /// Batches from each shard, by its id; its own place is unused.
    pub(crate) inbound: Vec<Consumer<BoxedBatch>>,
}
