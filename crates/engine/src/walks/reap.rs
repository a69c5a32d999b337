//! Going straight to the pages where many items are dead.
//!
//! ```text
//! table of pages   . . . . X . . .      X: probably one chunk in so many is dead
//!                          '-> visited from its start, some chunks in each call
//! ```
//!
//! `Engine::sweep` goes through all memory, which takes minutes in a large cache at the pace that it can have.
//! `Engine::reap` goes through the table of pages, a few bytes for each page. It visits a page only when so many of
//! its items have probably died (by `slab::Mortality`, or by a `flush_all`) that finding them is worth looking at the
//! live ones.

use super::sweep::{Batch, GROUP, begin_visit, reclaim_dead};
use crate::api::ReapProgress;
use crate::contents::Contents;
use crate::effort::{Effort, WALK_WORK};
use crate::slab::{INDEX_CLASS, NO_CLASS, PageId};
use crate::telemetry::Telemetry;

/// Entries of the table of pages that cost as much as one chunk.
const PAGES_PER_LOOK: usize = 8;

/// The position of the reaping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaping {
    page: PageId,
    /// The position in the page being visited.
    visit: Option<Visit>,
}

impl Default for Reaping {
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

impl Reaping {
    /// See [`Engine::reap`](crate::engine::Engine::reap).
    pub(crate) fn run(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        budget: usize,
        one_in: u32,
    ) -> ReapProgress {
        let mut progress = ReapProgress::default();
        let work_max = effort.spent() + WALK_WORK;
        while progress.looked < budget && !progress.wrapped && effort.spent() < work_max {
            let before = progress.looked;
            match self.visit {
                Some(visit) => {
                    let batch = self.next_chunks(contents, visit, budget - before);
                    let chunks = batch.chunks();
                    progress.reclaimed += reclaim_dead(contents, telemetry, effort, chunks);
                    progress.looked += batch.looked;
                }
                None => {
                    progress.wrapped = self.seek_dead(contents, one_in);
                    progress.looked += 1;
                }
            }
            effort.spend((progress.looked - before) as u64);
        }
        progress
    }

    /// Steps over a few pages, up to the next page that is worth a visit; true at the end of the table.
    fn seek_dead(&mut self, contents: &mut Contents, one_in: u32) -> bool {
        for _ in 0..PAGES_PER_LOOK {
            let id = self.page;
            if id >= contents.items.slabs.pages_end() {
                *self = Self::default();
                return true;
            }
            let class = contents.items.slabs.page(id).class;
            if class != NO_CLASS && class != INDEX_CLASS {
                let dead = probably_dead(contents, id);
                let chunks = contents.items.slabs.chunks_per_page(class) as u32;
                if dead > 0 && dead >= chunks / one_in {
                    begin_visit(contents, id);
                    self.visit = Some(Visit { offset: 0, class });
                    return false;
                }
            }
            self.page += 1;
        }
        false
    }

    pub(super) fn is_inside(&self, page: PageId) -> bool {
        self.page == page && self.visit.is_some()
    }

    pub(super) fn page_under_way(&self) -> Option<PageId> {
        self.visit.map(|_| self.page)
    }

    /// The next few chunks of the page being visited, or none at the step to the next page.
    fn next_chunks(&mut self, contents: &Contents, mut visit: Visit, most: usize) -> Batch {
        let id = self.page;
        // A page that has changed its class meanwhile holds none of the items that were to be reaped.
        let batch = match contents.items.slabs.page(id).class == visit.class {
            true => Batch::of_page(contents, id, &mut visit.offset, GROUP.min(most)),
            false => Batch::STEP,
        };
        self.visit = Some(visit);
        if batch.chunks().is_empty() {
            self.page += 1;
            self.visit = None;
        }
        batch
    }
}

/// How many items of a page are probably dead.
fn probably_dead(contents: &Contents, id: PageId) -> u32 {
    let page = contents.items.slabs.page(id);
    let now = contents.clock.now().0;
    let is_flushed = contents
        .clock
        .flushed()
        .is_some_and(|stamp| page.flushed != stamp + 1);
    if is_flushed {
        page.in_use
    } else if page.deadline_min > now {
        0
    } else {
        page.mortality.dead_at(now).min(page.in_use)
    }
}
