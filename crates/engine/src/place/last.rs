//! What an allocation does that finds neither a free chunk nor something to evict near by: a page is emptied here and now or,
//! failing that, the chunks of the class are gone through. Either ends when it has done so much, and what was looked for in
//! vain is not looked for again until there may be something.
//!
//! ```text
//! page that can be emptied?  -- yes --> emptied: a chunk of it
//!        | no: noted
//! something to evict, anywhere in the class?  -- some chunks in each call, from where the hand stands; all of them: noted
//! ```

use crate::engine::Engine;
use crate::evict::hand::LOOKS_PER_UNIT;
use crate::place::allocate::{DRAIN_STEP, DRAINS_MAX, EVICTIONS_MAX, Part};
use crate::slab::{ChunkRef, INDEX_CLASS};

/// Units of work on emptying pages for one chunk: the 5,000 small items of a page of 256 KiB, each looked at, moved or
/// evicted, and taken out of the index.
const WAIT_WORK_MAX: u64 = 3 * 5_000;
/// Units of work on looking for something to evict, for one chunk: 4,000 chunks.
const SEARCH_WORK_MAX: u64 = 1_000;
/// The same for dead items where nothing may be evicted: the reaper finds them sooner than every store that is refused.
const SEARCH_FOR_DEAD_WORK_MAX: u64 = 256;
/// Chunks of an evicted chain that are freed at once.
const DYING_MAX: usize = 256;

/// What was looked for in vain for a class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vain {
    /// When: see [`Engine::changes`].
    changes: (u64, u64, u32),
    /// There was no page that could be emptied.
    no_page: bool,
    /// Chunks without anything to evict.
    looks: u64,
}

impl Engine {
    /// Empties a page here and now or, failing that, looks everywhere for something to evict.
    #[cold]
    pub(crate) fn allocate_at_last(&mut self, class: u8, part: Part) -> Option<ChunkRef> {
        if class == INDEX_CLASS {
            return None;
        }
        let changes = self.changes();
        let vain = &mut self.vain[usize::from(class)];
        if vain.changes != changes {
            *vain = Vain {
                changes,
                ..Vain::default()
            };
        }
        if !self.vain[usize::from(class)].no_page
            && let Some(chunk) = self.wait_for_page(class)
        {
            return Some(chunk);
        }
        self.search_for(class, part)
    }

    /// Grows whenever memory that was found to be full may not be any more: chunks were freed, values are no longer being sent
    /// or received; and time, of which items die.
    fn changes(&self) -> (u64, u64, u32) {
        let freed = self.items.slabs.freed_chunks();
        (freed, self.meters.unguarded, self.clock.now().0)
    }

    /// The class has nothing to evict and the pool is empty: empties a page here and now.
    #[cold]
    pub(crate) fn wait_for_page(&mut self, class: u8) -> Option<ChunkRef> {
        self.stats.page_waits += 1;
        let end = self.work() + WAIT_WORK_MAX;
        for _ in 0..DRAINS_MAX {
            if !self.can_empty_a_page() {
                self.vain[usize::from(class)].no_page = true;
                return None;
            }
            while self.drain.is_some() {
                let left = end.saturating_sub(self.work());
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

    /// No page can be taken as a whole: looks for something to evict, wherever it is.
    fn search_for(&mut self, class: u8, part: Part) -> Option<ChunkRef> {
        let victims = self.victims_for(class, part);
        let slabs = &self.items.slabs;
        let chunks = u64::from(slabs.page_count(victims)) * slabs.chunks_per_page(victims) as u64;
        let work_max = match self.evictions_enabled {
            true => SEARCH_WORK_MAX,
            false => SEARCH_FOR_DEAD_WORK_MAX,
        };
        let end = self.work() + work_max;
        // Each pass of the hand lowers frequencies, and an item found is evicted or the lowest of those seen.
        for _ in 0..EVICTIONS_MAX {
            let left = end.saturating_sub(self.work()) * LOOKS_PER_UNIT as u64;
            let unseen = chunks.saturating_sub(self.vain[usize::from(class)].looks);
            let looks = left.min(unseen);
            if looks == 0 {
                return None;
            }
            if !self.evict_one(victims, looks as usize) {
                self.vain[usize::from(class)].looks += looks;
                return None;
            }
            self.free_dying(DYING_MAX);
            let chunk = (self.take_or_add(class, 0)).or_else(|| self.take_left(class, part));
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }
}
