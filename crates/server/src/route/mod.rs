//! The ways between shards.
//!
//! ```text
//! directory   every shard: its engine, its bell, its inbox
//! router      operations to other shards and back, on a loan or in a batch
//! peer        one other shard, and loans of its engine
//! peers sets  sets of shards: those with something to do
//! pushed      which of a connection's operations may not have been run yet
//! spare       empty batches, to be used again
//! control     rare messages, from any thread
//! ```

pub(crate) mod control;
pub(crate) mod directory;
mod peer;
pub(crate) mod peers;
pub(crate) mod pushed;
pub(crate) mod router;
mod sets;
mod spare;
