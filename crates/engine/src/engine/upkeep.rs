//! Housekeeping in bounded steps: dead chains, pages on their way out, memory given back.

use super::Engine;
use crate::api::Release;
use crate::types::Seconds;

/// Chunks of dying chains freed by one [`Engine::maintain`].
const DYING_STEP: usize = 64;
/// Chunks of a page on its way out that one [`Engine::maintain`] looks at.
const DRAIN_STEP: usize = 128;

impl Engine {
    /// Units of work done so far: what bounds these bounds the time of a call.
    #[inline]
    pub(super) fn work(&self) -> u64 {
        self.stats.work + self.index.moved_slots()
    }

    /// Housekeeping in bounded steps; to be called every few milliseconds while there is traffic, and now and then
    /// without. True while a page is being emptied, which more calls would finish.
    pub fn maintain(&mut self, now: Seconds) -> bool {
        self.clock.advance(now);
        self.items.slabs.now = self.clock.now().0;
        if self.items.slabs.has_spare_page() {
            self.items.slabs.release_pool_page();
        }
        self.trim_probation();
        if self.drain.is_some() {
            self.work_on_drain(DRAIN_STEP);
        } else if self.dying.is_null() {
            self.balance_classes();
        }
        self.free_dying(DYING_STEP);
        let condenses = self.condense();
        condenses
            || self.drain.is_some()
            || !self.dying.is_null()
            || self.items.slabs.has_spare_page()
    }

    /// Works on giving one page back to the budget, for another shard to draw; looks at `chunks` chunks at most. A page
    /// that turns out to hold a half-received value is left, and nothing comes of the call.
    pub fn release_page(&mut self, chunks: usize) -> Release {
        self.free_dying(chunks.min(DYING_STEP));
        if self.items.slabs.pool_len() > self.pool_reserve() {
            self.items.slabs.release_pool_page();
            return Release::Released;
        }
        if self.evictions_enabled && (self.drain.is_some() || self.steal_page()) {
            self.disinherit();
            let busy = self.stats.slab_reassign_busy_items;
            self.work_on_drain(chunks);
            if self.stats.slab_reassign_busy_items > busy {
                return Release::Nothing;
            }
            if self.items.slabs.pool_len() > self.pool_reserve() {
                self.items.slabs.release_pool_page();
                return Release::Released;
            }
            return Release::Working;
        }
        if !self.dying.is_null() {
            return Release::Working;
        }
        if self.items.slabs.release_pool_page() {
            Release::Released
        } else {
            Release::Nothing
        }
    }

    /// Gives memory back while the shards hold more than the limit, looking at `chunks` chunks at most; true while
    /// there is more to do.
    pub fn trim(&mut self, chunks: usize) -> bool {
        if self.items.slabs.trim_prefaulted() {
            return true;
        }
        self.items.slabs.excess_bytes() > 0
            && self.release_page(chunks) != Release::Nothing
            && self.items.slabs.excess_bytes() > 0
    }
}
