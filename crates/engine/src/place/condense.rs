//! Gathering the chunks of the index in fewer pages after it has become smaller.
//!
//! What lies in chunks of the index's class (extents of leaves, fingerprints, queues) does not say who refers to it, so
//! a page of them cannot be emptied by itself as those of items are (drain.rs). Instead a part of the pages gives no more
//! chunks, and one walk over all that refers to such chunks copies those in these pages to the others:
//!
//! ```text
//! resting -> choosing pages -> leaves -> fingerprints -> queue of class 1 -> ... -> of the last class -> resting
//! ```
//!
//! A page goes to the pool with its last chunk. Leaves that are merged meanwhile may carry a chunk past the walk: its
//! page then gives chunks again, and may be chosen the next time.

use crate::engine::Engine;
use crate::evict::queue::QueueCursor;
use crate::slab::{INDEX_CLASS, PageId};

/// Pages emptied in one walk at most.
const PAGES_MAX: usize = 256;
/// Pages looked at in one step of choosing.
const CHOOSING_STEP: usize = 32;
/// Leaves, or chunks of a queue, looked at in one step.
const LOOKS_STEP: usize = 32;
/// Chunks moved after which a step ends.
const MOVES_STEP: usize = 32;
/// It is worth a walk if so many pages would become free, and one in so many of those that the index has.
const PAGES_MIN: u64 = 2;
const PAGES_SHARE: u64 = 8;
/// Chunks left free for growth meanwhile: one for so many in use, and a page.
const GROWTH_SHARE: u64 = 16;
/// Steps of the housekeeping without a walk after one that was broken off or emptied nothing.
const REST_STEPS: u32 = 10_000;

/// Where the walk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is none.
    #[default]
    Resting,
    /// Pages are being chosen; this one is looked at next.
    Choosing(PageId),
    /// From this leaf on.
    Leaves(usize),
    /// From this part of their directory on.
    Fingerprints(usize),
    /// The queue of this class, behind this chunk.
    Queues(u8, QueueCursor),
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Condensing {
    stage: Stage,
    /// Those that are being emptied; some may have gone already, and may even be in use again.
    pages: Vec<PageId>,
    /// Steps until a walk may begin.
    rest: u32,
}

impl Engine {
    /// Works on gathering the index's chunks, if that is worth while, in a bounded step; true if there is more to do.
    pub(crate) fn condense(&mut self) -> bool {
        match self.condensing.stage {
            Stage::Resting => {
                let rest = self.condensing.rest.saturating_sub(1);
                self.condensing.rest = rest;
                if rest == 0 && self.is_index_sparse() {
                    let first = self.items.slabs.first_page(INDEX_CLASS);
                    self.condensing.stage = Stage::Choosing(first);
                }
            }
            Stage::Choosing(next) => self.choose_sparse_pages(next),
            Stage::Leaves(next) => self.condense_leaves(next),
            Stage::Fingerprints(next) => self.condense_fingerprints(next),
            Stage::Queues(class, cursor) => self.condense_queue(class, cursor),
        }
        self.condensing.stage != Stage::Resting
    }

    /// Lets the pages that are not empty yet give chunks again; whether there were any.
    pub(crate) fn stop_condensing(&mut self) -> bool {
        let before = self.condensing.pages.len();
        let left = self.end_condensing();
        if left > 0 || before > 0 {
            self.condensing.rest = REST_STEPS;
        }
        left > 0
    }

    /// Ends the walk; returns how many pages are not empty and give chunks again.
    fn end_condensing(&mut self) -> usize {
        self.condensing.stage = Stage::Resting;
        let mut left = 0;
        while let Some(id) = self.condensing.pages.pop() {
            let page = self.items.slabs.page(id);
            if page.class == INDEX_CLASS && page.draining {
                self.items.slabs.stop_draining(id);
                left += 1;
            }
        }
        left
    }

    /// Pages of the index with what is in use, and with room to grow.
    fn index_pages_wanted(&self) -> u64 {
        let slabs = &self.items.slabs;
        let used = slabs.used_chunks(INDEX_CLASS);
        let chunks = used + used / GROWTH_SHARE;
        chunks.div_ceil(slabs.chunks_per_page(INDEX_CLASS) as u64) + 1
    }

    fn is_index_sparse(&self) -> bool {
        let pages = u64::from(self.items.slabs.page_count(INDEX_CLASS));
        let spare = pages.saturating_sub(self.index_pages_wanted());
        spare >= PAGES_MIN.max(pages / PAGES_SHARE)
    }

    /// Chooses pages with no more chunks in use than the average, as long as there is room for these in the others.
    fn choose_sparse_pages(&mut self, mut id: PageId) {
        let pages = u64::from(self.items.slabs.page_count(INDEX_CLASS));
        let spare = pages.saturating_sub(self.index_pages_wanted());
        let chosen_max = spare.min(PAGES_MAX as u64) as usize;
        let slabs = &mut self.items.slabs;
        let average = slabs.used_chunks(INDEX_CLASS).div_ceil(pages.max(1));
        for _ in 0..CHOOSING_STEP {
            // A page that has left the class meanwhile leads elsewhere.
            let is_end = id == 0 || slabs.page(id).class != INDEX_CLASS;
            if is_end || self.condensing.pages.len() >= chosen_max {
                self.condensing.stage = Stage::Leaves(0);
                return;
            }
            self.meters.work += 1;
            if u64::from(slabs.page(id).in_use) <= average {
                slabs.start_draining(id);
                self.condensing.pages.push(id);
            }
            id = slabs.page(id).all.next;
        }
        self.condensing.stage = Stage::Choosing(id);
    }

    fn condense_leaves(&mut self, mut leaf: usize) {
        let mut moved = 0;
        for _ in 0..LOOKS_STEP {
            if leaf >= self.index.all_leaves() {
                self.condensing.stage = Stage::Fingerprints(0);
                return;
            }
            moved += self.index.relocate(&mut self.items.slabs, leaf);
            leaf += 1;
            self.meters.work += 1;
            if moved >= MOVES_STEP {
                break;
            }
        }
        self.meters.work += moved as u64;
        self.condensing.stage = Stage::Leaves(leaf);
    }

    /// One part of the directory of fingerprints, with all that it leads to.
    fn condense_fingerprints(&mut self, part: usize) {
        self.condensing.stage = match self.relocate_fingerprints(part) {
            Some(moved) => {
                self.meters.work += moved as u64;
                Stage::Fingerprints(part + 1)
            }
            None => Stage::Queues(INDEX_CLASS + 1, QueueCursor::default()),
        };
    }

    fn condense_queue(&mut self, class: u8, mut cursor: QueueCursor) {
        if usize::from(class) >= self.items.slabs.sizes.len() {
            let chosen = self.condensing.pages.len();
            let left = self.end_condensing();
            self.stats.slabs_moved += (chosen - left) as u64;
            if left == chosen {
                self.condensing.rest = REST_STEPS;
            }
            return;
        }
        self.meters.work += LOOKS_STEP as u64;
        let is_through = self.relocate_queue(class, &mut cursor, LOOKS_STEP);
        self.condensing.stage = if is_through {
            Stage::Queues(class + 1, QueueCursor::default())
        } else {
            Stage::Queues(class, cursor)
        };
    }

    /// Panics unless the index's pages that give no chunks are those that are being emptied.
    pub(crate) fn check_condensing(&self) {
        let slabs = &self.items.slabs;
        let draining = (1..slabs.pages_end())
            .filter(|&id| slabs.page(id).class == INDEX_CLASS && slabs.page(id).draining);
        for id in draining {
            assert!(
                self.condensing.pages.contains(&id),
                "page {id} of the index gives no chunks"
            );
        }
    }
}
