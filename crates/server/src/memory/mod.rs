//! Memory, as far as shards have to agree about it.
//!
//! ```text
//! notice    what a shard tells the others of its engine's memory
//! turnover  what becomes of that over time
//! pages     pages go from a shard to the one that needs them more
//! uploads   what half-sent values may claim together
//! conns     what connections hold of the heap
//! ```

pub(crate) mod conns;
pub(crate) mod notice;
pub(crate) mod pages;
mod turnover;
pub(crate) mod uploads;
