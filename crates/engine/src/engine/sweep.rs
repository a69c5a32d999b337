//! The background walk that frees dead items.
//!
//! It goes through the pages in the order of their addresses, so memory is read in sequence, and steps over pages whose
//! items all live: each page knows a time before which none of its items dies.

use super::Engine;
use super::evict::Reclaimer;
use crate::api::SweepProgress;
use crate::item::ACCESS_MODULUS;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::{Deadline, Seconds};

/// Ages are kept below half the modulus by the walk, so that they never wrap.
const AGE_MAX: u32 = ACCESS_MODULUS / 2;
/// Units of work after which a call ends, if its budget is no larger: removals make the index shrink.
const WORK_MAX: u64 = 600;
/// Chunks beyond the budget that finish a page's last item.
const DYING_STEP: usize = 32;

/// Where the walk is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SweepCursor {
    page: PageId,
    offset: u32,
    /// The class of the page when the walk reached it.
    class: u8,
    /// The flush in effect when the walk began.
    flushed: Option<u32>,
}

impl Engine {
    /// Looks at up to `budget` chunks (a page that is stepped over counts as one) and frees dead items.
    pub fn sweep(&mut self, now: Seconds, budget: usize) -> SweepProgress {
        self.clock.advance(now);
        self.free_dying(DYING_STEP);
        let mut progress = SweepProgress::default();
        let work_max = self.work() + WORK_MAX.max(2 * budget as u64);
        while progress.looked < budget && !progress.wrapped && self.work() < work_max {
            progress.looked += 1;
            self.stats.work += 1;
            if self.sweep.page >= self.items.slabs.pages_end() || self.sweep.page == 0 {
                progress.wrapped = self.sweep.page != 0;
                self.begin_walk();
            } else {
                self.sweep_step(&mut progress);
            }
        }
        progress
    }

    fn begin_walk(&mut self) {
        if self.sweep.page != 0
            && self.sweep.flushed.is_some()
            && self.sweep.flushed == self.clock.flushed()
        {
            self.clock.forget_flush();
        }
        self.sweep = SweepCursor {
            page: 1,
            offset: 0,
            class: NO_CLASS,
            flushed: self.clock.flushed(),
        };
    }

    /// Whether the walk is inside a page, whose bound on deadlines is then that of a part of its items.
    pub(super) fn is_sweeping(&self, page: PageId) -> bool {
        self.sweep.page == page && self.sweep.offset > 0
    }

    /// Gives up the walk, so that no page has the bound of a part of its items: that page is walked in any case.
    pub(super) fn break_off_walk(&mut self) {
        if self.sweep.page != 0 && self.sweep.page < self.items.slabs.pages_end() {
            self.items.slabs.page_mut(self.sweep.page).deadline_min = 0;
        }
        self.sweep = SweepCursor::default();
    }

    /// One chunk, or the step to the next page.
    fn sweep_step(&mut self, progress: &mut SweepProgress) {
        let id = self.sweep.page;
        let page = self.items.slabs.page(id);
        let (class, deadline_min) = (page.class, page.deadline_min);
        if class != self.sweep.class {
            self.sweep.class = class;
            self.sweep.offset = 0;
        }
        let offset = self.sweep.offset;
        let no_items = class == NO_CLASS || class == INDEX_CLASS;
        if offset == 0 {
            let all_live = deadline_min > self.clock.now().0 && self.clock.flushed().is_none();
            if no_items || all_live {
                self.sweep.page += 1;
                return;
            }
            self.begin_visit(id);
        }
        match self.items.slabs.chunk_in(id, offset) {
            Some(chunk) if !no_items => {
                self.sweep.offset += self.items.slabs.sizes.chunk_bytes(class) as u32;
                progress.reclaimed += usize::from(self.sweep_chunk(chunk));
            }
            _ => {
                self.sweep.page += 1;
                self.sweep.offset = 0;
            }
        }
    }

    fn sweep_chunk(&mut self, chunk: ChunkRef) -> bool {
        let dead = self.is_dead_or_note(chunk);
        if dead {
            self.reclaim_item(chunk, Reclaimer::Sweep);
        }
        dead
    }

    /// Whether a chunk begins a dead item. Of a live one its page learns the deadline, and its age is kept from wrapping.
    pub(super) fn is_dead_or_note(&mut self, chunk: ChunkRef) -> bool {
        let head = self.items.head(chunk);
        if !head.is_linked() {
            return false;
        }
        self.stats.crawler_items_checked += 1;
        self.class_of(chunk).crawler_items_checked += 1;
        let item = self.items.item(chunk);
        let deadline: Deadline = item.deadline();
        if self.death(&item).is_some() {
            return true;
        }
        self.items.note_deadline(chunk, deadline);
        if self.clock.age(head.last_access()) > AGE_MAX {
            let oldest = self.clock.stamp().wrapping_sub(AGE_MAX);
            self.items.set_head(chunk, head.with_last_access(oldest));
        }
        false
    }
}
