//! Small types of the engine's interface: hashes, times, handles.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Hash of a key, the same on every shard of a process.
///
/// The server picks the shard from the high 32 bits; the engine uses the low 32 bits for the leaf of its index and bits
/// 32 to 47, which stay uniform within one shard, for the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(pub u64);

/// The keyed hash function of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHasher {
    seed: u64,
}

impl KeyHasher {
    /// Name of the function, as `stats shards` reports it.
    pub const NAME: &'static str = "xxh3_64";

    /// A hasher with the given seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Hash of `key`.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(xxh3_64_with_seed(key, self.seed))
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }
}

/// A point on the server's clock: whole seconds, beginning with 2 at the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seconds(pub u32);

/// When an item dies, on the server's clock; 0 means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadline(pub u32);

impl Deadline {
    /// The deadline of items that live until they are evicted.
    pub const NEVER: Self = Self(0);

    /// Whether an item with this deadline is dead at `now`.
    #[inline]
    #[must_use]
    pub const fn has_passed(self, now: Seconds) -> bool {
        self.0 != 0 && self.0 <= now.0
    }
}

/// Names an item that is linked in one engine, until the engine changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemHandle(pub(crate) u32);
