//! The ways between shards.
//!
//! ```text
//! directory      every shard: its engine, its bell, its inbox
//! router         operations to other shards, on a loan at once or to an outbox
//! exchange       outboxes are emptied, on a loan or by message; batches are run, and come back
//! empty_batches  batches that have come back, to be used again
//! peer           one other shard, and loans of its engine
//! peers sets     sets of shards: those with something to do
//! pushed         which of a connection's operations may not have been run yet
//! control        rare messages, from any thread
//! stage          how far a shard has come, for the report about shards that do not end
//! ```

pub(crate) mod control;
pub(crate) mod directory;
mod empty_batches;
pub(crate) mod exchange;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod pushed;
pub(crate) mod router;
mod sets;
pub(crate) mod stage;
