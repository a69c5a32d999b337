//! The background walk that frees dead items.
//!
//! It goes through the pages in the order of their addresses, so memory is read in sequence, and steps over pages whose
//! items all live: each page knows a time before which none of its items dies. After a `flush_all`, and every 48 days, it
//! steps over none, so that stamps of items need no more bits than there are (clock.rs).

use crate::api::SweepProgress;
use crate::effort::WALK_WORK;
use crate::engine::Engine;
use crate::evict::hand::Reclaimer;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::{Deadline, KeyHash, Seconds};

/// Chunks beyond the budget that finish a page's last item.
const DYING_STEP: usize = 32;

/// Chunks looked at by one call of [`Engine::maintain`] when a walk over everything is due.
const RENEWAL_STEP: usize = 128;
/// Calls of the walk, of 160 chunks or more each, by a flush that takes one of the last 2^21 stamps: together they go through
/// 2,600,000,000 chunks.
const FLUSH_STEPS: usize = 8;

/// Chunks that are looked at together, so that their cache misses overlap.
pub(crate) const GROUP: usize = 32;

/// Where the walk is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SweepCursor {
    page: PageId,
    offset: u32,
    /// The class of the page when the walk reached it.
    class: u8,
    /// The flush in effect when the walk began.
    flushed: Option<u64>,
    /// The stamp when it began, if it looks at every item.
    renews: Option<u64>,
}

impl Engine {
    /// Looks at up to `budget` chunks (a page that is stepped over counts as one) and frees dead items; at fewer if many are
    /// dead.
    pub fn sweep(&mut self, now: Seconds, budget: usize) -> SweepProgress {
        self.clock.advance(now);
        self.begin_work();
        self.free_dying(DYING_STEP);
        let mut progress = SweepProgress::default();
        let work_max = self.work() + WALK_WORK;
        while progress.looked < budget && !progress.wrapped && self.work() < work_max {
            let looked = if self.sweep.page >= self.items.slabs.pages_end() || self.sweep.page == 0
            {
                progress.wrapped = self.sweep.page != 0;
                self.begin_walk();
                1
            } else {
                self.sweep_step(budget - progress.looked, &mut progress.reclaimed)
            };
            progress.looked += looked;
            self.meters.work += looked as u64;
        }
        progress
    }

    /// A walk has ended, unless there was none, and another begins.
    fn begin_walk(&mut self) {
        if let Some(began) = self.sweep.renews {
            self.clock.end_walk(self.sweep.flushed, began);
        }
        self.sweep = SweepCursor {
            page: 1,
            offset: 0,
            class: NO_CLASS,
            flushed: self.clock.flushed(),
            renews: (self.clock.is_walk_due()).then(|| self.clock.walk_begins()),
        };
    }

    /// Goes on with a walk over everything if one has to end before stamps are used up; true while there is more to do.
    pub(crate) fn renew_stamps(&mut self) -> bool {
        if self.clock.needs_walk() {
            self.sweep(self.clock.now(), RENEWAL_STEP);
        }
        self.clock.needs_walk()
    }

    /// Sees to it that the next flush has a stamp.
    pub(crate) fn provide_stamp(&mut self) {
        let mut steps = 0;
        while self.clock.is_scarce() && (steps < FLUSH_STEPS || self.clock.is_used_up()) {
            self.sweep(self.clock.now(), usize::MAX);
            steps += 1;
        }
    }

    /// Whether the walk is inside a page, whose bound on deadlines is then that of a part of its items.
    pub(crate) fn is_sweeping(&self, page: PageId) -> bool {
        self.sweep.page == page && self.sweep.offset > 0
    }

    /// Gives up the walk, so that no page has the bound of a part of its items: that page is walked in any case.
    pub(crate) fn break_off_walk(&mut self) {
        if self.sweep.page != 0 && self.sweep.page < self.items.slabs.pages_end() {
            self.items.slabs.page_mut(self.sweep.page).deadline_min = 0;
        }
        self.sweep = SweepCursor::default();
    }

    /// A few chunks, or the step to the next page; returns how many were looked at.
    fn sweep_step(&mut self, budget: usize, reclaimed: &mut usize) -> usize {
        let id = self.sweep.page;
        let page = self.items.slabs.page(id);
        let (class, deadline_min) = (page.class, page.deadline_min);
        if class != self.sweep.class {
            self.sweep.class = class;
            self.sweep.offset = 0;
        }
        let no_items = class == NO_CLASS || class == INDEX_CLASS;
        if self.sweep.offset == 0 {
            let all_live = deadline_min > self.clock.now().0
                && self.clock.flushed().is_none()
                && self.sweep.renews.is_none();
            if no_items || all_live {
                self.sweep.page += 1;
                return 1;
            }
            self.begin_visit(id);
        }
        let mut batch = [ChunkRef::NULL; GROUP];
        let mut len = 0;
        if !no_items {
            let chunk_bytes = self.items.slabs.sizes.chunk_bytes(class) as u32;
            while len < GROUP.min(budget)
                && let Some(chunk) = self.items.slabs.chunk_in(id, self.sweep.offset)
            {
                batch[len] = chunk;
                len += 1;
                self.sweep.offset += chunk_bytes;
            }
        }
        if len == 0 {
            self.sweep.page += 1;
            self.sweep.offset = 0;
            return 1;
        }
        *reclaimed += self.reclaim_dead(&batch[..len]);
        len
    }

    /// Frees the dead items among those that begin in these chunks; returns their number. Their lines of the index are
    /// asked for together.
    pub(crate) fn reclaim_dead(&mut self, chunks: &[ChunkRef]) -> usize {
        let mut dead = [(ChunkRef::NULL, KeyHash(0)); GROUP];
        let mut found = 0;
        for &chunk in chunks {
            if self.is_dead_or_note(chunk) {
                let hash = self.items.hash_of(self.hasher, chunk);
                self.index.prefetch_leaf(hash);
                dead[found] = (chunk, hash);
                found += 1;
            }
        }
        let dead = &dead[..found];
        for &(_, hash) in dead {
            self.index.prefetch(&self.items.slabs, hash);
        }
        for &(chunk, hash) in dead {
            self.reclaim_hashed(chunk, hash, Reclaimer::Sweep);
        }
        found
    }

    /// Whether a chunk begins a dead item. Of a live one its page learns the deadline.
    pub(crate) fn is_dead_or_note(&mut self, chunk: ChunkRef) -> bool {
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
        self.renew(chunk);
        false
    }

    /// Keeps the age of an item that is looked at, or moved to where the walk may have been, from wrapping.
    #[inline]
    pub(crate) fn renew(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        let renewed = head.with_last_access(self.clock.renewed(head.last_access()));
        if renewed != head {
            self.items.set_head(chunk, renewed);
        }
    }
}
