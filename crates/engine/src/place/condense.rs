//! Gathering the chunks of the index in fewer pages after it has become smaller.
//!
//! A chunk of the index's class (an extent of a leaf, fingerprints, a part of a queue) does not say what refers to it,
//! so a page of such chunks cannot be emptied by itself as pages of items are (drain.rs). Instead some of the pages
//! stop giving chunks, and one walk over everything that refers to chunks of this class copies the chunks in these
//! pages to the other pages:
//!
//! ```text
//! resting -> choosing pages -> leaves -> fingerprints -> queue of class 1 -> ... -> of the last class -> resting
//! ```
//!
//! A page goes to the pool with its last chunk. Leaves that are merged meanwhile may carry a chunk past the walk: its
//! page then gives chunks again, and may be chosen the next time.

use super::{Memory, Placement};
use crate::evict::QueueCursor;
use crate::slab::{INDEX_CLASS, PageId, Slabs};

/// Pages emptied in one walk at most.
const PAGES_MAX: usize = 256;
/// Pages looked at in one step of choosing.
const CHOOSING_STEP: usize = 32;
/// Leaves, or chunks of a queue, looked at in one step.
const LOOKS_STEP: usize = 32;
/// Chunks moved after which a step ends.
const MOVES_STEP: usize = 32;
/// A walk is worth while if so many pages would become free, and at least one in so many of the index's pages.
const PAGES_MIN: u64 = 2;
const PAGES_SHARE: u64 = 8;
/// Chunks left free so that the index can grow meanwhile: one for so many in use, and those of one page.
const GROWTH_SHARE: u64 = 16;
/// Steps of the housekeeping without a walk, after a walk that was broken off or emptied nothing.
const REST_STEPS: u32 = 10_000;

/// Where the walk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is no walk.
    #[default]
    Resting,
    /// Pages are being chosen; this one is looked at next.
    Choosing(PageId),
    /// The walk goes on with this leaf.
    Leaves(usize),
    /// The walk goes on with this part of the directory of fingerprints.
    Fingerprints(usize),
    /// The walk goes on in the queue of this class, behind this chunk.
    Queues(u8, QueueCursor),
}

/// The walk that gathers the chunks of the index: where it stands, and which pages it empties.
#[derive(Debug, Default)]
pub(super) struct Condensing {
    stage: Stage,
    /// The pages that are being emptied. Some may have become free already, and may even be in use again.
    pages: Vec<PageId>,
    /// Steps until a walk may begin.
    rest: u32,
}

impl Memory<'_> {
    /// Does one bounded step of gathering the index's chunks, if that is worth while. True if there is more to do.
    pub(crate) fn condense(&mut self) -> bool {
        match self.placement.condensing.stage {
            Stage::Resting => {
                let rest = self.placement.condensing.rest.saturating_sub(1);
                self.placement.condensing.rest = rest;
                if rest == 0 && self.is_index_sparse() {
                    let first = self.contents.items.slabs.first_page(INDEX_CLASS);
                    self.placement.condensing.stage = Stage::Choosing(first);
                }
            }
            Stage::Choosing(next) => self.choose_sparse_pages(next),
            Stage::Leaves(next) => self.condense_leaves(next),
            Stage::Fingerprints(next) => self.condense_fingerprints(next),
            Stage::Queues(class, cursor) => self.condense_queue(class, cursor),
        }
        self.placement.condensing.stage != Stage::Resting
    }

    /// Lets the pages that are not empty yet give chunks again. Returns whether there were any.
    pub(crate) fn stop_condensing(&mut self) -> bool {
        let before = self.placement.condensing.pages.len();
        let left = self.end_condensing();
        if left > 0 || before > 0 {
            self.placement.condensing.rest = REST_STEPS;
        }
        left > 0
    }

    /// Ends the walk; returns how many pages are not empty and give chunks again.
    fn end_condensing(&mut self) -> usize {
        self.placement.condensing.stage = Stage::Resting;
        let mut left = 0;
        while let Some(id) = self.placement.condensing.pages.pop() {
            let page = self.contents.items.slabs.page(id);
            if page.class == INDEX_CLASS && page.draining {
                self.contents.items.slabs.stop_draining(id);
                left += 1;
            }
        }
        left
    }

    /// Number of pages that the index needs for its chunks in use and for room to grow.
    fn index_pages_wanted(&self) -> u64 {
        let slabs = &self.contents.items.slabs;
        let used = slabs.used_chunks(INDEX_CLASS);
        let chunks = used + used / GROWTH_SHARE;
        chunks.div_ceil(slabs.chunks_per_page(INDEX_CLASS) as u64) + 1
    }

    fn is_index_sparse(&self) -> bool {
        let pages = u64::from(self.contents.items.slabs.page_count(INDEX_CLASS));
        let unneeded = pages.saturating_sub(self.index_pages_wanted());
        unneeded >= PAGES_MIN.max(pages / PAGES_SHARE)
    }

    /// Chooses pages with no more chunks in use than the average, as long as the other pages have room for these
    /// chunks.
    fn choose_sparse_pages(&mut self, mut id: PageId) {
        let pages = u64::from(self.contents.items.slabs.page_count(INDEX_CLASS));
        let unneeded = pages.saturating_sub(self.index_pages_wanted());
        let chosen_max = unneeded.min(PAGES_MAX as u64) as usize;
        let slabs = &mut self.contents.items.slabs;
        let average = slabs.used_chunks(INDEX_CLASS).div_ceil(pages.max(1));
        for _ in 0..CHOOSING_STEP {
            // A page that has left the class meanwhile leads elsewhere.
            let is_end = id == 0 || slabs.page(id).class != INDEX_CLASS;
            if is_end || self.placement.condensing.pages.len() >= chosen_max {
                self.placement.condensing.stage = Stage::Leaves(0);
                return;
            }
            self.effort.spend(1);
            if u64::from(slabs.page(id).in_use) <= average {
                slabs.start_draining(id);
                self.placement.condensing.pages.push(id);
            }
            id = slabs.page(id).all.next;
        }
        self.placement.condensing.stage = Stage::Choosing(id);
    }

    fn condense_leaves(&mut self, mut leaf: usize) {
        let mut moved = 0;
        for _ in 0..LOOKS_STEP {
            if leaf >= self.contents.index.all_leaves() {
                self.placement.condensing.stage = Stage::Fingerprints(0);
                return;
            }
            moved += self.contents.change_index(self.effort, |index, items| {
                index.relocate(&mut items.slabs, leaf)
            });
            leaf += 1;
            self.effort.spend(1);
            if moved >= MOVES_STEP {
                break;
            }
        }
        self.effort.spend(moved as u64);
        self.placement.condensing.stage = Stage::Leaves(leaf);
    }

    /// Moves the chunks of one part of the directory of fingerprints, with all chunks that it refers to.
    fn condense_fingerprints(&mut self, part: usize) {
        self.placement.condensing.stage = match self
            .victims
            .relocate_fingerprints(&mut self.contents.items.slabs, part)
        {
            Some(moved) => {
                self.effort.spend(moved as u64);
                Stage::Fingerprints(part + 1)
            }
            None => Stage::Queues(INDEX_CLASS + 1, QueueCursor::default()),
        };
    }

    fn condense_queue(&mut self, class: u8, mut cursor: QueueCursor) {
        if usize::from(class) >= self.contents.items.slabs.sizes.len() {
            let chosen = self.placement.condensing.pages.len();
            let left = self.end_condensing();
            self.telemetry.pages_moved((chosen - left) as u64);
            if left == chosen {
                self.placement.condensing.rest = REST_STEPS;
            }
            return;
        }
        self.effort.spend(LOOKS_STEP as u64);
        let slabs = &mut self.contents.items.slabs;
        let is_through = self
            .victims
            .relocate_queue(slabs, class, &mut cursor, LOOKS_STEP);
        self.placement.condensing.stage = if is_through {
            Stage::Queues(class + 1, QueueCursor::default())
        } else {
            Stage::Queues(class, cursor)
        };
    }
}

impl Placement {
    /// Panics unless the index's pages that give no chunks are those that are being emptied.
    pub(crate) fn check_condensing(&self, slabs: &Slabs) {
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
