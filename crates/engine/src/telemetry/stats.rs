//! Counters of one shard, named as memcached's `stats`, `stats items` and `stats slabs` name them.

/// General counters of one shard. Sum them over the shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of memcached's `stats`, described in docs/protocol.md"
)]
pub struct EngineStats {
    pub cmd_get: u64,
    pub cmd_set: u64,
    pub cmd_flush: u64,
    pub cmd_touch: u64,
    pub cmd_meta: u64,
    pub get_hits: u64,
    pub get_misses: u64,
    pub get_expired: u64,
    pub get_flushed: u64,
    pub delete_misses: u64,
    pub delete_hits: u64,
    pub incr_misses: u64,
    pub incr_hits: u64,
    pub decr_misses: u64,
    pub decr_hits: u64,
    pub cas_misses: u64,
    pub cas_hits: u64,
    pub cas_badval: u64,
    pub touch_hits: u64,
    pub touch_misses: u64,
    pub store_too_large: u64,
    pub store_no_memory: u64,
    /// Bytes of linked items as requested: header, optional fields, key and value, without rounding.
    pub bytes: u64,
    /// Bytes of keys and values of linked items.
    pub payload_bytes: u64,
    pub curr_items: u64,
    pub total_items: u64,
    pub expired_unfetched: u64,
    pub evicted_unfetched: u64,
    pub evictions: u64,
    /// Bytes of evicted items, as `bytes` counts them, but for those whose page went to another shard.
    pub evicted_bytes: u64,
    /// Dead items whose memory was reused by a store, and dead items found by an access.
    pub reclaimed: u64,
    pub crawler_reclaimed: u64,
    pub crawler_items_checked: u64,
    /// Base-2 logarithm of the slots of the index.
    pub hash_power_level: u64,
    pub hash_bytes: u64,
    /// Pages held for items and index, and free ones.
    pub pages: u64,
    /// Pages held that no class uses.
    pub slab_global_page_pool: u64,
    pub slabs_moved: u64,
    /// 1 while a page is on its way from one class to another.
    pub slab_reassign_running: u64,
    /// Items moved to another chunk so that their page could go.
    pub slab_reassign_rescues: u64,
    /// The same for later chunks of large items.
    pub slab_reassign_chunk_rescues: u64,
    /// Live items evicted so that their page could go.
    pub slab_reassign_evictions: u64,
    /// Pages that could not go because of pinned or half-received values.
    pub slab_reassign_busy_items: u64,
    /// Times a page was wanted and the budget had none.
    pub page_shortages: u64,
    /// Allocations for which there was no memory, in any class.
    pub chunks_refused: u64,
    /// Allocations that had to wait until a page was emptied for them.
    pub page_waits: u64,
    /// Work done, in units of some 100 ns, which is a cache miss or two: chunks looked at, items removed, chunks of chains
    /// freed, slots of the index and bytes moved. What bounds it bounds the time of a call. Since the start: it is never reset.
    pub work: u64,
    /// Bytes charged to the budget by this shard.
    pub charged_bytes: u64,
}

/// What shards compare to share the memory, and what the upkeep of one goes by: see [`crate::Engine::vitals`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Items that are there.
    pub items: u64,
    /// Bytes charged to the budget.
    pub charged_bytes: u64,
    /// Items found by a get.
    pub hits: u64,
    /// Live items removed for their memory.
    pub evictions: u64,
    /// Bytes of those, but for items whose page went to another shard.
    pub evicted_bytes: u64,
    /// Allocations for which there was no memory, in any class.
    pub chunks_refused: u64,
}

/// Counters of one slab class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of memcached's `stats items` and `stats slabs`, described in docs/protocol.md"
)]
pub struct ClassStats {
    /// Number of the class, from 1. Where users see one class, there may be several of neighbouring chunk sizes: its
    /// counters are then their sums, its ages and chunk size those of the largest.
    pub class_id: u8,
    pub chunk_size: u64,
    pub chunks_per_page: u64,
    pub total_pages: u64,
    /// Bytes of its pages.
    pub page_bytes: u64,
    pub total_chunks: u64,
    pub used_chunks: u64,
    pub free_chunks: u64,
    /// Items whose first chunk is in this class.
    pub number: u64,
    /// Seconds since the last access of the item that eviction would take next.
    pub age: u64,
    /// Bytes of linked items as requested.
    pub mem_requested: u64,
    pub evicted: u64,
    pub evicted_nonzero: u64,
    /// Seconds since the last access of the item evicted last.
    pub evicted_time: u64,
    pub outofmemory: u64,
    pub tailrepairs: u64,
    pub reclaimed: u64,
    pub expired_unfetched: u64,
    pub evicted_unfetched: u64,
    pub crawler_reclaimed: u64,
    pub crawler_items_checked: u64,
    pub lrutail_reflocked: u64,
    pub get_hits: u64,
    pub cmd_set: u64,
    pub delete_hits: u64,
    pub incr_hits: u64,
    pub decr_hits: u64,
    pub cas_hits: u64,
    pub cas_badval: u64,
    pub touch_hits: u64,
}

impl ClassStats {
    /// Takes in the counters of the class with the next larger chunks.
    pub(crate) fn join(&mut self, other: &Self) {
        self.chunk_size = other.chunk_size;
        self.chunks_per_page = other.chunks_per_page;
        self.age = self.age.max(other.age);
        self.evicted_time = self.evicted_time.max(other.evicted_time);
        for (sum, more) in [
            (&mut self.total_pages, other.total_pages),
            (&mut self.page_bytes, other.page_bytes),
            (&mut self.total_chunks, other.total_chunks),
            (&mut self.used_chunks, other.used_chunks),
            (&mut self.free_chunks, other.free_chunks),
            (&mut self.number, other.number),
            (&mut self.mem_requested, other.mem_requested),
            (&mut self.evicted, other.evicted),
            (&mut self.evicted_nonzero, other.evicted_nonzero),
            (&mut self.outofmemory, other.outofmemory),
            (&mut self.tailrepairs, other.tailrepairs),
            (&mut self.reclaimed, other.reclaimed),
            (&mut self.expired_unfetched, other.expired_unfetched),
            (&mut self.evicted_unfetched, other.evicted_unfetched),
            (&mut self.crawler_reclaimed, other.crawler_reclaimed),
            (&mut self.crawler_items_checked, other.crawler_items_checked),
            (&mut self.lrutail_reflocked, other.lrutail_reflocked),
            (&mut self.get_hits, other.get_hits),
            (&mut self.cmd_set, other.cmd_set),
            (&mut self.delete_hits, other.delete_hits),
            (&mut self.incr_hits, other.incr_hits),
            (&mut self.decr_hits, other.decr_hits),
            (&mut self.cas_hits, other.cas_hits),
            (&mut self.cas_badval, other.cas_badval),
            (&mut self.touch_hits, other.touch_hits),
        ] {
            *sum += more;
        }
    }
}

/// Where the bytes are that a shard has charged; but for `prefaulted_bytes` they add up to [`Self::total_bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// Keys and values of linked items.
    pub payload_bytes: u64,
    /// Headers of linked items, with their client flags, deadlines and cas uniques.
    pub header_bytes: u64,
    /// The index, its directory, and what eviction remembers.
    pub index_bytes: u64,
    /// Chunks in use beyond what linked items ask for: sizes rounded up to slab classes, links of chains, and values that
    /// are being received or sent but are no items.
    pub rounding_bytes: u64,
    /// Chunks not in use, and the ends of pages.
    pub free_chunk_bytes: u64,
    /// Pages that no slab class uses.
    pub free_page_bytes: u64,
    /// Memory that is there but not charged yet, and not part of the sum.
    pub prefaulted_bytes: u64,
}

impl MemoryReport {
    /// All of it.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.payload_bytes
            + self.header_bytes
            + self.index_bytes
            + self.rounding_bytes
            + self.free_chunk_bytes
            + self.free_page_bytes
    }
}
