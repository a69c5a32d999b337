//! Pages for other shards: how long this one's oldest memory has not been used, and giving such a page away.
//!
//! ```text
//! pages   | . . [ sample of 8 ] . . . . |      the oldest of a sample and of the candidate from before is the candidate
//!               ^ cursor
//! a page's age: half of its sampled items are idle for so long, dead ones for ever;
//!               a page whose items fit into free chunks elsewhere is idle for ever
//! ```
//!
//! Which page a shard can spare is a question of time, not of size: what nobody has asked for is worth less than what
//! another shard has to evict sooner. The comparison between shards is the caller's.

use super::Engine;
use super::steal::{PAGES_COMPARED, PAGES_PER_UNIT, SAMPLE_WORK};
use crate::api::Release;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, Page, PageId};
use crate::types::Seconds;

/// The age of memory that holds nothing.
pub const IDLE_FOR_EVER: u32 = u32::MAX;

/// Chunks of a page whose age is looked at.
const CHUNKS_SAMPLED: usize = 9;
/// Pages stepped over in the search for those that are compared.
const PAGES_PASSED_MAX: u32 = 256;

/// Where the search for old pages is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lender {
    cursor: PageId,
    /// The oldest page when it was last looked at.
    candidate: PageId,
}

impl Engine {
    /// Seconds for which the oldest memory of the shard, as far as samples show, has not been used; [`IDLE_FOR_EVER`] if
    /// a page is free or could be made so by moving its items. Each call looks at a few pages more.
    pub fn idle_seconds(&mut self, now: Seconds) -> u32 {
        self.clock.advance(now);
        if self.has_page_to_spare() {
            return IDLE_FOR_EVER;
        }
        self.idlest_page().map_or(0, |(_, idle)| idle)
    }

    /// Works on giving a page that was not used for `idle_min` seconds back to the budget, for another shard to draw; looks
    /// at `chunks` chunks at most. A page that turns out to hold a half-received value is left, and nothing comes of the call.
    pub fn release_idle_page(&mut self, idle_min: u32, chunks: usize, now: Seconds) -> Release {
        self.clock.advance(now);
        // What goes for another shard's sake does not show how long items stay in this one.
        let evicted_bytes = self.stats.evicted_bytes;
        let busy = self.stats.slab_reassign_busy_items;
        let release = self.give_page(chunks, |engine| match engine.idlest_page() {
            Some((page, idle)) if idle >= idle_min => {
                engine.start_drain(page, None);
                true
            }
            _ => false,
        });
        self.stats.evicted_bytes = evicted_bytes;
        if self.stats.slab_reassign_busy_items > busy {
            // Others are tried first now.
            self.lender.candidate = 0;
        }
        release
    }

    /// The page that was not used for longest among the next few and the candidate.
    fn idlest_page(&mut self) -> Option<(PageId, u32)> {
        let end = self.items.slabs.pages_end();
        let mut best = None;
        if self.lender.candidate < end {
            self.compare_idle(self.lender.candidate, &mut best);
        }
        let (mut compared, mut passed) = (0, 0);
        for _ in 1..end.min(PAGES_PASSED_MAX) {
            passed += 1;
            self.lender.cursor = if self.lender.cursor + 1 < end {
                self.lender.cursor + 1
            } else {
                1
            };
            compared += usize::from(self.compare_idle(self.lender.cursor, &mut best));
            if compared == PAGES_COMPARED {
                break;
            }
        }
        self.stats.work += passed / PAGES_PER_UNIT + (1 + compared as u64) * SAMPLE_WORK;
        self.lender.candidate = best.map_or(0, |(page, _)| page);
        best
    }

    /// Puts a page in the place of `best` if it is older; false if it cannot go.
    fn compare_idle(&self, id: PageId, best: &mut Option<(PageId, u32)>) -> bool {
        let page = self.items.slabs.page(id);
        let fit = page.class != NO_CLASS
            && page.class != INDEX_CLASS
            && page.guarded == 0
            && !page.draining;
        if fit {
            let idle = self.page_idle_seconds(id);
            if best.is_none_or(|(_, longest)| idle > longest) {
                *best = Some((id, idle));
            }
        }
        fit
    }

    /// Half of a page's items, by a sample, have not been used for so many seconds. If other pages of the class have room
    /// for all of them, the page costs nothing but moving them.
    fn page_idle_seconds(&self, id: PageId) -> u32 {
        let slabs = &self.items.slabs;
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
        let slabs = &self.items.slabs;
        let others = u64::from(slabs.page_count(page.class)).saturating_sub(1);
        let chunks = others * slabs.chunks_per_page(page.class) as u64;
        chunks.saturating_sub(slabs.used_chunks(page.class) - u64::from(page.in_use))
    }

    /// `None` if the chunk is free.
    fn chunk_idle_seconds(&self, chunk: ChunkRef) -> Option<u32> {
        let first = self.owner_of(chunk);
        let head = self.items.head(first);
        match head.state() {
            State::Free => None,
            State::Dying => Some(IDLE_FOR_EVER),
            State::Linked | State::LinkedChain => {
                let is_dead = self.death(&self.items.item(first)).is_some();
                let age = self.clock.age(head.last_access());
                Some(if is_dead { IDLE_FOR_EVER } else { age })
            }
            // Being received, or sent.
            State::Loose | State::LooseChain | State::Tail => Some(0),
        }
    }
}
