//! Operations: every protocol turns its requests into them, and a shard's engine sees nothing else of a request.
//!
//! ```text
//! Op        on one key     execute         -> Outcome     on the shard that owns the key
//! ShardOp   on a shard     run_on_shard    -> ShardOutcome        on one shard, or on each of them
//! ```
//!
//! Operations that run at once borrow their bytes from the receive buffer; operations that travel to another shard
//! borrow them from a [`Batch`](crate::lending::batch::Batch). They name no protocol and no connection: the carrier
//! knows where the reply goes and how it is written.

use corecached_engine::{
    Arith, Deadline, Delete, Fetch, KeyHash, Reserve, Seconds, StagedTicket, StoreExtras,
    StoreMode, StoreRefusal,
};

/// An operation on one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    /// The key.
    pub(crate) key: &'a [u8],
    /// Hash of the key; it decides the shard.
    pub(crate) hash: KeyHash,
    /// The action.
    pub(crate) verb: Verb<'a>,
}

/// An action on a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb<'a> {
    /// A lookup, with how it is counted and what it changes in the item.
    Get(Fetch),
    /// A change, which returns no value.
    Change(Change<'a>),
}

/// A change of one item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// A storage command of the six, with its value.
    Store {
        /// The storage command.
        mode: StoreMode,
        /// Client flags of the new item.
        client_flags: u32,
        /// Deadline of the new item.
        deadline: Deadline,
        /// Further conditions and side effects.
        extras: StoreExtras,
        /// The value.
        value: &'a [u8],
    },
    /// A storage command whose value has come in pieces, into memory of the shard.
    Commit {
        /// The value.
        staged: StagedTicket,
        /// The storage command.
        mode: StoreMode,
        /// Further conditions and side effects.
        extras: StoreExtras,
        /// Length of the value.
        value_bytes: usize,
    },
    /// A storage command whose announced value is not taken.
    Refuse {
        /// The storage command.
        mode: StoreMode,
        /// Whether the old value is dropped, as by `set`.
        drops_old: bool,
        /// Why the value is refused.
        why: StoreRefusal,
    },
    /// `delete`.
    Delete {
        /// The effect on the item.
        delete: Delete,
        /// The name of the command in logs.
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

/// An operation on a shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShardOp<'a> {
    /// `flush_all`.
    FlushAll {
        /// When the items are flushed; `None` is now.
        at: Option<Seconds>,
    },
    /// `stats reset`.
    ResetStats,
    /// A copy of the shard's statistics, for `stats` and its subcommands.
    Report,
    /// A copy of the shard's counts of hot keys, for `stats hotkeys`.
    HotKeys {
        /// Whether the counts begin anew.
        reset: bool,
    },
    /// A copy of the shard's counts of some prefixes, for `stats detail dump`.
    Prefixes {
        /// The first of these numbers.
        from: u32,
    },
    /// `slabs reassign`.
    Reassign {
        /// The class that gives a page; `None` is any class.
        source: Option<u8>,
        /// The class that gets the page; 0 is the pool.
        destination: u8,
    },
    /// Asks for the first memory of a large value that another shard receives.
    Begin(Reserve<'a>),
    /// Asks for more memory for such a value.
    Grow {
        /// The value.
        staged: StagedTicket,
        /// Number of bytes.
        bytes: usize,
    },
    /// Gives up such a value, which will never be whole.
    Abort {
        /// The value.
        staged: StagedTicket,
    },
    /// Releases the pin of a value that has been sent from slab memory, so that its chunks may be freed. It is executed
    /// once.
    Unpin {
        /// The bits of the pin.
        pin: u32,
    },
}

impl<'a> Verb<'a> {
    /// The value that the action carries; empty for most.
    #[inline]
    pub(crate) fn value(&self) -> &'a [u8] {
        match *self {
            Verb::Change(Change::Store { value, .. }) => value,
            _ => &[],
        }
    }

    /// The same action with `value`, if the action carries a value.
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
    /// The key that the operation carries; empty for most.
    pub(crate) fn key(&self) -> &'a [u8] {
        match self {
            ShardOp::Begin(reserve) => reserve.key,
            _ => &[],
        }
    }

    /// Whether the operation asks for memory for a large value.
    pub(crate) fn asks_for_memory(&self) -> bool {
        matches!(self, ShardOp::Begin(_) | ShardOp::Grow { .. })
    }

    /// The same operation with `key`, a copy of its key.
    pub(crate) fn with_key<'b>(self, key: &'b [u8]) -> ShardOp<'b> {
        match self {
            ShardOp::Begin(reserve) => ShardOp::Begin(Reserve { key, ..reserve }),
            ShardOp::FlushAll { at } => ShardOp::FlushAll { at },
            ShardOp::ResetStats => ShardOp::ResetStats,
            ShardOp::Report => ShardOp::Report,
            ShardOp::HotKeys { reset } => ShardOp::HotKeys { reset },
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
