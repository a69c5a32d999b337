//! Counters of one shard, named as memcached's `stats`, `stats items` and `stats slabs` name them. A `count` is reset
//! by `stats reset`, a `level` is a present amount: see [`counters!`](crate::counters).

use crate::counters;

counters! {
    /// General counters of one shard. Sum them over the shards.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[allow(
        missing_docs,
        reason = "the names are those of memcached's `stats`, described in docs/protocol.md"
    )]
    pub struct EngineStats {
        count cmd_get,
        count cmd_set,
        count cmd_flush,
        count cmd_touch,
        count cmd_meta,
        count get_hits,
        count get_misses,
        count get_expired,
        count get_flushed,
        count delete_misses,
        count delete_hits,
        count incr_misses,
        count incr_hits,
        count decr_misses,
        count decr_hits,
        count cas_misses,
        count cas_hits,
        count cas_badval,
        count touch_hits,
        count touch_misses,
        count store_too_large,
        count store_no_memory,
        /// Bytes of linked items as requested: header, optional fields, key and value, without rounding.
        level bytes,
        /// Bytes of keys and values of linked items.
        level payload_bytes,
        level curr_items,
        count total_items,
        count expired_unfetched,
        count evicted_unfetched,
        count evictions,
        /// Bytes of evicted items, as `bytes` counts them, except for items whose page went to another shard.
        count evicted_bytes,
        /// Dead items whose memory was reused by a store, and dead items found by an access.
        count reclaimed,
        count crawler_reclaimed,
        count crawler_items_checked,
        /// Base-2 logarithm of the slots of the index.
        level hash_power_level,
        level hash_bytes,
        /// Pages held for items and index, and free ones.
        level pages,
        /// Pages held that no class uses.
        level slab_global_page_pool,
        count slabs_moved,
        /// 1 while a page is on its way from one class to another.
        level slab_reassign_running,
        /// Items moved to another chunk so that their page could go.
        count slab_reassign_rescues,
        /// Later chunks of large items moved to another chunk so that their page could go.
        count slab_reassign_chunk_rescues,
        /// Live items evicted so that their page could go.
        count slab_reassign_evictions,
        /// Pages that could not go because of pinned or half-received values.
        count slab_reassign_busy_items,
        /// Times a page was wanted and the budget had none.
        count page_shortages,
        /// Allocations for which there was no memory, in any class.
        count chunks_refused,
        /// Allocations that had to wait until a page was emptied for them.
        count page_waits,
        /// Work done, in units of some 100 ns, which is a cache miss or two: chunks looked at, items removed, chunks of
        /// chains freed, slots of the index and bytes moved. A bound on this work is a bound on the time of a call. The
        /// work is counted since the start and never reset.
        level work,
        /// Bytes charged to the budget by this shard.
        level charged_bytes,
    }
}

/// Figures that shards compare to share memory, and by which the upkeep of a shard goes: see [`crate::Engine::vitals`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Number of linked items.
    pub items: u64,
    /// Bytes charged to the budget.
    pub charged_bytes: u64,
    /// Items found by a get.
    pub hits: u64,
    /// Live items removed for their memory.
    pub evictions: u64,
    /// Bytes of live items removed for their memory, except for items whose page went to another shard.
    pub evicted_bytes: u64,
    /// Allocations for which there was no memory, in any class.
    pub chunks_refused: u64,
}

counters! {
    /// Counters of one slab class.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[allow(
        missing_docs,
        reason = "the names are those of memcached's `stats items` and `stats slabs`, described in docs/protocol.md"
    )]
    pub struct ClassStats {
        /// Number of the class, from 1. A class that users see may stand for several classes of neighbouring chunk
        /// sizes: its counters are then the sums over these classes, its ages the largest, its chunk size the size of
        /// the largest chunks.
        latest class_id: u8,
        latest chunk_size,
        latest chunks_per_page,
        level total_pages,
        /// Bytes of the pages of the class.
        level page_bytes,
        level total_chunks,
        level used_chunks,
        level free_chunks,
        /// Items whose first chunk is in this class.
        level number,
        /// Seconds since the last access of the item that eviction would take next.
        largest age,
        /// Bytes of linked items as requested.
        level mem_requested,
        count evicted,
        count evicted_nonzero,
        /// Seconds since the last access of the item evicted last.
        largest evicted_time,
        count outofmemory,
        count tailrepairs,
        count reclaimed,
        count expired_unfetched,
        count evicted_unfetched,
        count crawler_reclaimed,
        count crawler_items_checked,
        count lrutail_reflocked,
        count get_hits,
        count cmd_set,
        count delete_hits,
        count incr_hits,
        count decr_hits,
        count cas_hits,
        count cas_badval,
        count touch_hits,
    }
}

/// The uses of the bytes that a shard has charged. Except for `prefaulted_bytes` they add up to [`Self::total_bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// Keys and values of linked items.
    pub payload_bytes: u64,
    /// Headers of linked items, with their client flags, deadlines and cas uniques.
    pub header_bytes: u64,
    /// The index, its directory, and the queues and fingerprints of eviction.
    pub index_bytes: u64,
    /// Bytes of chunks in use beyond those that linked items ask for: sizes rounded up to slab classes, links of
    /// chains, and values that are being received or sent but are not linked.
    pub rounding_bytes: u64,
    /// Chunks not in use, and the ends of pages.
    pub free_chunk_bytes: u64,
    /// Pages that no slab class uses.
    pub free_page_bytes: u64,
    /// Prefaulted memory that is not charged yet, and not part of the sum.
    pub prefaulted_bytes: u64,
}

impl MemoryReport {
    /// The sum of all charged bytes.
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
