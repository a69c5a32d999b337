//! The configuration of a shard's engine.

use std::fs::File;
use std::sync::Arc;

use crate::types::KeyHasher;

/// Where a shard's segment lies in a file, so that its items can outlive the process.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    /// The file, open for reading and writing, at least `offset` + `segment_bytes` long (with holes).
    pub file: Arc<File>,
    /// Where the segment begins: a multiple of 4096.
    pub offset: u64,
}

/// Configuration of one [`crate::Engine`].
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Bytes of a page, the unit in which memory moves between classes and shards: a power of two,
    /// 4 KiB to 1 MiB; see [`Self::page_bytes_for`].
    pub page_bytes: usize,
    /// Largest item as memcached counts it (`-I`): key + value + 59, + 4 with client flags, - 8 without cas.
    pub item_size_max: usize,
    /// Ratio of neighbouring chunk sizes (`-f`); `None` for the engine's own chunk sizes, which are closer to each
    /// other.
    pub growth_factor: Option<f64>,
    /// Smallest room for key, value and flags in a chunk (`-n`).
    pub chunk_min: Option<usize>,
    /// Chunk sizes in bytes, header included (`-o slab_sizes`).
    pub slab_sizes: Option<Vec<usize>>,
    /// Largest chunk (`-o slab_chunk_max`); larger items are chains of chunks. At most `page_bytes` is used.
    pub chunk_max: usize,
    /// Whether items carry a cas unique (off: `-C`).
    pub cas_enabled: bool,
    /// Whether live items may be evicted (off: `-M`).
    pub evictions_enabled: bool,
    /// Address space of this shard, touched only as pages are drawn.
    pub segment_bytes: usize,
    /// First cas unique of this shard.
    pub cas_first: u64,
    /// Distance between cas uniques of this shard: the number of shards, so that they never collide.
    pub cas_step: u64,
    /// Hashes keys when an item is found by its memory and not by its key.
    pub hasher: KeyHasher,
    /// Key of the second hash, by which items are found if too many of them have the same hash of [`Self::hasher`]. It
    /// is random and never shown.
    pub secret: [u64; 2],
    /// Part of the budget that this shard charges at the start and can therefore always use.
    pub reserve_bytes: usize,
    /// Whether to ask the kernel for huge pages (`-L`).
    pub huge_pages: bool,
    /// Whether pages that no class uses stay with the shard. Meant for a prefaulted shard that shares the budget with
    /// no other.
    pub keeps_pages: bool,
    /// The file that holds the segment (`-e`); `None` for anonymous memory.
    pub memory_file: Option<MemoryFile>,
}

/// Pages that a shard should have at least, so that each of its slab classes can have one.
const PAGES_WANTED: u64 = 256;
const PAGE_BYTES_MIN: u64 = 16 << 10;
const PAGE_BYTES_MAX: u64 = 256 << 10;

impl EngineConfig {
    /// The page size for a process of `shards` shards that may hold `limit_bytes` together.
    #[must_use]
    pub fn page_bytes_for(limit_bytes: u64, shards: usize) -> usize {
        let wanted = limit_bytes / shards.max(1) as u64 / PAGES_WANTED;
        let rounded = 1 << wanted.max(1).ilog2();
        u64::clamp(rounded, PAGE_BYTES_MIN, PAGE_BYTES_MAX) as usize
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            page_bytes: 256 << 10,
            item_size_max: 1 << 20,
            growth_factor: None,
            chunk_min: None,
            slab_sizes: None,
            chunk_max: 512 << 10,
            cas_enabled: true,
            evictions_enabled: true,
            segment_bytes: 32 << 30,
            cas_first: 1,
            cas_step: 1,
            hasher: KeyHasher::new(0),
            secret: [0; 2],
            reserve_bytes: 0,
            huge_pages: false,
            keeps_pages: false,
            memory_file: None,
        }
    }
}
