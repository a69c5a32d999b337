//! The access to a shard that an operation on it is given.

use std::os::fd::RawFd;

use corecached_engine::{Engine, Seconds};

use super::observer::Observer;
use crate::ids::ShardId;

/// Exclusive access to a shard: the owner's turn, or a loan.
pub(crate) struct Access<'a> {
    /// The shard's cache.
    pub(crate) engine: &'a mut Engine,
    /// Observes the operations on the shard.
    pub(crate) observer: &'a mut Observer,
    /// The number of the shard.
    pub(crate) shard: ShardId,
    /// The server's clock.
    pub(crate) now: Seconds,
    /// The connection that operations are run for; logs name it.
    pub(crate) descriptor: RawFd,
}
