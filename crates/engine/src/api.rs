//! Requests to the engine and their outcomes. A refusal that clients expect of a cache (no such item, too large) is an
//! outcome, not an error.

use crate::types::{Deadline, KeyHash};

/// The kind of a lookup: which counters it advances, and how it changes the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// `get`: counted, and the item is marked as used.
    Count,
    /// `gat`: counted as touch, marked as used, and the deadline replaced.
    Touch(Deadline),
    /// `mg`: counted as `get`, or as touch if it gives a new deadline; the fields say what else its flags ask for.
    Meta(MetaFetch),
    /// `me`: counted as `me`; the item is not marked as used.
    Inspect,
    /// Not counted, and the item is not marked as used.
    Quiet,
}

/// Options of `mg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFetch {
    /// Whether the item is marked as used.
    pub bump: bool,
    /// A new deadline; the lookup then counts as touch.
    pub deadline: Option<Deadline>,
    /// Which items a client is to fetch anew, besides stale ones.
    pub recache: Recache,
    /// The empty item to create on a miss, if any.
    pub create: Option<Create>,
}

impl MetaFetch {
    /// Like `get`, except that one client wins a stale item.
    pub const PLAIN: Self = Self {
        bump: true,
        deadline: None,
        recache: Recache::Never,
        create: None,
    };
}

/// Which items one client is told to fetch anew. Once a client has been told, no other is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recache {
    /// Stale items only.
    Never,
    /// Stale items, and those that die before this deadline.
    Below(Deadline),
    /// Every item.
    Always,
}

/// An item to be created on a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// When the item dies.
    pub deadline: Deadline,
    /// The cas unique of the item; `None` for the next one of the shard.
    pub new_cas: Option<u64>,
    /// Whether the key of the item came in base64.
    pub binary_key: bool,
}

/// When a store takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// Always.
    Set,
    /// Only if the key is absent; else the present item is marked as used.
    Add,
    /// Only if the key is present.
    Replace,
    /// Present: the value goes behind the present one, whose flags and deadline stay.
    Append,
    /// Present: the value goes before the present one, whose flags and deadline stay.
    Prepend,
    /// Only if the present item has this cas unique.
    Cas(u64),
}

/// Options of a store besides its mode; by default none is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreExtras {
    /// The cas unique of the item; `None` for the next one of the shard. A cas unique that does not fit 48 bits makes
    /// the item 2 bytes larger.
    pub new_cas: Option<u64>,
    /// For [`StoreMode::Append`] and [`StoreMode::Prepend`]: they take effect only if the present item has this cas
    /// unique.
    pub compare: Option<u64>,
    /// For [`StoreMode::Append`] and [`StoreMode::Prepend`]: if there is no item, the value is stored as it is.
    pub create: bool,
    /// For [`StoreMode::Cas`]: a cas unique below the present item's stores too. The new item is then stale and takes
    /// over the deadline of the present one. A client that has won the present item has won the new one.
    pub invalidate: bool,
    /// Whether the key came in base64.
    pub binary_key: bool,
    /// Deletes the present item if the store is refused for its size or for want of memory. [`StoreMode::Set`] always
    /// does so; with this option the other modes do, too.
    pub drops_old: bool,
}

/// A whole value to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    /// When the store takes effect.
    pub mode: StoreMode,
    /// The key, 1 to 250 bytes.
    pub key: &'a [u8],
    /// The hash of the key.
    pub hash: KeyHash,
    /// The client flags, which mean nothing to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub deadline: Deadline,
    /// Options of the store.
    pub extras: StoreExtras,
    /// The value.
    pub value: &'a [u8],
}

/// A value that will arrive in pieces.
#[derive(Clone, Copy, Debug)]
pub struct Reserve<'a> {
    /// The key, 1 to 250 bytes.
    pub key: &'a [u8],
    /// The hash of the key.
    pub hash: KeyHash,
    /// The client flags, which mean nothing to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub deadline: Deadline,
    /// The options of the store, as they will be given to [`crate::Engine::commit`].
    pub extras: StoreExtras,
    /// Length of the whole value.
    pub value_bytes: usize,
}

/// Outcome of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// Done; the item has this cas unique (0 with cas disabled).
    Stored {
        /// The cas unique.
        cas: u64,
        /// Length of the item's value.
        value_bytes: usize,
    },
    /// Not stored: the condition of the mode does not hold.
    NotStored,
    /// Not stored: the present item has another cas unique.
    Exists,
    /// Not stored: a cas unique was given, but there is no item.
    NotFound,
    /// Refused: the item would be larger than `item_size_max`.
    TooLarge,
    /// Refused: there is no memory, and nothing may be evicted.
    OutOfMemory,
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRefusal {
    /// The item would be larger than `item_size_max`.
    TooLarge,
    /// There is no memory for the value, and nothing may be evicted.
    OutOfMemory,
}

impl From<StoreRefusal> for StoreOutcome {
    fn from(why: StoreRefusal) -> Self {
        match why {
            StoreRefusal::TooLarge => StoreOutcome::TooLarge,
            StoreRefusal::OutOfMemory => StoreOutcome::OutOfMemory,
        }
    }
}

impl StoreOutcome {
    /// The cas unique of the item that was stored, if it was.
    #[must_use]
    pub const fn cas(&self) -> Option<u64> {
        match self {
            Self::Stored { cas, .. } => Some(*cas),
            _ => None,
        }
    }
}

/// Options of a delete; by default the item goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// The command takes effect only if the item has this cas unique.
    pub compare: Option<u64>,
    /// An item with another cas unique is counted as a miss.
    pub counts_other_cas: bool,
    /// Keeps the item, marks it as stale for one client to fetch it anew, and gives it a new cas unique.
    pub stale: bool,
    /// Keeps the item without its value, with these client flags and, unless told otherwise, for ever.
    pub empty: Option<u32>,
    /// A new deadline for an item that is kept.
    pub deadline: Option<Deadline>,
    /// The cas unique of an item that is kept; `None` for the next one of the shard.
    pub new_cas: Option<u64>,
}

/// Outcome of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Done.
    Deleted,
    /// No such item.
    NotFound,
    /// The item has another cas unique.
    Exists,
    /// There is no memory for the changes to an item that is to be kept.
    OutOfMemory,
}

/// Direction of [`Arith`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithOp {
    /// Adds, modulo 2^64.
    Incr,
    /// Subtracts, stopping at 0.
    Decr,
}

/// `incr` or `decr`.
#[derive(Clone, Copy, Debug)]
pub struct Arith {
    /// The direction.
    pub op: ArithOp,
    /// The amount to add or to subtract.
    pub delta: u64,
    /// Options of `incr` and `decr`.
    pub extras: ArithExtras,
}

/// Options of `incr` and `decr`; by default none is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithExtras {
    /// The command takes effect only if the item has this cas unique.
    pub compare: Option<u64>,
    /// The cas unique of the item; `None` for the next one of the shard.
    pub new_cas: Option<u64>,
    /// A new deadline for a present item.
    pub deadline: Option<Deadline>,
    /// The number to create on a miss, and its deadline.
    pub create: Option<(u64, Deadline)>,
    /// Whether the key of an item that is created came in base64.
    pub binary_key: bool,
}

/// Outcome of an [`Arith`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithOutcome {
    /// Done.
    Number {
        /// The new number.
        value: u64,
        /// The new cas unique.
        cas: u64,
        /// The deadline of the item.
        deadline: Deadline,
        /// Whether there was no item before.
        created: bool,
    },
    /// No such item.
    NotFound,
    /// The value is not a decimal number of 64 bits, or is a chain of chunks.
    NonNumeric,
    /// The item has another cas unique.
    Exists,
    /// There is no memory for a result that is longer than the present value.
    OutOfMemory,
}

/// Outcome of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchOutcome {
    /// Done.
    Touched,
    /// No such item.
    NotFound,
    /// The item has no room for a deadline, and there is no memory to move it to a chunk with the room: it is as
    /// before. This does not happen where evictions are disabled, since each item is then stored with that room.
    OutOfMemory,
}

/// Work done by one call of [`crate::Engine::sweep`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Chunks looked at.
    pub looked: usize,
    /// Dead items reclaimed.
    pub reclaimed: usize,
    /// Whether the walk came to the end of the memory; the next call begins anew.
    pub wrapped: bool,
}

/// A run of bytes of a pinned value.
///
/// The memory stays in place and unchanged until the item is unpinned or the engine dropped.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// First byte.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

/// Memory for a part of a value that is on its way in, from [`crate::Engine::staged_space`].
///
/// Only its holder, on whichever thread, may access the memory until the value is committed or aborted or the engine
/// dropped.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// First byte. The memory is initialised, but its contents mean nothing.
    pub ptr: *mut u8,
    /// Number of bytes, at least one.
    pub len: usize,
}

/// Whether there is memory for more of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is memory for at least one more [`Space`].
    Given,
    /// Not yet: other items have to make room first. Every further call goes on with that.
    Later,
    /// There is no memory: the value has to be aborted.
    OutOfMemory,
}

/// Outcome of a call of [`crate::Engine::release_idle_page`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// A page went back to the budget.
    Released,
    /// A page is being emptied: call again.
    Working,
    /// No page is fit to go.
    Nothing,
}

/// Work done by one call of [`crate::Engine::reap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReapProgress {
    /// Chunks looked at; pages that were stepped over count for some chunks each.
    pub looked: usize,
    /// Dead items reclaimed.
    pub reclaimed: usize,
    /// Whether the end of the memory was reached.
    pub wrapped: bool,
}
