//! Operations: what every protocol turns its requests into, and all that a cell ever sees of them.
//!
//! ```text
//! Op        on one key     execute         -> Outcome     on the shard that owns the key
//! ShardOp   on a shard     run_on_shard    -> Part        on one shard, or on each of them
//! ```
//!
//! Both borrow what they carry from the receive buffer when they run at once, or from a [`Batch`](super::batch::Batch) when
//! they travel to another shard. They name no protocol and no connection: who is answered, and how, is the business of the
//! carrier.

use corecached_engine::{
    Arith, Deadline, Delete, Fetch, KeyHash, Reserve, Seconds, StagedTicket, StoreExtras, StoreMode,
};

/// An operation on one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    /// The key.
    pub(crate) key: &'a [u8],
    /// Its hash; decides the shard.
    pub(crate) hash: KeyHash,
    /// What to do.
    pub(crate) verb: Verb<'a>,
}

/// What is done with a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb<'a> {
    /// A lookup: what it counts as and does to the item.
    Get(Fetch),
    /// Anything that has no value to give.
    Change(Change<'a>),
}

/// A change of one item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// The six storage commands, with the value.
    Store {
        /// Which of them.
        mode: StoreMode,
        /// Client flags of the new item.
        client_flags: u32,
        /// Deadline of the new item.
        deadline: Deadline,
        /// What else is asked for.
        extras: StoreExtras,
        /// The value.
        value: &'a [u8],
    },
    /// The same with a value that has come in pieces, into memory of the shard.
    Commit {
        /// The value.
        staged: StagedTicket,
        /// The storage command.
        mode: StoreMode,
        /// What else is asked for.
        extras: StoreExtras,
        /// Length of the value.
        value_bytes: usize,
    },
    /// A value under this key was announced that is not taken.
    Refuse {
        /// The storage command.
        mode: StoreMode,
        /// Whether the old value is dropped, as that of a `set` is.
        drops_old: bool,
        /// Why it is refused.
        why: Refusal,
    },
    /// `delete`.
    Delete {
        /// What becomes of the item.
        delete: Delete,
        /// The command, as logs name it.
        command: &'static str,
    },
    /// `incr` and `decr`.
    Arith(Arith),
    /// `touch`.
    Touch {
        /// The new deadline.
        deadline: Deadline,
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

/// An operation on a shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShardOp<'a> {
    /// `flush_all`.
    FlushAll {
        /// When; `None` is now.
        at: Option<Seconds>,
    },
    /// `stats reset`.
    ResetStats,
    /// A copy of the shard's statistics, for `stats` and its subcommands.
    Report,
    /// A copy of the shard's counts of some prefixes, for `stats detail dump`.
    Prefixes {
        /// The number of the first.
        from: u32,
    },
    /// `slabs reassign`.
    Reassign {
        /// The class that gives a page; `None` = any.
        source: Option<u8>,
        /// The class that gets it; 0 = the pool.
        destination: u8,
    },
    /// Memory for a large value that another shard receives: its first.
    Begin(Reserve<'a>),
    /// That many bytes more of it.
    Grow {
        /// The value.
        staged: StagedTicket,
        /// How many bytes.
        bytes: usize,
    },
    /// That value will never be whole.
    Abort {
        /// The value.
        staged: StagedTicket,
    },
    /// A value sent from slab memory has left; its chunks may be freed. Executed once.
    Unpin {
        /// The bits of the pin.
        pin: u32,
    },
}

impl<'a> Verb<'a> {
    /// The value it carries; empty for most.
    #[inline]
    pub(crate) fn value(&self) -> &'a [u8] {
        match *self {
            Verb::Change(Change::Store { value, .. }) => value,
            _ => &[],
        }
    }

    /// The same with another value, if it carries one.
    #[inline]
    pub(crate) fn with_value<'b>(self, value: &'b [u8]) -> Verb<'b> {
        match self {
            Verb::Get(fetch) => Verb::Get(fetch),
            Verb::Change(change) => Verb::Change(change.with_value(value)),
        }
    }
}

impl Change<'_> {
    #[inline]
    fn with_value<'b>(self, value: &'b [u8]) -> Change<'b> {
        match self {
            Change::Store {
                mode,
                client_flags,
                deadline,
                extras,
                ..
            } => Change::Store {
                mode,
                client_flags,
                deadline,
                extras,
                value,
            },
            Change::Commit {
                staged,
                mode,
                extras,
                value_bytes,
            } => Change::Commit {
                staged,
                mode,
                extras,
                value_bytes,
            },
            Change::Refuse {
                mode,
                drops_old,
                why,
            } => Change::Refuse {
                mode,
                drops_old,
                why,
            },
            Change::Delete { delete, command } => Change::Delete { delete, command },
            Change::Arith(arith) => Change::Arith(arith),
            Change::Touch { deadline } => Change::Touch { deadline },
        }
    }
}

impl<'a> ShardOp<'a> {
    /// The key it carries; empty for most.
    pub(crate) fn key(&self) -> &'a [u8] {
        match self {
            ShardOp::Begin(reserve) => reserve.key,
            _ => &[],
        }
    }

    /// Whether it asks for memory for a large value.
    pub(crate) fn asks_for_memory(&self) -> bool {
        matches!(self, ShardOp::Begin(_) | ShardOp::Grow { .. })
    }

    /// The same with its key kept elsewhere.
    pub(crate) fn with_key<'b>(self, key: &'b [u8]) -> ShardOp<'b> {
        match self {
            ShardOp::Begin(reserve) => ShardOp::Begin(Reserve { key, ..reserve }),
            ShardOp::FlushAll { at } => ShardOp::FlushAll { at },
            ShardOp::ResetStats => ShardOp::ResetStats,
            ShardOp::Report => ShardOp::Report,
            ShardOp::Prefixes { from } => ShardOp::Prefixes { from },
            ShardOp::Reassign {
                source,
                destination,
            } => ShardOp::Reassign {
                source,
                destination,
            },
            ShardOp::Grow { staged, bytes } => ShardOp::Grow { staged, bytes },
            ShardOp::Abort { staged } => ShardOp::Abort { staged },
            ShardOp::Unpin { pin } => ShardOp::Unpin { pin },
        }
    }
}
