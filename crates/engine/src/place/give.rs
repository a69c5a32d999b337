//! Pages that go back to the budget.
//!
//! ```text
//! a free page to spare? -- yes --> a part of it goes back to the kernel, with the last part the page to the budget
//!    | no
//! chains being freed -> a page is chosen -> it is emptied     each a call of its own
//! ```

use super::Memory;
use super::drain::Drained;
use crate::api::Release;
use crate::contents::DYING_STEP;
use crate::slab::RELEASE_STEP_BYTES;

/// Units of work on a page on its way out in one step.
pub(crate) const DRAIN_WORK: u64 = 64;

impl Memory<'_> {
    /// Gives a part of a page of the pool back to the kernel, with the last part the page to the budget.
    pub(crate) fn release_pool_page(&mut self) -> Release {
        let slabs = &mut self.contents.items.slabs;
        let released = slabs.release_pool_page();
        if released != Release::Nothing {
            let bytes = slabs.page_bytes().min(RELEASE_STEP_BYTES);
            self.effort.spend_discarded(bytes);
        }
        released
    }

    /// Works on giving one page back to the budget; looks at `chunks` chunks at most. If no page is on its way out,
    /// `choose` has to begin with one. Choosing a page, emptying it and letting it go take a call each, since each is
    /// enough work for one. If the page turns out to hold a half-received value, its emptying is given up, and the call
    /// gives nothing.
    pub(crate) fn give_page(
        &mut self,
        chunks: usize,
        choose: impl FnOnce(&mut Self) -> bool,
    ) -> Release {
        if self.has_page_to_spare() {
            return self.release_pool_page();
        }
        if self.contents.has_dying() {
            let step = chunks.min(DYING_STEP);
            self.contents.free_dying_step(step, self.effort);
        } else if !self.victims.are_allowed() {
            return Release::Nothing;
        } else if !self.placement.is_draining() {
            return match choose(self) {
                true => Release::Working,
                false => Release::Nothing,
            };
        }
        self.placement.disinherit();
        match self.work_on_drain(chunks, DRAIN_WORK.min(self.effort.left())) {
            Drained::Busy => Release::Nothing,
            Drained::Going | Drained::Emptied => Release::Working,
        }
    }

    /// Whether there is a free page that is not kept for allocations that cannot wait, or that is going back already.
    pub(crate) fn has_page_to_spare(&self) -> bool {
        let slabs = &self.contents.items.slabs;
        slabs.is_releasing() || slabs.pool_len() > self.pool_reserve()
    }
}
