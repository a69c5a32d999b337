//! What is counted and told. The engine writes it and never reads it: what decides has meters of its own, which nobody sets
//! back (`place::pressure`, `place::balance`, `contents::Census`).
//!
//! ```text
//! verbs ------- what a command has come to ---+
//! evict, place, upkeep -- Leaving, pages -----+--> Telemetry --> stats.rs    counters, named as users know them
//!                                                            \-> events.rs   for watchers, on request
//!                                                                report.rs   what is shown, with what is there
//! ```

pub(crate) mod counters;
pub(crate) mod events;
mod report;
pub(crate) mod stats;

pub use self::stats::{ClassStats, EngineStats, MemoryReport, Vitals};

use self::events::Events;
use crate::api::ArithOp;
use crate::contents::{Cause, Death, Leaving};
use crate::effort::Effort;

/// The counters that users see, and the events for watchers. Written by the engine, read by reports only.
#[derive(Debug)]
pub(crate) struct Telemetry {
    general: EngineStats,
    /// By class; class 0 is the index.
    classes: Vec<ClassStats>,
    /// By class: the hits that `place::balance` had counted when the counters were last set back, and those that it was told of
    /// by others since. A get counts its hit once.
    hits_before: Vec<u64>,
    pub(crate) events: Events,
}

impl Telemetry {
    /// For so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            general: EngineStats::default(),
            classes: vec![ClassStats::default(); classes],
            hits_before: vec![0; classes],
            events: Events::default(),
        }
    }

    /// Sets all counters back; these are the hits by class so far.
    fn reset(&mut self, hits: &[u64]) {
        self.hits_before.copy_from_slice(hits);
        self.general.reset();
        self.classes.iter_mut().for_each(ClassStats::reset);
    }

    #[inline]
    fn class(&mut self, class: u8) -> &mut ClassStats {
        &mut self.classes[usize::from(class)]
    }

    /// A call has ended.
    #[inline]
    pub(crate) fn spent(&mut self, effort: &Effort) {
        self.general.work += effort.spent();
    }
}

/// Commands and what they have come to.
impl Telemetry {
    /// This thread has found an item in another shard's memory. It is shown here.
    #[inline]
    pub(crate) fn found_elsewhere(&mut self, class: u8) {
        self.class(class).get_hits += 1;
    }

    /// Other threads have found so many items here, which `place::balance` has counted. They show them.
    pub(crate) fn found_from_elsewhere(&mut self, class: u8, hits: u64) {
        self.hits_before[usize::from(class)] += hits;
    }

    /// A get has found nothing.
    #[inline]
    pub(crate) fn get_miss(&mut self) {
        self.general.get_misses += 1;
    }

    /// A lookup has found a dead item, and removed it.
    pub(crate) fn found_dead(&mut self, death: Death) {
        match death {
            Death::Expired => self.general.get_expired += 1,
            Death::Flushed => self.general.get_flushed += 1,
        }
    }

    /// `me`.
    pub(crate) fn inspected(&mut self) {
        self.general.cmd_meta += 1;
    }

    /// A deadline was to be replaced, and the item is there.
    #[inline]
    pub(crate) fn touch_hit(&mut self, class: u8) {
        self.general.cmd_touch += 1;
        self.general.touch_hits += 1;
        self.class(class).touch_hits += 1;
    }

    /// A deadline was to be replaced, and there is no item.
    pub(crate) fn touch_miss(&mut self) {
        self.general.cmd_touch += 1;
        self.general.touch_misses += 1;
    }

    /// A storage command whose value is not too large, for a class.
    #[inline]
    pub(crate) fn set(&mut self, class: u8) {
        self.general.cmd_set += 1;
        self.class(class).cmd_set += 1;
    }

    /// An item was stored.
    #[inline]
    pub(crate) fn stored(&mut self) {
        self.general.total_items += 1;
    }

    /// So many items are there from an earlier process.
    pub(crate) fn restored(&mut self, items: u64) {
        self.general.total_items = items;
    }

    /// An item was stored where the lookup before had removed a dead one of this class.
    pub(crate) fn stored_in_place_of_dead(&mut self, class: u8) {
        self.general.reclaimed += 1;
        self.class(class).reclaimed += 1;
    }

    /// A value was refused for its size.
    pub(crate) fn refused_too_large(&mut self) {
        self.general.store_too_large += 1;
    }

    /// A value was refused for want of memory.
    pub(crate) fn refused_no_memory(&mut self) {
        self.general.store_no_memory += 1;
    }

    /// The cas unique that was given is the item's.
    pub(crate) fn cas_hit(&mut self, class: u8) {
        self.general.cas_hits += 1;
        self.class(class).cas_hits += 1;
    }

    /// The cas unique that was given is another than the item's.
    pub(crate) fn cas_badval(&mut self, class: u8) {
        self.general.cas_badval += 1;
        self.class(class).cas_badval += 1;
    }

    /// A cas unique was given, and there is no item.
    pub(crate) fn cas_miss(&mut self) {
        self.general.cas_misses += 1;
    }

    /// An item was deleted.
    pub(crate) fn delete_hit(&mut self, class: u8) {
        self.general.delete_hits += 1;
        self.class(class).delete_hits += 1;
    }

    /// There was nothing to delete.
    pub(crate) fn delete_miss(&mut self) {
        self.general.delete_misses += 1;
    }

    /// A number was changed.
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

    /// There was no number to change.
    pub(crate) fn arith_miss(&mut self, op: ArithOp) {
        match op {
            ArithOp::Incr => self.general.incr_misses += 1,
            ArithOp::Decr => self.general.decr_misses += 1,
        }
    }

    /// `flush_all`.
    pub(crate) fn flush(&mut self) {
        self.general.cmd_flush += 1;
    }
}

/// Memory.
impl Telemetry {
    /// An item is about to go.
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
            // How long items of the class are kept, those on probation aside.
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

    /// Bytes of an item were evicted for this shard's own sake.
    pub(crate) fn evicted_bytes(&mut self, bytes: u64) {
        self.general.evicted_bytes += bytes;
    }

    /// The background walks have looked at a linked item.
    #[inline]
    pub(crate) fn checked(&mut self, class: u8) {
        self.general.crawler_items_checked += 1;
        self.class(class).crawler_items_checked += 1;
    }

    /// There is no memory for a chunk of a class.
    pub(crate) fn chunk_refused(&mut self, class: u8) {
        self.general.chunks_refused += 1;
        self.out_of_memory(class);
    }

    /// There is no memory for an item of a class.
    pub(crate) fn out_of_memory(&mut self, class: u8) {
        self.class(class).outofmemory += 1;
    }

    /// A page was wanted, and the budget has none.
    pub(crate) fn page_shortage(&mut self) {
        self.general.page_shortages += 1;
    }

    /// An allocation waits until a page is empty.
    pub(crate) fn page_wait(&mut self) {
        self.general.page_waits += 1;
    }

    /// Pages have left their class.
    pub(crate) fn pages_moved(&mut self, pages: u64) {
        self.general.slabs_moved += pages;
    }

    /// No page could go, because of values that are being sent or received.
    pub(crate) fn page_busy(&mut self) {
        self.general.slab_reassign_busy_items += 1;
    }

    /// An item has left a page that is being emptied.
    pub(crate) fn rescued_item(&mut self) {
        self.general.slab_reassign_rescues += 1;
    }

    /// A later chunk of an item has left a page that is being emptied.
    pub(crate) fn rescued_chunk(&mut self) {
        self.general.slab_reassign_chunk_rescues += 1;
    }
}
