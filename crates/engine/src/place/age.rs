//! How long a page has not been used. The pool, a class that has nothing, `slabs reassign` and other shards all go by
//! this one judgement.
//!
//! ```text
//! pages   | . . [ sample of 8 ] . . . . |      candidate: the oldest of a sample and the candidate before
//!               ^ cursor
//! a page's age: half of its sampled items are idle for so long, dead ones for ever;
//!               a page whose items fit into free chunks elsewhere is idle for ever
//! ```
//!
//! Between classes whose items all come and go, counters say more than a sample (balance.rs); the ages of single pages
//! show where memory lies idle.

use super::Memory;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, Page, PageId};

/// The age of memory that holds nothing.
pub const IDLE_FOR_EVER: u32 = u32::MAX;

/// Pages compared before one is taken.
pub(super) const PAGES_COMPARED: usize = 8;
/// Pages stepped over in the search for pages to compare.
const PAGES_PASSED_MAX: u32 = 1024;
/// Entries of the table of pages for one unit of work, and units for a sample of a page's items.
pub(super) const PAGES_PER_UNIT: u64 = 16;
const SAMPLE_WORK: u64 = 4;
/// Pages of the largest chunks that are looked at, and units for each: the chunk itself has to be read to learn whose
/// it is.
const TOP_PAGES_MAX: u64 = 32;
const TOP_PAGE_WORK: u64 = 1;
const TOP_CHUNKS_LOOKED_AT: u32 = 8;
/// Chunks of a page whose age is looked at.
const CHUNKS_SAMPLED: usize = 9;

/// The position of the search for old pages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageSearch {
    pub(crate) cursor: PageId,
    /// The oldest page when it was last looked at.
    candidate: PageId,
}

impl PageSearch {
    /// Notes that the candidate cannot be emptied: other pages are tried first now.
    pub(super) fn reject(&mut self) {
        self.candidate = 0;
    }
}

impl Memory<'_> {
    /// The page of items that has been unused for longest, and for how many seconds. Looks at the next few pages and at
    /// the candidate of the last search, as far as they are `fit` and are not being emptied.
    pub(crate) fn idlest_page(&mut self, fit: impl Fn(&Page) -> bool) -> Option<(PageId, u32)> {
        let end = self.contents.items.slabs.pages_end();
        let mut best = None;
        if self.placement.search.candidate < end {
            self.compare_idle(self.placement.search.candidate, &fit, &mut best);
        }
        let (mut compared, mut passed, mut received) = (0, 0, 0);
        for _ in 1..end.min(PAGES_PASSED_MAX) {
            passed += 1;
            self.placement.search.cursor = self.placement.search.cursor % (end - 1) + 1;
            received += u64::from(self.is_top(self.placement.search.cursor));
            compared +=
                usize::from(self.compare_idle(self.placement.search.cursor, &fit, &mut best));
            if compared == PAGES_COMPARED || received == TOP_PAGES_MAX {
                break;
            }
        }
        self.effort
            .spend(passed / PAGES_PER_UNIT + (1 + compared as u64) * SAMPLE_WORK);
        self.effort.spend(received * TOP_PAGE_WORK);
        self.placement.search.candidate = best.map_or(0, |(page, _)| page);
        best
    }

    /// Puts a page in the place of `best` if the page is older; false if the page cannot be emptied.
    fn compare_idle(
        &self,
        id: PageId,
        fit: impl Fn(&Page) -> bool,
        best: &mut Option<(PageId, u32)>,
    ) -> bool {
        let page = self.contents.items.slabs.page(id);
        let holds_items = page.class != NO_CLASS && page.class != INDEX_CLASS;
        let is_fit = holds_items && !page.draining && fit(page) && !self.is_receiving(id);
        if is_fit {
            let idle = self.page_idle_seconds(id);
            if best.is_none_or(|(_, longest)| idle > longest) {
                *best = Some((id, idle));
            }
        }
        is_fit
    }

    /// Whether a page has chunks of the largest size, most of which are parts of chains.
    fn is_top(&self, id: PageId) -> bool {
        self.contents.items.slabs.page(id).class == self.contents.items.slabs.sizes.top()
    }

    /// Whether a page holds a part of a half-received value, and so cannot be emptied. The count of items of a page
    /// does not include the middle chunks of chains. So the page's chunks are looked at; of many, only the first few.
    pub(super) fn is_receiving(&self, id: PageId) -> bool {
        let slabs = &self.contents.items.slabs;
        if slabs.page(id).receiving > 0 {
            return true;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(slabs.sizes.top()) as u32;
        let looks = if self.is_top(id) {
            TOP_CHUNKS_LOOKED_AT
        } else {
            0
        };
        (0..looks)
            .map_while(|number| slabs.chunk_in(id, number * chunk_bytes))
            .any(|chunk| {
                let first = self.contents.items.first_of(chunk);
                self.contents.is_half_received(first)
            })
    }

    /// The number of seconds for which half of a page's items, by a sample, have not been used. If other pages of the
    /// class have room for all of them, the page costs nothing but moving them.
    pub(super) fn page_idle_seconds(&self, id: PageId) -> u32 {
        let slabs = &self.contents.items.slabs;
        let page = slabs.page(id);
        if u64::from(page.in_use) <= self.free_chunks_beside(page) {
            return IDLE_FOR_EVER;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(page.class);
        let chunks = page.carved as usize / chunk_bytes;
        let offsets = (0..CHUNKS_SAMPLED)
            .map(|sample| (2 * sample + 1) * chunks / (2 * CHUNKS_SAMPLED) * chunk_bytes);
        for offset in offsets.clone() {
            slabs.segment.prefetch(slabs.page_address(id) + offset);
        }
        let mut ages = [0; CHUNKS_SAMPLED];
        let mut count = 0;
        for offset in offsets {
            let chunk = slabs.chunk_in(id, offset as u32);
            if let Some(age) = chunk.and_then(|chunk| self.chunk_idle_seconds(chunk)) {
                ages[count] = age;
                count += 1;
            }
        }
        ages[..count].sort_unstable();
        ages[..count]
            .get(count / 2)
            .copied()
            .unwrap_or(IDLE_FOR_EVER)
    }

    /// Free chunks in the other pages of a page's class.
    fn free_chunks_beside(&self, page: &Page) -> u64 {
        let slabs = &self.contents.items.slabs;
        let others = u64::from(slabs.page_count(page.class)).saturating_sub(1);
        let chunks = others * slabs.chunks_per_page(page.class) as u64;
        chunks.saturating_sub(slabs.used_chunks(page.class) - u64::from(page.in_use))
    }

    /// Seconds for which the item of a chunk has not been used; `None` if the chunk is free.
    fn chunk_idle_seconds(&self, chunk: ChunkRef) -> Option<u32> {
        let first = self.contents.items.first_of(chunk);
        let head = self.contents.items.head(first);
        match head.state() {
            State::Free => None,
            State::Dying => Some(IDLE_FOR_EVER),
            State::Linked | State::LinkedChain => {
                let is_dead = self.contents.is_dead(first);
                let age = self.contents.clock.age(head.last_access());
                Some(if is_dead { IDLE_FOR_EVER } else { age })
            }
            // The chunk's item is being received or sent.
            State::Loose | State::LooseChain | State::Tail => Some(0),
        }
    }
}
