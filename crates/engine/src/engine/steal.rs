//! Which page to take: for the pool, for a class that has nothing, for other shards.
//!
//! A page is fit to be taken unless it belongs to the index or is being emptied; those that hold values being sent or
//! received are passed over while there are others.

use super::Engine;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};

/// Pages compared before one is taken.
pub(super) const PAGES_COMPARED: usize = 8;
/// Pages stepped over in the search for those, and where one would be good, but not necessary.
const PAGES_PASSED_MAX: u32 = 4096;
const PAGES_PASSED: u32 = 512;
/// Entries of the table of pages for one unit of work, and units for a sample of a page's items.
pub(super) const PAGES_PER_UNIT: u64 = 16;
pub(super) const SAMPLE_WORK: u64 = 4;
/// Items of a page whose age is looked at in the comparison.
const CHUNKS_SAMPLED: u32 = 8;
/// What a sample of a page's items says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageAge {
    /// Mean seconds since the last access; empty chunks count as old.
    seconds: u64,
    /// Ticks since the page gave a chunk.
    idle_ticks: u32,
}

impl Engine {
    /// Begins to empty a page for the pool; false if none is fit.
    pub(super) fn steal_page(&mut self) -> bool {
        let page = self
            .choose_page(None, false)
            .or_else(|| self.choose_page(None, true));
        let Some((page, _)) = page else {
            self.stats.slab_reassign_busy_items += 1;
            return false;
        };
        self.start_drain(page, None);
        true
    }

    /// Begins to empty a page for a class that has nothing.
    pub(super) fn move_any_page_to(&mut self, class: u8) {
        if let Some(page) = self.page_from(class) {
            self.start_drain(page, Some(class));
        }
    }

    /// The page that is missed least, not of class `except`.
    fn page_from(&mut self, except: u8) -> Option<PageId> {
        self.spare_page(except)
            .or_else(|| Some(self.choose_page(Some(except), false)?.0))
    }

    /// The fit page with the oldest items among the next few, not of class `except`.
    fn choose_page(&mut self, except: Option<u8>, guarded: bool) -> Option<(PageId, PageAge)> {
        let end = self.items.slabs.pages_end();
        let mut best: Option<(PageAge, PageId)> = None;
        let (mut compared, mut passed) = (0, 0);
        let passed_max = if except.is_some() {
            PAGES_PASSED
        } else {
            PAGES_PASSED_MAX
        };
        for _ in 1..end.min(passed_max) {
            passed += 1;
            self.steal_cursor = if self.steal_cursor + 1 < end {
                self.steal_cursor + 1
            } else {
                1
            };
            let page = self.items.slabs.page(self.steal_cursor);
            let fit = page.class != NO_CLASS
                && page.class != INDEX_CLASS
                && (page.guarded == 0 || guarded)
                && !page.draining;
            if !fit || except == Some(page.class) {
                continue;
            }
            let age = self.page_age(self.steal_cursor);
            if best.is_none_or(|(oldest, _)| age > oldest) {
                best = Some((age, self.steal_cursor));
            }
            compared += 1;
            if compared == PAGES_COMPARED {
                break;
            }
        }
        self.stats.work += passed / PAGES_PER_UNIT + compared as u64 * SAMPLE_WORK;
        best.map(|(age, page)| (page, age))
    }

    /// Looks at a few items of a page.
    pub(super) fn page_age(&self, id: PageId) -> PageAge {
        let slabs = &self.items.slabs;
        let page = slabs.page(id);
        let chunk_bytes = slabs.sizes.chunk_bytes(page.class) as u32;
        let chunks = page.carved / chunk_bytes;
        let step = (chunks / CHUNKS_SAMPLED).max(1) * chunk_bytes;
        for sample in 0..=CHUNKS_SAMPLED {
            slabs
                .segment
                .prefetch(slabs.page_address(id) + (sample * step) as usize);
        }
        let (mut seconds, mut count) = (0, 0);
        let mut offset = 0;
        while let Some(chunk) = slabs.chunk_in(id, offset) {
            seconds += self.chunk_age(chunk);
            count += 1;
            offset += step;
        }
        PageAge {
            seconds: seconds / u64::max(count, 1),
            idle_ticks: slabs.ticks().wrapping_sub(page.given_at),
        }
    }

    /// Seconds since the item of a chunk was used.
    fn chunk_age(&self, chunk: ChunkRef) -> u64 {
        let first = match self.items.head(chunk).state() {
            State::Linked | State::LinkedChain => chunk,
            State::Tail => self.items.tail_first(chunk),
            _ => return u64::from(self.clock.stamp()),
        };
        let item = self.items.item(first);
        if matches!(item.head.state(), State::Loose | State::LooseChain) {
            // Of a value that is being received or sent: it would stay where it is.
            return 0;
        }
        if self.death(&item).is_some() {
            return u64::from(self.clock.stamp());
        }
        u64::from(self.clock.age(item.head.last_access()))
    }

    /// Begins to empty a page if the pool is below its reserve and the budget has none; one of `class`, which is short of
    /// memory itself, only if there are no others.
    pub(super) fn refill_pool(&mut self, class: u8) {
        if self.drain.is_none()
            && self.evictions_enabled
            && self.items.slabs.pool_len() < self.pool_reserve()
            && let Some(page) = self
                .page_from(class)
                .or_else(|| Some(self.choose_page(None, false)?.0))
        {
            self.start_drain(page, None);
        }
    }
}
