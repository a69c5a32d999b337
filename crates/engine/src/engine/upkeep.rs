//! Housekeeping in bounded steps: dead chains, pages on their way out, memory given back.

use super::Engine;
use crate::api::Release;
use crate::types::Seconds;

/// Chunks of dying chains freed by one step.
const DYING_STEP: usize = 32;
/// Chunks of a page on its way out that one [`Engine::maintain`] looks at.
const DRAIN_STEP: usize = 128;
/// Units of work on a page on its way out in one step: giving one to the kernel may come on top.
pub(super) const DRAIN_WORK: u64 = 200;

impl Engine {
    /// Housekeeping in bounded steps; to be called every few milliseconds while there is traffic, and now and then
    /// without. True while a page is being emptied, which more calls would finish.
    pub fn maintain(&mut self, now: Seconds) -> bool {
        self.clock.advance(now);
        self.begin_work();
        let now = self.clock.now().0;
        self.items.slabs.advance(now);
        if self.items.slabs.has_spare_page() {
            self.release_pool_page();
        }
        self.trim_probation();
        if self.drain.is_some() {
            self.work_on_drain(DRAIN_STEP, self.work_left().min(DRAIN_WORK));
        }
        self.free_dying_step(DYING_STEP);
        let condenses = self.condense();
        condenses
            || self.drain.is_some()
            || !self.dying.is_null()
            || self.items.slabs.has_spare_page()
    }

    /// Gives a page of the pool back to the kernel and the budget; false if the pool is empty.
    pub(super) fn release_pool_page(&mut self) -> bool {
        let released = self.items.slabs.release_pool_page();
        if released {
            self.count_bytes(self.page_bytes());
        }
        released
    }

    /// Works on giving one page back to the budget, for another shard to draw; looks at `chunks` chunks at most. A page
    /// that turns out to hold a half-received value is left, and nothing comes of the call.
    pub fn release_page(&mut self, chunks: usize) -> Release {
        self.begin_work();
        if self.items.slabs.pool_len() > self.pool_reserve() {
            self.release_pool_page();
            return Release::Released;
        }
        self.free_dying(chunks.min(DYING_STEP));
        if self.evictions_enabled && (self.drain.is_some() || self.steal_page()) {
            self.disinherit();
            let busy = self.stats.slab_reassign_busy_items;
            self.work_on_drain(chunks, DRAIN_WORK);
            if self.stats.slab_reassign_busy_items > busy {
                return Release::Nothing;
            }
            if self.items.slabs.pool_len() > self.pool_reserve() {
                self.release_pool_page();
                return Release::Released;
            }
            return Release::Working;
        }
        if !self.dying.is_null() {
            return Release::Working;
        }
        if self.release_pool_page() {
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
