//! The last resort of an allocation that finds neither a free chunk nor something to evict near by: a page is emptied
//! at once or, failing that, the chunks of the class are gone through. Each of the two has a bound on its work. After a
//! search in vain the next one waits until it may find something.
//!
//! ```text
//! page that can be emptied?  -- yes --> emptied: a chunk of it
//!        | no: noted
//! something to evict, anywhere in the class?  -- some chunks in each call, from the hand on; all of them: noted
//! ```

use super::Memory;
use super::allocate::{ChunkRole, DRAIN_STEP, DRAINS_MAX, EVICTIONS_MAX};
use crate::contents::Moment;
use crate::evict::LOOKS_PER_UNIT;
use crate::slab::{ChunkRef, INDEX_CLASS};

/// Units of work on emptying pages for one chunk: the 5,000 small items of a page of 256 KiB, each looked at, moved or
/// evicted, and taken out of the index.
const WAIT_WORK_MAX: u64 = 3 * 5_000;
/// Units of work on looking for something to evict, for one chunk: 4,000 chunks.
const SEARCH_WORK_MAX: u64 = 1_000;
/// Units of work on looking for dead items where nothing may be evicted: the reaper finds them sooner than every store
/// that is refused.
const SEARCH_FOR_DEAD_WORK_MAX: u64 = 256;
/// Chunks of an evicted chain that are freed at once.
const DYING_MAX: usize = 256;

/// The searches for a class that found nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vain {
    /// When they found nothing.
    moment: Moment,
    /// There was no page that could be emptied.
    no_page: bool,
    /// Chunks without anything to evict.
    looks: u64,
}

impl Memory<'_> {
    /// Empties a page at once or, failing that, looks everywhere for something to evict.
    #[cold]
    pub(super) fn allocate_at_last(&mut self, class: u8, role: ChunkRole) -> Option<ChunkRef> {
        if class == INDEX_CLASS {
            return None;
        }
        let moment = self.contents.moment();
        let vain = &mut self.placement.vain[usize::from(class)];
        if vain.moment != moment {
            *vain = Vain {
                moment,
                ..Vain::default()
            };
        }
        if !self.placement.vain[usize::from(class)].no_page
            && let Some(chunk) = self.wait_for_page(class)
        {
            return Some(chunk);
        }
        self.search_for(class, role)
    }

    /// Called when the class has nothing to evict and the pool is empty: empties a page at once.
    #[cold]
    pub(super) fn wait_for_page(&mut self, class: u8) -> Option<ChunkRef> {
        self.telemetry.page_wait();
        let end = self.effort.spent() + WAIT_WORK_MAX;
        for _ in 0..DRAINS_MAX {
            if !self.start_emptying() {
                self.placement.vain[usize::from(class)].no_page = true;
                return None;
            }
            while self.placement.is_draining() {
                let left = end.saturating_sub(self.effort.spent());
                if left == 0 {
                    return None;
                }
                self.work_on_drain(DRAIN_STEP, left);
                if let Some(chunk) = self.take_or_add(class, 0) {
                    return Some(chunk);
                }
            }
        }
        None
    }

    /// Called when no page can be taken as a whole: looks everywhere for something to evict.
    fn search_for(&mut self, class: u8, role: ChunkRole) -> Option<ChunkRef> {
        let victims = self.victims_for(class, role);
        let slabs = &self.contents.items.slabs;
        let chunks = u64::from(slabs.page_count(victims)) * slabs.chunks_per_page(victims) as u64;
        let work_max = match self.victims.are_allowed() {
            true => SEARCH_WORK_MAX,
            false => SEARCH_FOR_DEAD_WORK_MAX,
        };
        let end = self.effort.spent() + work_max;
        // Each pass of the hand lowers frequencies, and an item found is evicted or the lowest of those seen.
        for _ in 0..EVICTIONS_MAX {
            let left = end.saturating_sub(self.effort.spent()) * LOOKS_PER_UNIT as u64;
            let unseen = chunks.saturating_sub(self.placement.vain[usize::from(class)].looks);
            let looks = left.min(unseen);
            if looks == 0 {
                return None;
            }
            if !self.evict_one(victims, looks as usize) {
                self.placement.vain[usize::from(class)].looks += looks;
                return None;
            }
            self.contents.free_dying(DYING_MAX, self.effort);
            let chunk = (self.take_or_add(class, 0)).or_else(|| self.take_left(class, role));
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }
}
