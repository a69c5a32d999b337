//! Operations on one shard: what they are, how they are run on its engine, and what comes of them. No file here knows a
//! network, or a protocol other than the watchers' lines.
//!
//! ```text
//! op      outcome   operations on a shard, and their results
//! execute  apply    run an operation with `access` to the engine and return its outcome
//! observed observer run it while somebody watches, and keep the lines and counts
//! sampled           run it, and note it for `stats hotkeys` and `stats mrc`
//! stage    walk     steps of work that takes longer
//! readers reads     gets answered from other shards' memory, and the log of them
//! notes             what a shard is told of gets of its keys that other shards have answered
//! report pairs      the statistics of a shard, and the names and values that are told of them
//! ```

pub(crate) mod access;
mod apply;
pub(crate) mod execute;
pub(crate) mod notes;
mod observed;
pub(crate) mod observer;
pub(crate) mod op;
pub(crate) mod outcome;
mod pairs;
pub(crate) mod readers;
pub(crate) mod reads;
mod report;
pub(crate) mod sampled;
mod stage;
pub(crate) mod walk;

pub(crate) use pairs::Pairs;
pub(crate) use report::{HotKeysReport, ShardReport};
