//! Going straight to the pages where many items are dead.
//!
//! [`Engine::sweep`] goes through everything, which takes minutes of a large cache at the pace that it can have. This goes
//! through the table of pages, a few bytes for each, and visits a page only when so many of its items have probably died
//! (`slab::Mortality`, and what a `flush_all` has killed) that each of them is worth the few live ones looked at.

use super::Engine;
use super::drain::BATCH;
use crate::api::ReapProgress;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::Seconds;

/// Entries of the table of pages that cost as much as one chunk.
const PAGES_PER_LOOK: usize = 8;
/// Units of work after which a call ends: removals make the index shrink.
const WORK_MAX: u64 = 300;

/// Where the reaping is.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReapCursor {
    page: PageId,
    /// In the page being visited.
    visit: Option<Visit>,
    /// Probably dead items of the pages passed over and visited since the first page.
    dead: u64,
}

impl Default for ReapCursor {
    fn default() -> Self {
        Self {
            page: 1,
            visit: None,
            dead: 0,
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
        let work_max = self.work() + WORK_MAX;
        while progress.looked < budget && !progress.wrapped && self.work() < work_max {
            match self.reaping.visit {
                Some(visit) => self.reap_batch(visit, &mut progress),
                None => self.seek_dead(one_in, &mut progress),
            }
        }
        self.stats.work += progress.looked as u64;
        progress
    }

    /// Counts the items that are probably dead in `pages` pages from number `from` on, without looking at them; returns
    /// also where to go on, 0 at the end. About 20 ns a page.
    #[must_use]
    pub fn count_dead(&mut self, from: u32, pages: u32, now: Seconds) -> (u64, u32) {
        self.clock.advance(now);
        let first = from.max(1);
        let end = self
            .items
            .slabs
            .pages_end()
            .min(first.saturating_add(pages));
        let is_counted = |&id: &PageId| {
            let class = self.items.slabs.page(id).class;
            class != NO_CLASS && class != INDEX_CLASS
        };
        let counted = (first..end).filter(is_counted);
        let dead = counted.map(|id| u64::from(self.probably_dead(id))).sum();
        let next = if end < self.items.slabs.pages_end() {
            end
        } else {
            0
        };
        (dead, next)
    }

    /// Steps over a few pages, to the next that is worth a visit.
    fn seek_dead(&mut self, one_in: u32, progress: &mut ReapProgress) {
        progress.looked += 1;
        for _ in 0..PAGES_PER_LOOK {
            let id = self.reaping.page;
            if id >= self.items.slabs.pages_end() {
                progress.wrapped = true;
                progress.dead = self.reaping.dead;
                self.reaping = ReapCursor::default();
                return;
            }
            let class = self.items.slabs.page(id).class;
            if class != NO_CLASS && class != INDEX_CLASS {
                let dead = self.probably_dead(id);
                self.reaping.dead += u64::from(dead);
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
            .is_some_and(|stamp| page.flushed != stamp);
        if is_flushed {
            page.in_use
        } else {
            page.mortality.dead_at(self.clock.now().0).min(page.in_use)
        }
    }

    /// The page is gone through from its start: what is met, and what is stored meanwhile, is counted anew.
    pub(super) fn begin_visit(&mut self, id: PageId) {
        let flushed = self.clock.flushed().unwrap_or(0);
        let now = self.clock.now().0;
        self.items.slabs.page_mut(id).begin_visit(now, flushed);
    }

    /// Whether the visit is inside a page, whose bound on deadlines is then that of a part of its items.
    pub(super) fn is_reaping(&self, page: PageId) -> bool {
        self.reaping.page == page && self.reaping.visit.is_some()
    }

    /// Gives up the visit, so that no page has the bound of a part of its items.
    pub(super) fn break_off_visit(&mut self) {
        if self.reaping.visit.is_some() && self.reaping.page < self.items.slabs.pages_end() {
            self.items.slabs.page_mut(self.reaping.page).deadline_min = 0;
        }
        self.reaping = ReapCursor::default();
    }

    fn reap_batch(&mut self, mut visit: Visit, progress: &mut ReapProgress) {
        let id = self.reaping.page;
        let mut batch = [ChunkRef::NULL; BATCH];
        let mut len = 0;
        // A page that has changed its class meanwhile has nothing of what was to be reaped.
        if self.items.slabs.page(id).class == visit.class {
            let chunk_bytes = self.items.slabs.sizes.chunk_bytes(visit.class) as u32;
            while len < BATCH
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
