//! Requests to the engine and their outcomes. What goes wrong in the semantics of a cache is an outcome, not an error.

use crate::types::{Deadline, KeyHash};

/// What a lookup counts as and does to the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// `get`: counted, and the item is marked as used.
    Count,
    /// `gat`: counted as touch, marked as used, and the deadline replaced.
    Touch(Deadline),
    /// `mg`: counted as one of these two, and what else its flags ask for.
    Meta(MetaFetch),
    /// `me`: counted as such, and not marked.
    Inspect,
    /// Neither counted nor marked.
    Quiet,
}

/// What `mg` may ask for besides the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFetch {
    /// Whether the item is marked as used.
    pub bump: bool,
    /// A new deadline; the lookup then counts as touch.
    pub deadline: Option<Deadline>,
    /// Which items a client is to fetch anew, besides stale ones.
    pub recache: Recache,
    /// Creates an empty item on a miss.
    pub create: Option<Create>,
}

impl MetaFetch {
    /// As `get`, but for stale items, which one client wins.
    pub const PLAIN: Self = Self {
        bump: true,
        deadline: None,
        recache: Recache::Never,
        create: None,
    };
}

/// Which items one client is told to fetch anew, if none has been told so yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recache {
    /// Stale ones only.
    Never,
    /// Those that die before this deadline.
    Below(Deadline),
    /// Every one.
    Always,
}

/// An item to be created on a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// When it dies.
    pub deadline: Deadline,
    /// Its cas unique, if not the next one.
    pub new_cas: Option<u64>,
    /// Whether its key came in base64.
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

/// What a store may ask for besides its mode; the default is none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreExtras {
    /// The cas unique of the item, if not the next one. One that does not fit 48 bits makes the item 2 bytes larger.
    pub new_cas: Option<u64>,
    /// [`StoreMode::Append`] and [`StoreMode::Prepend`]: only if the present item has this cas unique.
    pub compare: Option<u64>,
    /// [`StoreMode::Append`] and [`StoreMode::Prepend`]: stores the value as it is where there is no item.
    pub create: bool,
    /// [`StoreMode::Cas`]: a cas unique below the present item's stores too. The item is then stale, with the deadline of
    /// the one before it, and a client that has won that one has won this one.
    pub invalidate: bool,
    /// Whether the key came in base64.
    pub binary_key: bool,
    /// In every mode as [`StoreMode::Set`] does: the present item goes when the store is refused for its size or for want
    /// of memory.
    pub drops_old: bool,
}

/// A whole value to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    /// When it takes effect.
    pub mode: StoreMode,
    /// The key, 1 to 250 bytes.
    pub key: &'a [u8],
    /// Its hash.
    pub hash: KeyHash,
    /// Opaque to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub deadline: Deadline,
    /// What else is asked for.
    pub extras: StoreExtras,
    /// The value.
    pub value: &'a [u8],
}

/// A value that will arrive in pieces.
#[derive(Clone, Copy, Debug)]
pub struct Reserve<'a> {
    /// The key, 1 to 250 bytes.
    pub key: &'a [u8],
    /// Its hash.
    pub hash: KeyHash,
    /// Opaque to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub deadline: Deadline,
    /// As they will be given to [`crate::Engine::commit`].
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
    /// The condition of the mode does not hold.
    NotStored,
    /// The present item has another cas unique.
    Exists,
    /// A cas unique was given, but there is no item.
    NotFound,
    /// Larger than `item_size_max`.
    TooLarge,
    /// No memory, and nothing may be evicted.
    OutOfMemory,
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than `item_size_max`.
    TooLarge,
    /// There is no memory for it, and nothing may be evicted.
    OutOfMemory,
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

/// What becomes of an item that is deleted; by default it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// Only if the item has this cas unique.
    pub compare: Option<u64>,
    /// Keeps the item, marks it as stale for one client to fetch it anew, and gives it a new cas unique.
    pub stale: bool,
    /// Keeps the item without its value, with these client flags and, unless told otherwise, for ever.
    pub empty: Option<u32>,
    /// A new deadline for an item that is kept.
    pub deadline: Option<Deadline>,
    /// The cas unique of an item that is kept, if not the next one.
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
    /// An item that is kept found no memory for what it needs.
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
    /// By how much.
    pub delta: u64,
    /// What else is asked for.
    pub extras: ArithExtras,
}

/// What `incr` and `decr` may ask for besides; the default is none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithExtras {
    /// Only if the item has this cas unique.
    pub compare: Option<u64>,
    /// The cas unique of the item, if not the next one.
    pub new_cas: Option<u64>,
    /// A new deadline for a present item.
    pub deadline: Option<Deadline>,
    /// Creates this number, with this deadline, on a miss.
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
        /// The deadline as it was, or as an item has it that was just created.
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
    /// The longer result found no memory.
    OutOfMemory,
}

/// Outcome of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchOutcome {
    /// Done.
    Touched,
    /// No such item.
    NotFound,
    /// The item has no room for a deadline, and there is no memory to give it any: it is as before. Not where evictions are
    /// disabled: each item is stored with the room.
    OutOfMemory,
}

/// What a call of [`crate::Engine::sweep`] did.
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
/// It is its holder's alone, on whichever thread, until the value is committed or aborted or the engine dropped.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// First byte; initialised memory, but of no meaning.
    pub ptr: *mut u8,
    /// Number of bytes, at least one.
    pub len: usize,
}

/// Whether there is memory for more of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is: at least one more [`Space`].
    Given,
    /// Not yet: other items have to make room first, which goes on with every further call.
    Later,
    /// There is none to be had: the value has to be aborted.
    OutOfMemory,
}

/// What a call of [`crate::Engine::release_idle_page`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// A page went back to the budget.
    Released,
    /// A page is being emptied: call again.
    Working,
    /// No page is fit to go.
    Nothing,
}

/// What a call of [`crate::Engine::reap`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReapProgress {
    /// Chunks looked at, and some for the pages stepped over.
    pub looked: usize,
    /// Dead items reclaimed.
    pub reclaimed: usize,
    /// Whether the end of the memory was reached.
    pub wrapped: bool,
}
