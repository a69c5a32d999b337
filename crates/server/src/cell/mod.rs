//! A cell: one shard's engine and what is done to it, without network and without protocol.
//!
//! ```text
//! ids   names of shards and connections, for all that refers to either
//! ```

pub(crate) mod ids;

pub(crate) use ids::{ConnId, ShardId};
