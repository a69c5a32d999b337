//! Operations: what every protocol turns its requests into, and the only thing the engine's side of the server sees.
//!
//! ```text
//! bytes -> parser -> Request -> Op -> execute (on the owning shard, or under a loan) -> outcome -> ReplyStyle -> bytes
//! ```
//!
//! An [`Op`] borrows its key, value and words from the receive buffer when it runs at once, or from a
//! [`Batch`](crate::batch::Batch) when it travels to another shard. It names no connection: who gets the reply is the
//! business of the carrier.

use corecached_engine::{
    Arith, Deadline, Delete, Fetch, KeyHash, Reserve, Seconds, StagedTicket, StoreExtras, StoreMode,
};
use corecached_protocol::binary::Head;
use corecached_protocol::meta::Flags;

use crate::crawler::WalkStep;

/// One operation on one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    /// The key; empty for operations on a whole shard.
    pub(crate) key: &'a [u8],
    /// Hash of `key`; decides the shard.
    pub(crate) hash: KeyHash,
    /// What to do.
    pub(crate) verb: Verb<'a>,
    /// How its outcome becomes bytes.
    pub(crate) reply: ReplyStyle<'a>,
}

/// The operations that text, meta and binary commands share.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get {
        /// What the lookup counts as and does to the item.
        fetch: Fetch,
    },
    /// The six storage commands.
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
    /// `delete`.
    Delete(Delete),
    /// `incr` and `decr`.
    Arith(Arith),
    /// `touch`.
    Touch {
        /// The new deadline.
        deadline: Deadline,
    },
    /// A value under this key was announced that is not taken: count it.
    Refuse {
        /// The storage command.
        mode: StoreMode,
        /// Whether the old value is dropped, as that of a `set` is.
        drops_old: bool,
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
    /// A copy of the shard's counts of some prefixes, for `stats detail dump`.
    Prefixes {
        /// The number of the first.
        from: u32,
    },
    /// `slabs reassign` on one shard.
    Reassign {
        /// The class that gives a page; `None` = any.
        source: Option<u8>,
        /// The class that gets it; 0 = the pool.
        destination: u8,
    },
    /// One step of a walk over the shard's items: `lru_crawler metadump` and the like.
    Walk(WalkStep),
    /// A step of a large value whose memory is the owner's while another shard receives it.
    Stage(StageStep),
    /// A value sent from slab memory has left; its chunks may be freed. Executed once.
    Unpin {
        /// The bits of the pin.
        pin: u32,
    },
}

/// A step of a large value on its way to the memory of another shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StageStep {
    /// It begins: its first memory is asked for.
    Begin(Begin),
    /// Memory is asked for that many more bytes.
    Grow {
        /// The value.
        staged: StagedTicket,
        /// How many bytes.
        bytes: usize,
    },
    /// It is whole.
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
    /// It will never be whole.
    Abort {
        /// The value.
        staged: StagedTicket,
    },
}

/// How a large value begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    /// Client flags of the new item.
    pub(crate) client_flags: u32,
    /// Deadline of the new item.
    pub(crate) deadline: Deadline,
    /// What else is asked for.
    pub(crate) extras: StoreExtras,
    /// Length of the value.
    pub(crate) value_bytes: usize,
}

impl Begin {
    /// The question for its first memory.
    pub(crate) fn reserve<'a>(&self, key: &'a [u8], hash: KeyHash) -> Reserve<'a> {
        Reserve {
            key,
            hash,
            client_flags: self.client_flags,
            deadline: self.deadline,
            extras: self.extras,
            value_bytes: self.value_bytes,
        }
    }
}

impl<'a> Verb<'a> {
    /// The value it carries; empty for most.
    pub(crate) fn value(&self) -> &'a [u8] {
        match *self {
            Verb::Store { value, .. } => value,
            _ => &[],
        }
    }

    /// Whether it is answered with memory for a large value, or with the lack of it.
    #[inline]
    pub(crate) fn asks_for_memory(&self) -> bool {
        matches!(
            self,
            Verb::Stage(StageStep::Begin(_) | StageStep::Grow { .. })
        )
    }

    /// The same with another value, if it carries one.
    #[inline]
    pub(crate) fn with_value<'b>(self, value: &'b [u8]) -> Verb<'b> {
        match self {
            Verb::Store {
                mode,
                client_flags,
                deadline,
                extras,
                ..
            } => Verb::Store {
                mode,
                client_flags,
                deadline,
                extras,
                value,
            },
            Verb::Get { fetch } => Verb::Get { fetch },
            Verb::Delete(delete) => Verb::Delete(delete),
            Verb::Arith(arith) => Verb::Arith(arith),
            Verb::Touch { deadline } => Verb::Touch { deadline },
            Verb::Refuse {
                mode,
                drops_old,
                why,
            } => Verb::Refuse {
                mode,
                drops_old,
                why,
            },
            Verb::FlushAll { at } => Verb::FlushAll { at },
            Verb::ResetStats => Verb::ResetStats,
            Verb::Report => Verb::Report,
            Verb::Prefixes { from } => Verb::Prefixes { from },
            Verb::Reassign {
                source,
                destination,
            } => Verb::Reassign {
                source,
                destination,
            },
            Verb::Walk(step) => Verb::Walk(step),
            Verb::Stage(step) => Verb::Stage(step),
            Verb::Unpin { pin } => Verb::Unpin { pin },
        }
    }
}

/// The protocol a reply is written in, with what the request said about its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyStyle<'a> {
    /// Not at all: `noreply`, and operations that no client asked for.
    None,
    /// Classic text.
    Text {
        /// Whether a hit shows the cas unique (`gets`, `gats`).
        with_cas: bool,
    },
    /// A packet of the binary protocol, or none: the opcode says which outcomes are told.
    Binary(Head),
    /// Meta commands.
    Meta(MetaStyle<'a>),
}

/// What a meta command says about its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaStyle<'a> {
    /// Its flags as sent: the reply returns what they ask for, in their order.
    pub(crate) flags: Flags<'a>,
    /// Whether its key came in base64.
    pub(crate) base64: bool,
    /// Length of the value that `ms` came with.
    pub(crate) value_bytes: u32,
    /// What `T` means.
    pub(crate) touched: Deadline,
    /// What `N` means.
    pub(crate) created: Deadline,
}

/// Classic text without anything special.
pub(crate) const TEXT: ReplyStyle<'static> = ReplyStyle::Text { with_cas: false };

impl<'a> ReplyStyle<'a> {
    /// Classic text, or nothing.
    #[inline]
    pub(crate) fn text_unless(noreply: bool) -> ReplyStyle<'static> {
        if noreply { ReplyStyle::None } else { TEXT }
    }

    /// Whether the request was a meta command.
    pub(crate) fn is_meta(&self) -> bool {
        matches!(self, ReplyStyle::Meta(_))
    }

    /// Whether the outcome is never told.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, ReplyStyle::None)
    }

    /// The words of the request that its reply needs; empty for most.
    #[inline]
    pub(crate) fn words(&self) -> &'a [u8] {
        match *self {
            ReplyStyle::Meta(style) => style.flags.words(),
            ReplyStyle::None | ReplyStyle::Text { .. } | ReplyStyle::Binary(_) => &[],
        }
    }

    /// The same with its words kept elsewhere.
    #[inline]
    pub(crate) fn with_words<'b>(self, words: &'b [u8]) -> ReplyStyle<'b> {
        match self {
            ReplyStyle::None => ReplyStyle::None,
            ReplyStyle::Text { with_cas } => ReplyStyle::Text { with_cas },
            ReplyStyle::Binary(head) => ReplyStyle::Binary(head),
            ReplyStyle::Meta(style) => ReplyStyle::Meta(MetaStyle {
                flags: style.flags.with_words(words),
                ..style
            }),
        }
    }
}

/// Why a storage command was refused before its value was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Larger than `-I`.
    TooLarge,
    /// No memory could be had for it.
    NoMemory,
}
