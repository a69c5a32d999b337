//! The result of an operation. It is the only source for everything that depends on the result: protocols write it,
//! watchers log it, and `stats detail` counts it.
//!
//! ```text
//! Op       -> Outcome   Hit Miss OutOfMemory            a lookup; the item is seen through `HitView`
//!                       Changed: Stored Refused Deleted Counted Touched
//! ShardOp  -> ShardOutcome   Done Report HotKeys Prefixes Reassigned Granted
//! ```
//!
//! An item that was found is described through [`HitView`], either by the engine's own [`Hit`] or by facts that were
//! copied out of another shard's memory. From these facts a protocol writes the bytes before the value (`Style::hit`)
//! and returns the bytes behind it; the value itself is appended by the caller that has it. So a hit gets the same
//! bytes whatever way it was found.

use corecached_engine::{
    ArithOutcome, Deadline, DeleteOutcome, Hit, ReadFacts, ReassignOutcome, Space, StagedTicket,
    StoreOutcome, StoreRefusal, TouchOutcome,
};

use super::report::{HotKeysReport, ShardReport};
use crate::ids::ShardId;
use crate::watch::PrefixRows;

/// The result of an operation on a key.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// A lookup found this item, and changed it as was asked for.
    Hit(Hit<'a>),
    /// A lookup found no item.
    Miss,
    /// A lookup found this item, but there was no memory for the deadline that it was to get: the item is unchanged.
    OutOfMemory(Hit<'a>),
    /// The operation was a change.
    Changed(Changed),
}

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Result of a storage command.
    Stored(StoreOutcome),
    /// The value of a storage command was not taken.
    Refused(StoreRefusal),
    /// Result of a `delete`.
    Deleted(DeleteOutcome),
    /// Result of `incr` or `decr`.
    Counted(ArithOutcome),
    /// Result of a `touch`.
    Touched(TouchOutcome),
}

/// An item that was found, without its value: the facts that a reply may contain.
pub(crate) trait HitView {
    /// Client flags.
    fn client_flags(&self) -> u32;
    /// Cas unique, 0 with cas disabled.
    fn cas(&self) -> u64;
    /// Length of the value.
    fn value_bytes(&self) -> usize;
    /// The deadline now in effect.
    fn deadline(&self) -> Deadline;
    /// The deadline before this lookup. If the lookup created the item, this is the deadline that it gave the item.
    fn deadline_before(&self) -> Deadline;
    /// Seconds since the item was used before this lookup.
    fn idle_seconds(&self) -> u32;
    /// Whether a lookup had fetched the item before this one.
    fn was_fetched(&self) -> bool;
    /// Whether the key came in base64 when the item was stored.
    fn has_binary_key(&self) -> bool;
    /// Whether the value is out of date.
    fn is_stale(&self) -> bool;
    /// Whether an earlier lookup has won the item.
    fn was_won(&self) -> bool;
    /// Whether this lookup is the one that wins the item.
    fn has_won(&self) -> bool;
    /// Whether this lookup has created the item.
    fn is_new(&self) -> bool;
    /// The slab class, as shown to users.
    fn class_id(&self) -> u8;
    /// Bytes of header, key and value.
    fn item_bytes(&self) -> usize;
}

impl HitView for Hit<'_> {
    #[inline]
    fn client_flags(&self) -> u32 {
        self.client_flags()
    }

    #[inline]
    fn cas(&self) -> u64 {
        self.cas()
    }

    #[inline]
    fn value_bytes(&self) -> usize {
        self.value_len()
    }

    fn deadline(&self) -> Deadline {
        self.deadline()
    }

    fn deadline_before(&self) -> Deadline {
        self.deadline_before()
    }

    fn idle_seconds(&self) -> u32 {
        self.idle_seconds()
    }

    fn was_fetched(&self) -> bool {
        self.fetched()
    }

    fn has_binary_key(&self) -> bool {
        self.has_binary_key()
    }

    #[inline]
    fn is_stale(&self) -> bool {
        self.is_stale()
    }

    #[inline]
    fn was_won(&self) -> bool {
        self.was_won()
    }

    #[inline]
    fn has_won(&self) -> bool {
        self.has_won()
    }

    fn is_new(&self) -> bool {
        self.is_new()
    }

    fn class_id(&self) -> u8 {
        self.class_id()
    }

    fn item_bytes(&self) -> usize {
        self.item_bytes()
    }
}

/// An item that was read in another shard's memory, without any change.
impl HitView for ReadFacts {
    #[inline]
    fn client_flags(&self) -> u32 {
        self.client_flags
    }

    #[inline]
    fn cas(&self) -> u64 {
        self.cas
    }

    #[inline]
    fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn deadline_before(&self) -> Deadline {
        self.deadline
    }

    fn idle_seconds(&self) -> u32 {
        self.idle_seconds
    }

    /// Readers leave items that no lookup has fetched to the owner.
    fn was_fetched(&self) -> bool {
        true
    }

    fn has_binary_key(&self) -> bool {
        self.has_binary_key
    }

    #[inline]
    fn is_stale(&self) -> bool {
        self.is_stale
    }

    #[inline]
    fn was_won(&self) -> bool {
        self.was_won
    }

    #[inline]
    fn has_won(&self) -> bool {
        false
    }

    fn is_new(&self) -> bool {
        false
    }

    fn class_id(&self) -> u8 {
        self.class
    }

    fn item_bytes(&self) -> usize {
        self.item_bytes
    }
}

/// The answer of a shard to an operation on it.
#[derive(Debug)]
pub(crate) enum ShardOutcome {
    /// The operation is done; there is nothing else to report.
    Done,
    /// The shard's statistics.
    Report(Box<ShardReport>),
    /// The shard's counts of hot keys.
    HotKeys(Box<HotKeysReport>),
    /// The shard's counts of some prefixes.
    Prefixes(Box<PrefixRows>),
    /// The result of `slabs reassign`.
    Reassigned(ReassignOutcome),
    /// The answer to a request for memory for a large value.
    Granted(Box<Grant>),
}

/// The answer to a request for memory for a large value that another shard receives.
#[derive(Debug)]
pub(crate) struct Grant {
    /// The shard whose memory it is.
    pub(crate) shard: ShardId,
    /// The value, unless even its first memory was refused.
    pub(crate) staged: Option<StagedTicket>,
    /// Memory for the next bytes of the value; empty if other items have to make room first, or if memory is refused.
    pub(crate) spaces: Vec<Space>,
    /// Why there will be no more memory.
    pub(crate) refusal: Option<StoreRefusal>,
}
