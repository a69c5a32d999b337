//! What has become of an operation. Nobody has to look anywhere else to know it: protocols write it, watchers log it, and
//! `stats detail` counts it.
//!
//! ```text
//! Op       -> Outcome   Hit Miss OutOfMemory            a lookup; the item is seen through `HitView`
//!                       Changed: Stored Refused Deleted Counted Touched
//! ShardOp  -> Part      Done Report Prefixes Reassigned Granted
//! ```
//!
//! An item that was found is told by whatever implements [`HitView`]: the engine's own [`Hit`], or facts that were copied out
//! of another shard's memory. Protocols write what comes before its value from that (`Style::hit`), and say what comes
//! behind it; the value itself is appended by whoever has it. So a hit gets the same bytes whatever way it was found.

use corecached_engine::{
    ArithOutcome, Deadline, DeleteOutcome, Hit, ReassignOutcome, Space, StagedTicket, StoreOutcome,
    TouchOutcome,
};

use super::op::Refusal;
use super::{ShardId, ShardReport};
use crate::watch::PrefixRows;

/// What has become of an operation on a key.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// The item, with what was asked for done to it.
    Hit(Hit<'a>),
    /// There is none.
    Miss,
    /// There is this one, but no memory for the deadline that it was to get: it is as before.
    OutOfMemory(Hit<'a>),
    /// No lookup.
    Changed(Changed),
}

/// What has become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Of a storage command.
    Stored(StoreOutcome),
    /// Its value was not taken.
    Refused(Refusal),
    /// Of a `delete`.
    Deleted(DeleteOutcome),
    /// Of `incr` or `decr`.
    Counted(ArithOutcome),
    /// Of a `touch`.
    Touched(TouchOutcome),
}

/// An item that was found, but for its value: what a reply may tell of it.
pub(crate) trait HitView {
    /// Client flags.
    fn client_flags(&self) -> u32;
    /// Cas unique, 0 with cas disabled.
    fn cas(&self) -> u64;
    /// Length of the value.
    fn value_bytes(&self) -> usize;
    /// The deadline now in effect.
    fn deadline(&self) -> Deadline;
    /// The deadline before this lookup; that of an item that it created is the one it got.
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

/// What a shard gives in answer to an operation on it.
#[derive(Debug)]
pub(crate) enum Part {
    /// It is done, and that is all there is to know.
    Done,
    /// The shard's statistics.
    Report(Box<ShardReport>),
    /// The shard's counts of some prefixes.
    Prefixes(Box<PrefixRows>),
    /// What has become of `slabs reassign`.
    Reassigned(ReassignOutcome),
    /// Memory for a large value.
    Granted(Box<Grant>),
}

/// Memory for a large value that another shard receives, or none.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Whose memory it is.
    pub(crate) shard: ShardId,
    /// The value, unless it could not even begin.
    pub(crate) staged: Option<StagedTicket>,
    /// Memory for its next bytes; none if others have to make room first, or if it is refused.
    pub(crate) spaces: Vec<Space>,
    /// Why there will be no more.
    pub(crate) refusal: Option<Refusal>,
}
