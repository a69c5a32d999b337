//! A cell: one shard's engine and what is done to it, without network and without protocol.
//!
//! ```text
//! ids             names of shards and connections, for all that refers to either
//! core            the engine with its inbound queues: what is lent
//! report pairs    its statistics, and the names and values that are told of them
//! ```

pub(crate) mod core;
pub(crate) mod ids;
mod pairs;
mod report;

pub(crate) use ids::{ConnId, ShardId};
pub(crate) use pairs::Pairs;
pub(crate) use report::ShardReport;
