//! The ways between shards.
//!
//! ```text
//! directory   every shard: its engine, its bell, its inbox
//! router      operations to other shards and back, on a loan or in a batch
//! control     rare messages, from any thread
//! ```

pub(crate) mod control;
pub(crate) mod directory;
pub(crate) mod router;
