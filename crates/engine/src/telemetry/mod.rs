//! Counters for users, and events for watchers. The engine writes them and never reads them: policies that decide have
//! meters of their own, which are never reset (`place::pressure`, `place::balance`, `contents::Census`).
//!
//! ```text
//! verbs ------- outcomes of commands ---------+
//! evict, place, upkeep -- Leaving, pages -----+--> Telemetry --> stats.rs    counters, named as users know them
//!                                                            \-> events.rs   for watchers, on request
//! ```

pub(crate) mod counters;
pub(crate) mod events;
pub(crate) mod stats;

pub use self::stats::{ClassStats, EngineStats, MemoryReport, Vitals};

use self::events::Events;
use crate::api::ArithOp;
use crate::contents::{Cause, Death, Leaving};
use crate::effort::Effort;

/// The counters that users see, and the events for watchers. Written by the engine, read by reports only.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) general: EngineStats,
    /// By class; class 0 is the index.
    pub(crate) classes: Vec<ClassStats>,
    /// By class: the hits that `place::balance` had counted when the counters were last reset, and the hits that other
    /// threads have told it of since. So a get counts its hit only once.
    pub(crate) hits_before: Vec<u64>,
    pub(crate) events: Events,
}

impl Telemetry {
    /// The telemetry of a shard with so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            general: EngineStats::default(),
            classes: vec![ClassStats::default(); classes],
            hits_before: vec![0; classes],
            events: Events::default(),
        }
    }

    /// Resets all counters; `hits` are the hits by class so far.
    pub(crate) fn reset(&mut self, hits: &[u64]) {
        self.hits_before.copy_from_slice(hits);
        self.general.reset();
        self.classes.iter_mut().for_each(ClassStats::reset);
    }

    #[inline]
    fn class(&mut self, class: u8) -> &mut ClassStats {
        &mut self.classes[usize::from(class)]
    }

    /// Counts a call that has ended.
    #[inline]
    pub(crate) fn spent(&mut self, effort: &Effort) {
        self.general.work += effort.spent();
    }
}

/// Commands and their outcomes.
impl Telemetry {
    /// Counts an item that this thread has found in another shard's memory. The hit is shown with this shard.
    #[inline]
    pub(crate) fn found_elsewhere(&mut self, class: u8) {
        self.class(class).get_hits += 1;
    }

    /// Takes away hits of other threads in this shard, which `place::balance` has counted. They are shown with the
    /// shards of those threads.
    pub(crate) fn found_from_elsewhere(&mut self, class: u8, hits: u64) {
        self.hits_before[usize::from(class)] += hits;
    }

    /// Counts a get that has found nothing.
    #[inline]
    pub(crate) fn get_miss(&mut self) {
        self.general.get_misses += 1;
    }

    /// Counts a lookup that has found a dead item and removed it.
    pub(crate) fn found_dead(&mut self, death: Death) {
        match death {
            Death::Expired => self.general.get_expired += 1,
            Death::Flushed => self.general.get_flushed += 1,
        }
    }

    /// Counts a `me`.
    pub(crate) fn inspected(&mut self) {
        self.general.cmd_meta += 1;
    }

    /// Counts a touch that has found an item.
    #[inline]
    pub(crate) fn touch_hit(&mut self, class: u8) {
        self.general.cmd_touch += 1;
        self.general.touch_hits += 1;
        self.class(class).touch_hits += 1;
    }

    /// Counts a touch that has found no item.
    pub(crate) fn touch_miss(&mut self) {
        self.general.cmd_touch += 1;
        self.general.touch_misses += 1;
    }

    /// Counts a storage command whose value is not too large, for a class.
    #[inline]
    pub(crate) fn set(&mut self, class: u8) {
        self.general.cmd_set += 1;
        self.class(class).cmd_set += 1;
    }

    /// Counts an item that was stored.
    #[inline]
    pub(crate) fn stored(&mut self) {
        self.general.total_items += 1;
    }

    /// Counts items that were taken over from an earlier process.
    pub(crate) fn restored(&mut self, items: u64) {
        self.general.total_items = items;
    }

    /// Counts an item that was stored after its lookup had removed a dead item of this class.
    pub(crate) fn stored_in_place_of_dead(&mut self, class: u8) {
        self.general.reclaimed += 1;
        self.class(class).reclaimed += 1;
    }

    /// Counts a value that was refused for its size.
    pub(crate) fn refused_too_large(&mut self) {
        self.general.store_too_large += 1;
    }

    /// Counts a value that was refused for want of memory.
    pub(crate) fn refused_no_memory(&mut self) {
        self.general.store_no_memory += 1;
    }

    /// Counts a command whose cas unique is that of the item.
    pub(crate) fn cas_hit(&mut self, class: u8) {
        self.general.cas_hits += 1;
        self.class(class).cas_hits += 1;
    }

    /// Counts a command whose cas unique is not that of the item.
    pub(crate) fn cas_badval(&mut self, class: u8) {
        self.general.cas_badval += 1;
        self.class(class).cas_badval += 1;
    }

    /// Counts a command with a cas unique for which there is no item.
    pub(crate) fn cas_miss(&mut self) {
        self.general.cas_misses += 1;
    }

    /// Counts an item that was deleted.
    pub(crate) fn delete_hit(&mut self, class: u8) {
        self.general.delete_hits += 1;
        self.class(class).delete_hits += 1;
    }

    /// Counts a delete that has found no item.
    pub(crate) fn delete_miss(&mut self) {
        self.general.delete_misses += 1;
    }

    /// Counts an `incr` or `decr` that has changed a number.
    pub(crate) fn arith_hit(&mut self, op: ArithOp, class: u8) {
        match op {
            ArithOp::Incr => {
                self.general.incr_hits += 1;
                self.class(class).incr_hits += 1;
            }
            ArithOp::Decr => {
                self.general.decr_hits += 1;
                self.class(class).decr_hits += 1;
            }
        }
    }

    /// Counts an `incr` or `decr` that has found no item.
    pub(crate) fn arith_miss(&mut self, op: ArithOp) {
        match op {
            ArithOp::Incr => self.general.incr_misses += 1,
            ArithOp::Decr => self.general.decr_misses += 1,
        }
    }

    /// Counts a `flush_all`.
    pub(crate) fn flush(&mut self) {
        self.general.cmd_flush += 1;
    }
}

/// Memory.
impl Telemetry {
    /// Counts an item that is about to be removed, and tells watchers if it is evicted.
    #[inline]
    pub(crate) fn leaves(&mut self, leaving: &Leaving<'_>) {
        let unfetched = u64::from(!leaving.is_fetched);
        let mortal = u64::from(leaving.ttl.is_some());
        let (general, class) = (
            &mut self.general,
            &mut self.classes[usize::from(leaving.class)],
        );
        if leaving.cause.is_eviction() {
            general.evictions += 1;
            general.evicted_unfetched += unfetched;
            class.evicted += 1;
            class.evicted_unfetched += unfetched;
            class.evicted_nonzero += mortal;
        } else {
            general.expired_unfetched += unfetched;
            class.expired_unfetched += unfetched;
        }
        match leaving.cause {
            // How long items of the class are kept, except for those on probation.
            Cause::Hand => class.evicted_time = u64::from(leaving.idle),
            Cause::Page => general.slab_reassign_evictions += 1,
            Cause::Probation | Cause::Slot => {}
            Cause::Met => {
                general.reclaimed += 1;
                class.reclaimed += 1;
            }
            Cause::Swept => {
                general.crawler_reclaimed += 1;
                class.crawler_reclaimed += 1;
            }
        }
        if leaving.cause.is_eviction() {
            self.events.note_eviction(leaving);
        }
    }

    /// Counts the bytes of an item that was evicted because this shard needs memory itself.
    pub(crate) fn evicted_bytes(&mut self, bytes: u64) {
        self.general.evicted_bytes += bytes;
    }

    /// Counts a linked item that the background walks have looked at.
    #[inline]
    pub(crate) fn checked(&mut self, class: u8) {
        self.general.crawler_items_checked += 1;
        self.class(class).crawler_items_checked += 1;
    }

    /// Counts a chunk of a class for which there is no memory.
    pub(crate) fn chunk_refused(&mut self, class: u8) {
        self.general.chunks_refused += 1;
        self.out_of_memory(class);
    }

    /// Counts an item of a class for which there is no memory.
    pub(crate) fn out_of_memory(&mut self, class: u8) {
        self.class(class).outofmemory += 1;
    }

    /// Counts a page that was wanted when the budget had none.
    pub(crate) fn page_shortage(&mut self) {
        self.general.page_shortages += 1;
    }

    /// Counts an allocation that waits until a page is empty.
    pub(crate) fn page_wait(&mut self) {
        self.general.page_waits += 1;
    }

    /// Counts pages that have left their class.
    pub(crate) fn pages_moved(&mut self, pages: u64) {
        self.general.slabs_moved += pages;
    }

    /// Counts a page that could not be emptied because of values that are being sent or received.
    pub(crate) fn page_busy(&mut self) {
        self.general.slab_reassign_busy_items += 1;
    }

    /// Counts an item that was moved out of a page that is being emptied.
    pub(crate) fn rescued_item(&mut self) {
        self.general.slab_reassign_rescues += 1;
    }

    /// Counts a later chunk of an item that was moved out of a page that is being emptied.
    pub(crate) fn rescued_chunk(&mut self) {
        self.general.slab_reassign_chunk_rescues += 1;
    }
}
