//! Housekeeping in bounded steps: dead chains, pages on their way out, memory given back.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `sweep.rs`, `reap.rs` | background expiry: by going through everything, and straight to where many are dead |
//! | `walk.rs` | visiting all items, for dumps |
//! | `saved.rs`, `sound.rs` | a restart: what is saved, and whether what is found is as it was |
//! | `integrity.rs` | the self-check of the tests |

pub(crate) mod integrity;
pub(crate) mod reap;
pub(crate) mod saved;
pub(crate) mod sound;
pub(crate) mod sweep;
pub(crate) mod walk;

use crate::api::Release;
use crate::engine::Engine;
use crate::slab::RELEASE_STEP_BYTES;
use crate::types::Seconds;

/// Chunks of dying chains freed by one step.
const DYING_STEP: usize = 32;
/// Chunks of a page on its way out that one [`Engine::maintain`] looks at.
const DRAIN_STEP: usize = 128;
/// Units of work on a page on its way out in one step.
pub(crate) const DRAIN_WORK: u64 = 64;

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
        let renews = self.renew_stamps();
        renews
            || condenses
            || self.drain.is_some()
            || !self.dying.is_null()
            || self.items.slabs.has_spare_page()
    }

    /// Gives a part of a page of the pool back to the kernel, with the last part the page to the budget.
    pub(crate) fn release_pool_page(&mut self) -> Release {
        let released = self.items.slabs.release_pool_page();
        if released != Release::Nothing {
            self.count_discarded(self.page_bytes().min(RELEASE_STEP_BYTES));
        }
        released
    }

    /// Works on giving one page back to the budget; looks at `chunks` chunks at most. If none is on its way out, `choose` has
    /// to begin with one. To choose a page, to empty it and to let it go are calls of their own: each is enough for one. A page
    /// that turns out to hold a half-received value is left, and nothing comes of the call.
    pub(crate) fn give_page(
        &mut self,
        chunks: usize,
        choose: impl FnOnce(&mut Self) -> bool,
    ) -> Release {
        self.begin_work();
        if self.has_page_to_spare() {
            return self.release_pool_page();
        }
        if !self.dying.is_null() {
            self.free_dying_step(chunks.min(DYING_STEP));
        } else if !self.evictions_enabled {
            return Release::Nothing;
        } else if self.drain.is_none() {
            return match choose(self) {
                true => Release::Working,
                false => Release::Nothing,
            };
        }
        self.disinherit();
        let busy = self.meters.busy_pages;
        self.work_on_drain(chunks, DRAIN_WORK.min(self.work_left()));
        if self.meters.busy_pages > busy {
            return Release::Nothing;
        }
        Release::Working
    }

    /// Whether a page is free that is not kept for what cannot wait, or is going already.
    pub(crate) fn has_page_to_spare(&self) -> bool {
        self.items.slabs.is_releasing() || self.items.slabs.pool_len() > self.pool_reserve()
    }

    /// Gives memory back while the shards hold more than the limit, looking at `chunks` chunks at most; true while
    /// there is more to do.
    pub fn trim(&mut self, chunks: usize) -> bool {
        if self.items.slabs.trim_prefaulted() {
            return true;
        }
        if self.items.slabs.excess_bytes() == 0 {
            return false;
        }
        let given = self.give_page(chunks, Self::steal_page);
        (given != Release::Nothing || self.release_pool_page() != Release::Nothing)
            && self.items.slabs.excess_bytes() > 0
    }
}
