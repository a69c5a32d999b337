//! Requests to the engine and their outcomes. What goes wrong in the semantics of a cache is an outcome, not an error.

use crate::types::{Deadline, KeyHash};

/// What a lookup counts as and does to the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// `get`: counted, and the item is marked as used.
    Count,
    /// `gat`: counted as touch, marked as used, and the deadline replaced.
    Touch(Deadline),
    /// Neither counted nor marked.
    Quiet,
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

/// Outcome of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Done.
    Deleted,
    /// No such item.
    NotFound,
    /// The item has another cas unique.
    Exists,
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
    /// Only if the item has this cas unique.
    pub compare: Option<u64>,
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
