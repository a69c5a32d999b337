//! Emptying a page, in steps that the allocations meanwhile pay for.
//!
//! ```text
//! page   | done: free | next batch: owners' heads, then index lines, then removal | to come |
//!                     offset
//! ```
//!
//! Items that are in nobody's way are moved to free chunks of their class, others are evicted. An item that is being
//! sent leaves the index at once and its chunk with the end of the send: the page then leaves its class by itself. Only
//! a half-received value keeps its page.

use crate::engine::Engine;
use crate::evict::hand::Reclaimer;
use crate::evict::policy;
use crate::item::State;
use crate::slab::{ChunkRef, NO_CLASS, PageId};

/// Chunks of a page that are looked at together, so that their cache misses overlap.
pub(crate) const BATCH: usize = 16;
/// Chunks of dying chains freed when one of them is in the way.
const DYING_STEP: usize = 32;
/// Chunks that one allocation clears at least.
const PAYMENT_MIN: usize = 4;

/// A page on its way out of its class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    page: PageId,
    offset: u32,
    /// The class that gets the page; without one it stays in the pool.
    heir: Option<u8>,
    /// Whether a half-received value was met, so that the page cannot be emptied now.
    is_busy: bool,
    /// For another shard: what goes then does not show how long items stay in this one.
    is_lent: bool,
}

/// What has become of a chunk that had to be vacated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vacated {
    /// It is free, or will be without more ado.
    Yes,
    /// It belongs to a value that is being received.
    Busy,
    /// It belongs to a chain whose chunks are being freed.
    Dying,
}

impl Engine {
    /// Begins to empty a page for `heir` or for the pool.
    pub(crate) fn start_drain(&mut self, page: PageId, heir: Option<u8>) {
        debug_assert!(self.drain.is_none(), "one page is emptied at a time");
        self.note_page_move(self.items.slabs.page(page).class, heir);
        self.items.slabs.start_draining(page);
        self.items.slabs.retire_if_empty(page);
        self.drain = Some(Drain {
            page,
            offset: 0,
            heir,
            is_busy: false,
            is_lent: false,
        });
    }

    /// Begins to empty a page for another shard.
    pub(crate) fn start_drain_for_others(&mut self, page: PageId) {
        self.start_drain(page, None);
        if let Some(drain) = &mut self.drain {
            drain.is_lent = true;
        }
    }

    /// Whoever needs memory at once gets the page.
    pub(crate) fn disinherit(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.heir = None;
        }
    }

    /// Clears more of the page on its way out than the `bytes` that are taken, so that the page is there in time.
    #[cold]
    pub(crate) fn pay_for_drain(&mut self, bytes: usize) {
        let Some(drain) = &self.drain else {
            return;
        };
        let sizes = &self.items.slabs.sizes;
        let bytes = bytes * 5 / 4;
        let drained = match self.items.slabs.page(drain.page).class {
            NO_CLASS => self.items.slabs.page_bytes(),
            class => sizes.chunk_bytes(class),
        };
        let chunks = bytes.div_ceil(drained).max(PAYMENT_MIN);
        self.work_on_drain(chunks, self.work_left());
    }

    /// Clears up to `chunks` chunks of the page on its way out, if there is one; fewer if they are more than so many units
    /// of work.
    pub(crate) fn work_on_drain(&mut self, chunks: usize, work: u64) {
        let Some(mut drain) = self.drain.take() else {
            return;
        };
        let mut left = chunks;
        let work_max = self.work() + work;
        while left > 0 && !self.is_emptied(&drain) && self.work() < work_max {
            let evicted_bytes = self.meters.evicted_bytes;
            let looked = self.drain_batch(&mut drain, left.min(BATCH), work_max);
            if drain.is_lent {
                self.meters.evicted_bytes = evicted_bytes;
            }
            if looked == 0 {
                return self.give_up_drain(&drain);
            }
            left -= looked;
        }
        if self.is_emptied(&drain) {
            self.stats.slabs_moved += 1;
            if let Some(class) = drain.heir {
                self.items.slabs.add_page(class, 0);
            }
        } else {
            self.drain = Some(drain);
        }
    }

    /// Gives up the emptying of a page that is under way.
    pub(crate) fn stop_drain(&mut self) {
        if let Some(drain) = self.drain.take()
            && !self.is_emptied(&drain)
        {
            self.items.slabs.stop_draining(drain.page);
        }
    }

    /// A large value that is stored now does not go for a page that was chosen before it was whole: gives up the emptying
    /// of one that has a part of it.
    pub(crate) fn spare(&mut self, first: ChunkRef) {
        let Some(page) = self.drain.as_ref().map(|drain| drain.page) else {
            return;
        };
        let slabs = &self.items.slabs;
        let class = slabs.page(page).class;
        let mut of_chains = slabs.sizes.later_classes().into_iter();
        if class != slabs.sizes.top() && !of_chains.any(|other| other == class) {
            return;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(class) as u32;
        self.meters.work += slabs.chunks_per_page(class) as u64;
        let mut chunks = (0..).map_while(|index| slabs.chunk_in(page, index * chunk_bytes));
        if chunks.any(|chunk| self.items.first_of(chunk) == first) {
            self.stop_drain();
        }
    }

    /// Whether the page has left its class, and perhaps has another one already.
    fn is_emptied(&self, drain: &Drain) -> bool {
        let page = self.items.slabs.page(drain.page);
        page.class == NO_CLASS || !page.draining
    }

    /// The end of the page is reached, but it is not empty.
    fn give_up_drain(&mut self, drain: &Drain) {
        if drain.is_busy {
            self.meters.busy_pages += 1;
            self.items.slabs.stop_draining(drain.page);
            self.step_over(drain.page);
            self.search.reject();
        }
        // Else what is left goes by itself, and the page with it.
    }

    /// Vacates up to `count` chunks until the work is `work_max`; returns how many were looked at, 0 at the end of the page.
    fn drain_batch(&mut self, drain: &mut Drain, count: usize, work_max: u64) -> usize {
        let slabs = &self.items.slabs;
        let chunk_bytes = slabs.sizes.chunk_bytes(slabs.page(drain.page).class) as u32;
        let mut batch = [ChunkRef::NULL; BATCH];
        let mut len = 0;
        while len < count {
            let offset = drain.offset + len as u32 * chunk_bytes;
            let Some(chunk) = slabs.chunk_in(drain.page, offset) else {
                break;
            };
            batch[len] = chunk;
            len += 1;
        }
        self.meters.work += len as u64;
        self.prefetch_places(&batch[..len]);
        for &chunk in &batch[..len] {
            match self.vacate(chunk) {
                Vacated::Yes => {}
                Vacated::Busy => drain.is_busy = true,
                Vacated::Dying => return len,
            }
            drain.offset += chunk_bytes;
            if self.is_emptied(drain) || self.work() >= work_max {
                break;
            }
        }
        len
    }

    /// Asks for the index lines of the items that have these chunks.
    pub(crate) fn prefetch_places(&self, chunks: &[ChunkRef]) {
        debug_assert!(chunks.len() <= BATCH, "a batch of {}", chunks.len());
        let mut hashes = [None; BATCH];
        for (hash, &chunk) in hashes.iter_mut().zip(chunks) {
            let first = self.items.first_of(chunk);
            if self.items.head(first).is_linked() {
                let of_item = self.items.hash_of(self.hasher, first);
                self.index.prefetch_leaf(of_item);
                *hash = Some(of_item);
            }
        }
        for hash in hashes.into_iter().flatten() {
            self.index.prefetch(&self.items.slabs, hash);
        }
    }

    /// Removes the item that a chunk belongs to, or moves the chunk.
    fn vacate(&mut self, chunk: ChunkRef) -> Vacated {
        if self.items.head(chunk).state() == State::Free {
            return Vacated::Yes;
        }
        let first = self.items.first_of(chunk);
        let head = self.items.head(first);
        if head.is_linked() {
            if first == self.shielded {
                return Vacated::Busy;
            }
            if self.death(&self.items.item(first)).is_some() {
                self.reclaim_item(first, Reclaimer::Hand);
            } else if self.rescue(chunk, first) {
                return Vacated::Yes;
            } else if self.items.head(first).is_linked() {
                self.stats.slab_reassign_evictions += 1;
                self.evict_item(first);
            }
        }
        self.free_if_dying(chunk, first)
    }

    /// How a chunk of an item that is not in the index stands.
    fn free_if_dying(&mut self, chunk: ChunkRef, first: ChunkRef) -> Vacated {
        let is_free = |engine: &Self| engine.items.head(chunk).state() == State::Free;
        if is_free(self) || self.pins.contains(first) {
            return Vacated::Yes;
        }
        if self.items.head(first).state() != State::Dying {
            return Vacated::Busy;
        }
        self.free_dying_step(DYING_STEP);
        if is_free(self) {
            Vacated::Yes
        } else {
            Vacated::Dying
        }
    }

    /// A chunk of `class` for one of the item `first`, which has to leave its place. If there is none and the item was
    /// used, one that is worth less goes instead; that may be itself.
    fn target_for(&mut self, class: u8, first: ChunkRef) -> Option<ChunkRef> {
        let free = self.items.slabs.take(class);
        if free.is_some() || self.items.head(first).frequency() == 0 {
            return free;
        }
        for _ in 0..RESCUE_EVICTIONS_MAX {
            if !self.evict_one(class, RESCUE_LOOKS) || !self.items.head(first).is_linked() {
                return None;
            }
            if let Some(chunk) = self.items.slabs.take(class) {
                return Some(chunk);
            }
        }
        None
    }

    /// Moves a chunk of an item to a free chunk of its class elsewhere, if there is one to be had.
    fn rescue(&mut self, chunk: ChunkRef, first: ChunkRef) -> bool {
        if self.is_pinned(first) {
            return false;
        }
        let chain = self.items.chunks(first).take(CHAIN_MAX + 1).count();
        self.meters.work += chain as u64 - 1;
        if chain > CHAIN_MAX {
            return false;
        }
        let class = self.items.slabs.class_of(chunk);
        let Some(target) = self.target_for(class, first) else {
            return false;
        };
        if chunk == first {
            let place = self.place_of(first);
            let deadline = self.items.item(first).deadline();
            self.items.note_deadline(target, deadline);
            self.index.replace(&mut self.items.slabs, place, target);
        }
        let copied = self.items.move_chunk(chunk, target, first);
        self.count_bytes(copied);
        if chunk == first {
            let head = self.items.head(target);
            let frequency = policy::moved(head.frequency());
            self.items.set_head(target, head.with_frequency(frequency));
            self.renew(target);
        }
        self.items.slabs.give(chunk);
        self.meters.work += 1;
        match chunk == first {
            true => self.stats.slab_reassign_rescues += 1,
            false => self.stats.slab_reassign_chunk_rescues += 1,
        }
        true
    }
}

/// Items evicted to keep one that was used, and chunks that the hand looks at for each.
const RESCUE_EVICTIONS_MAX: usize = 2;
const RESCUE_LOOKS: usize = 32;
/// Chunks of a chain that is worth moving: each move goes through all of it.
const CHAIN_MAX: usize = 40;
