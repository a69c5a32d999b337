//! Borrowing: the part of a shard that another shard may borrow, and the batches that travel between both.
//!
//! ```text
//! core    a shard's engine with its inbound queues, behind the ownership word
//! batch   the operations of one tick for another shard, and their answers
//! ```

pub(crate) mod batch;
pub(crate) mod core;
