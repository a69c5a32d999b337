//! A cell: one shard's engine and what is done to it. It knows no network, and no protocol but for the watchers' lines.
//!
//! ```text
//! ids               names of shards, connections and replies, for all that refers to any of them
//! op      outcome   what is asked of a cell, and what has become of it
//! execute  apply    the one in, the other out, with `access` to the engine
//! observed observer the same while somebody watches, and what is kept for those who do
//! stage    walk     steps of what takes longer
//! batch             operations of one tick for another cell, and the way back
//! core              the engine with its inbound queues: what is lent
//! report pairs      its statistics, and the names and values that are told of them
//! ```

pub(crate) mod access;
mod apply;
pub(crate) mod batch;
pub(crate) mod core;
pub(crate) mod execute;
pub(crate) mod ids;
mod observed;
pub(crate) mod observer;
pub(crate) mod op;
pub(crate) mod outcome;
mod pairs;
mod report;
mod stage;
pub(crate) mod walk;

pub(crate) use ids::{ConnId, ReplySeq, ReplyTo, ShardId};
pub(crate) use pairs::Pairs;
pub(crate) use report::ShardReport;
