//! Going straight to the pages where many items are dead.
//!
//! [`Engine::sweep`] goes through everything, which takes minutes of a large cache at the pace that it can have. This goes
//! through the table of pages, a few bytes for each, and visits a page only when so many of its items have probably died
//! (`slab::Mortality`, and what a `flush_all` has killed) that each of them is worth the few live ones looked at.

use crate::api::ReapProgress;
use crate::effort::WALK_WORK;
use crate::engine::Engine;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::Seconds;
use crate::upkeep::sweep::GROUP;

/// Entries of the table of pages that cost as much as one chunk.
const PAGES_PER_LOOK: usize = 8;

/// Where the reaping is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReapCursor {
    page: PageId,
    /// In the page being visited.
    visit: Option<Visit>,
}

impl Default for ReapCursor {
    fn default() -> Self {
        Self {
            page: 1,
            visit: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    offset: u32,
    class: u8,
}

impl Engine {
    /// Frees dead items of pages where probably one chunk in `one_in` is dead; looks at up to `budget` chunks. The call
    /// after one that has `wrapped` begins with the first page again.
    pub fn reap(&mut self, now: Seconds, budget: usize, one_in: u32) -> ReapProgress {
        self.clock.advance(now);
        let now = self.clock.now().0;
        self.items.slabs.advance(now);
        let mut progress = ReapProgress::default();
        self.begin_work();
        let work_max = self.work() + WALK_WORK;
        while progress.looked < budget && !progress.wrapped && self.work() < work_max {
            let before = progress.looked;
            match self.reaping.visit {
                Some(visit) => self.reap_group(visit, GROUP.min(budget - before), &mut progress),
                None => self.seek_dead(one_in, &mut progress),
            }
            self.meters.work += (progress.looked - before) as u64;
        }
        progress
    }

    /// Steps over a few pages, to the next that is worth a visit.
    fn seek_dead(&mut self, one_in: u32, progress: &mut ReapProgress) {
        progress.looked += 1;
        for _ in 0..PAGES_PER_LOOK {
            let id = self.reaping.page;
            if id >= self.items.slabs.pages_end() {
                progress.wrapped = true;
                self.reaping = ReapCursor::default();
                return;
            }
            let class = self.items.slabs.page(id).class;
            if class != NO_CLASS && class != INDEX_CLASS {
                let dead = self.probably_dead(id);
                if dead > 0 && dead >= self.items.slabs.chunks_per_page(class) as u32 / one_in {
                    self.begin_visit(id);
                    self.reaping.visit = Some(Visit { offset: 0, class });
                    return;
                }
            }
            self.reaping.page += 1;
        }
    }

    /// How many items of a page are probably dead.
    fn probably_dead(&self, id: PageId) -> u32 {
        let page = self.items.slabs.page(id);
        let is_flushed = self
            .clock
            .flushed()
            .is_some_and(|stamp| page.flushed != stamp + 1);
        if is_flushed {
            page.in_use
        } else if page.deadline_min > self.clock.now().0 {
            0
        } else {
            page.mortality.dead_at(self.clock.now().0).min(page.in_use)
        }
    }

    /// The page is gone through from its start: what is met, and what is stored meanwhile, is counted anew.
    pub(crate) fn begin_visit(&mut self, id: PageId) {
        let flushed = self.clock.flushed().map_or(0, |stamp| stamp + 1);
        let now = self.clock.now().0;
        self.items.slabs.page_mut(id).begin_visit(now, flushed);
    }

    /// Whether the visit is inside a page, whose bound on deadlines is then that of a part of its items.
    pub(crate) fn is_reaping(&self, page: PageId) -> bool {
        self.reaping.page == page && self.reaping.visit.is_some()
    }

    /// Gives up the visit, so that no page has the bound of a part of its items.
    pub(crate) fn break_off_visit(&mut self) {
        if self.reaping.visit.is_some() && self.reaping.page < self.items.slabs.pages_end() {
            self.items.slabs.page_mut(self.reaping.page).deadline_min = 0;
        }
        self.reaping = ReapCursor::default();
    }

    /// The next few chunks of the page being visited.
    fn reap_group(&mut self, mut visit: Visit, count: usize, progress: &mut ReapProgress) {
        let id = self.reaping.page;
        let mut batch = [ChunkRef::NULL; GROUP];
        let mut len = 0;
        // A page that has changed its class meanwhile has nothing of what was to be reaped.
        if self.items.slabs.page(id).class == visit.class {
            let chunk_bytes = self.items.slabs.sizes.chunk_bytes(visit.class) as u32;
            while len < count
                && let Some(chunk) = self.items.slabs.chunk_in(id, visit.offset)
            {
                batch[len] = chunk;
                len += 1;
                visit.offset += chunk_bytes;
            }
        }
        if len == 0 {
            progress.looked += 1;
            self.reaping.page += 1;
            self.reaping.visit = None;
            return;
        }
        progress.looked += len;
        progress.reclaimed += self.reclaim_dead(&batch[..len]);
        self.reaping.visit = Some(visit);
    }
}
