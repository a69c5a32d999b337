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
    pub curr_items: u64,
    pub total_items: u64,
    pub expired_unfetched: u64,
    pub evicted_unfetched: u64,
    pub evictions: u64,
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
    /// Items moved to another chunk so that their page could go.
    pub slab_reassign_rescues: u64,
    /// Live items evicted so that their page could go.
    pub slab_reassign_evictions: u64,
    /// Pages that could not go because of pinned or half-received values.
    pub slab_reassign_busy_items: u64,
    /// Times a page was wanted and the budget had none.
    pub page_shortages: u64,
    /// Bytes charged to the budget by this shard.
    pub charged_bytes: u64,
    pub malloc_fails: u64,
}

/// Counters of one slab class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are those of memcached's `stats items` and `stats slabs`, described in docs/protocol.md"
)]
pub struct ClassStats {
    /// Number of the class, from 1.
    pub class_id: u8,
    pub chunk_size: u64,
    pub chunks_per_page: u64,
    pub total_pages: u64,
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
