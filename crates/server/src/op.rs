//! Operations: what every protocol turns its requests into, and the only thing the engine's side of the server sees.
//!
//! ```text
//! bytes -> parser -> Request -> Op -> execute (on the owning shard, or under a loan) -> reply bytes
//! ```
//!
//! An [`Op`] borrows its key and value from the receive buffer when it runs at once, or from a [`Batch`](crate::batch::Batch)
//! when it travels to another shard. It names no connection: who gets the reply is the business of the carrier.

use corecached_engine::{ArithOp, Deadline, ItemHandle, KeyHash, Seconds, StoreMode};

/// One operation on one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    /// The key; empty for operations on a whole shard.
    pub(crate) key: &'a [u8],
    /// Hash of `key`; decides the shard.
    pub(crate) hash: KeyHash,
    /// What to do.
    pub(crate) verb: Verb<'a>,
    /// Whether a reply is written (`noreply` commands run without).
    pub(crate) quiet: bool,
}

/// The operations that text, meta and binary commands share.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb<'a> {
    /// `get`, `gets`, and with a deadline `gat`, `gats`.
    Get {
        /// Whether the reply carries the cas unique.
        with_cas: bool,
        /// New deadline (`gat`).
        touch: Option<Deadline>,
    },
    /// The six storage commands.
    Store {
        /// Which of them.
        mode: StoreMode,
        /// Client flags of the new item.
        client_flags: u32,
        /// Deadline of the new item.
        deadline: Deadline,
        /// The value.
        value: &'a [u8],
    },
    /// `delete`.
    Delete,
    /// `incr` and `decr`.
    Arith {
        /// Which of them.
        op: ArithOp,
        /// By how much.
        delta: u64,
    },
    /// `touch`.
    Touch {
        /// The new deadline.
        deadline: Deadline,
    },
    /// A value too large for `-I` under this key was announced: count it, and drop the old value if it was a `set`.
    Refuse {
        /// The storage command.
        mode: StoreMode,
        /// Why it is refused.
        why: Refusal,
    },
    /// `flush_all` on one shard.
    FlushAll {
        /// When; `None` is now.
        at: Option<Seconds>,
    },
    /// `stats reset` on one shard.
    ResetStats,
    /// A copy of the shard's statistics, for `stats` and its subcommands.
    Report,
    /// A value sent from slab memory has left; its chunks may be freed.
    Unpin {
        /// The item that was pinned.
        item: ItemHandle,
    },
}

/// Why a storage command was refused before its value was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Larger than `-I`.
    TooLarge,
    /// No memory could be had for it.
    NoMemory,
}
