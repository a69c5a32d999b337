//! Emptying a page, in steps that the allocations meanwhile pay for.
//!
//! ```text
//! page   | done: free | next batch: owners' heads, then index lines, then removal | to come |
//!                     offset
//! ```
//!
//! Items for which there are free chunks of their class are moved there (rescue.rs), others are evicted. An item that
//! is being sent leaves the index at once and its chunk at the end of the send: the page then leaves its class by
//! itself. Only a half-received value keeps its page. For an operator nothing is evicted while memory is free, and an
//! item that cannot be moved keeps its page.

use super::purpose::Purpose;
use super::rescue::Rescued;
use super::{Memory, Placement};
use crate::contents::{Cause, DYING_STEP};
use crate::evict::{Gone, evict, reclaim};
use crate::item::State;
use crate::slab::{ChunkRef, NO_CLASS, PageId};

/// Chunks of a page that are looked at together, so that their cache misses overlap.
pub(super) const BATCH: usize = 16;
/// For each so many bytes that an allocation takes, it clears one byte more than it takes, so that the page is empty
/// before the allocations have taken as much as a page.
const AHEAD_SHARE: usize = 4;
/// Chunks that one allocation clears at least.
const PAYMENT_MIN: usize = 4;

/// A page on its way out of its class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    page: PageId,
    offset: u32,
    /// The class that gets the page; without one it stays in the pool.
    heir: Option<u8>,
    /// Whether a chunk was met that cannot be vacated now: a half-received value has it, or an item that stays.
    is_busy: bool,
    purpose: Purpose,
}

/// The state of a chunk that had to be vacated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vacated {
    /// The chunk is free, or becomes free by itself.
    Yes,
    /// The chunk belongs to a value that is being received, or to an item that stays.
    Busy,
    /// The chunk belongs to a chain whose chunks are being freed.
    Dying,
}

/// How far the emptying of a page has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// The emptying goes on, or no page is being emptied, or the rest of the page becomes free by itself.
    Going,
    /// The page is empty.
    Emptied,
    /// The page holds something that keeps it: its emptying was given up.
    Busy,
}

impl Placement {
    /// From now on the page on its way out is for the class that needs memory first.
    pub(super) fn disinherit(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.heir = None;
        }
    }
}

impl Memory<'_> {
    /// Begins to empty a page for `heir` or for the pool.
    pub(super) fn start_drain(&mut self, page: PageId, heir: Option<u8>) {
        self.start_drain_for(Purpose::Own, page, heir);
    }

    /// Begins to empty a page for `heir` or for the pool.
    pub(crate) fn start_drain_for(&mut self, purpose: Purpose, page: PageId, heir: Option<u8>) {
        debug_assert!(
            !self.placement.is_draining(),
            "one page is emptied at a time"
        );
        self.note_page_move(self.contents.items.slabs.page(page).class, heir);
        self.contents.items.slabs.start_draining(page);
        self.contents.items.slabs.retire_if_empty(page);
        self.placement.drain = Some(Drain {
            page,
            offset: 0,
            heir,
            is_busy: false,
            purpose,
        });
    }

    /// Tells watchers that a page leaves its class.
    pub(super) fn note_page_move(&mut self, source: u8, heir: Option<u8>) {
        let shown = |class| self.contents.shown_class(class);
        let destination = heir.map_or(0, shown);
        let source = shown(source);
        self.telemetry.events.note_page_move(source, destination);
    }

    /// Clears more of the page on its way out than the `bytes` that the allocation takes, so that the page is empty in
    /// time.
    #[cold]
    pub(crate) fn pay_for_drain(&mut self, bytes: usize) {
        let Some(drain) = &self.placement.drain else {
            return;
        };
        let sizes = &self.contents.items.slabs.sizes;
        let bytes = bytes + bytes / AHEAD_SHARE;
        let drained = match self.contents.items.slabs.page(drain.page).class {
            NO_CLASS => self.contents.items.slabs.page_bytes(),
            class => sizes.chunk_bytes(class),
        };
        let chunks = bytes.div_ceil(drained).max(PAYMENT_MIN);
        self.work_on_drain(chunks, self.effort.left());
    }

    /// Clears up to `chunks` chunks of the page on its way out, if there is one; fewer if these take more than `work`
    /// units.
    pub(crate) fn work_on_drain(&mut self, chunks: usize, work: u64) -> Drained {
        let Some(mut drain) = self.placement.drain.take() else {
            return Drained::Going;
        };
        let mut left = chunks;
        let work_max = self.effort.spent() + work;
        while left > 0 && !self.is_emptied(&drain) && self.effort.spent() < work_max {
            let looked = self.drain_batch(&mut drain, left.min(BATCH), work_max);
            if looked == 0 {
                return self.give_up_drain(&drain);
            }
            left -= looked;
        }
        if self.is_emptied(&drain) {
            self.telemetry.pages_moved(1);
            if let Some(class) = drain.heir {
                self.contents.items.slabs.add_page(class, 0);
            }
            Drained::Emptied
        } else {
            self.placement.drain = Some(drain);
            Drained::Going
        }
    }

    /// Gives up the emptying of a page that is under way.
    pub(crate) fn stop_drain(&mut self) {
        if let Some(drain) = self.placement.drain.take()
            && !self.is_emptied(&drain)
        {
            self.contents.items.slabs.stop_draining(drain.page);
        }
    }

    /// Gives up the emptying of a page that holds a part of a large value that is stored now: the page was chosen
    /// before the value was whole, and the value is not to be evicted for that.
    pub(crate) fn stop_drain_of(&mut self, first: ChunkRef) {
        let Some(page) = self.placement.drain.as_ref().map(|drain| drain.page) else {
            return;
        };
        let slabs = &self.contents.items.slabs;
        let class = slabs.page(page).class;
        let mut of_chains = slabs.sizes.later_classes().into_iter();
        if class != slabs.sizes.top() && !of_chains.any(|other| other == class) {
            return;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(class) as u32;
        self.effort.spend(slabs.chunks_per_page(class) as u64);
        let mut chunks = (0..).map_while(|index| slabs.chunk_in(page, index * chunk_bytes));
        if chunks.any(|chunk| self.contents.items.first_of(chunk) == first) {
            self.stop_drain();
        }
    }

    /// Whether the page has left its class; it may belong to another one already.
    fn is_emptied(&self, drain: &Drain) -> bool {
        let page = self.contents.items.slabs.page(drain.page);
        page.class == NO_CLASS || !page.draining
    }

    /// Called when the end of the page is reached, but the page is not empty.
    fn give_up_drain(&mut self, drain: &Drain) -> Drained {
        if !drain.is_busy {
            // The chunks that are left become free by themselves, and the page with them.
            return Drained::Going;
        }
        self.telemetry.page_busy();
        self.contents.items.slabs.stop_draining(drain.page);
        let slabs = &self.contents.items.slabs;
        self.victims.step_over(slabs, drain.page);
        self.placement.search.reject();
        Drained::Busy
    }

    /// Vacates up to `count` chunks until the work is `work_max`; returns how many were looked at, 0 at the end of the
    /// page.
    fn drain_batch(&mut self, drain: &mut Drain, count: usize, work_max: u64) -> usize {
        let slabs = &self.contents.items.slabs;
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
        self.effort.spend(len as u64);
        self.prefetch_places(&batch[..len]);
        for &chunk in &batch[..len] {
            match self.vacate(chunk, drain.purpose) {
                Vacated::Yes => {}
                Vacated::Busy => drain.is_busy = true,
                Vacated::Dying => return len,
            }
            drain.offset += chunk_bytes;
            if self.is_emptied(drain) || self.effort.spent() >= work_max {
                break;
            }
        }
        len
    }

    /// Prefetches the cache lines of the index for the items with these chunks.
    pub(super) fn prefetch_places(&self, chunks: &[ChunkRef]) {
        debug_assert!(chunks.len() <= BATCH, "a batch of {}", chunks.len());
        let mut hashes = [None; BATCH];
        for (hash, &chunk) in hashes.iter_mut().zip(chunks) {
            let first = self.contents.items.first_of(chunk);
            if self.contents.items.head(first).is_linked() {
                let of_item = self.contents.hash_of(first);
                self.contents.index.prefetch_leaf(of_item);
                *hash = Some(of_item);
            }
        }
        for hash in hashes.into_iter().flatten() {
            self.contents
                .index
                .prefetch(&self.contents.items.slabs, hash);
        }
    }

    /// Removes the item that a chunk belongs to, or moves the chunk.
    fn vacate(&mut self, chunk: ChunkRef, purpose: Purpose) -> Vacated {
        if self.contents.items.head(chunk).state() == State::Free {
            return Vacated::Yes;
        }
        let first = self.contents.items.first_of(chunk);
        let head = self.contents.items.head(first);
        if head.is_linked() {
            if self.contents.is_held(first) {
                return Vacated::Busy;
            }
            if self.contents.is_dead(first) {
                reclaim(self.contents, self.telemetry, self.effort, first);
            } else {
                let stays = match self.rescue(chunk, first, purpose) {
                    Rescued::Yes => return Vacated::Yes,
                    Rescued::NoRoom => !self.victims.are_allowed(),
                    Rescued::Fixed => true,
                };
                if stays && purpose == Purpose::Asked {
                    return Vacated::Busy;
                }
                self.evict_from_page(first, purpose);
            }
        }
        self.free_if_dying(chunk, first)
    }

    /// Evicts an item, if it is still there.
    fn evict_from_page(&mut self, first: ChunkRef, purpose: Purpose) {
        if !self.contents.items.head(first).is_linked() {
            return;
        }
        let item = (first, self.contents.hash_of(first));
        let gone = evict(
            self.contents,
            self.telemetry,
            self.effort,
            item,
            Cause::Page,
        );
        self.placement.pressure.note_gone(gone);
        self.note_bytes_of(gone, purpose);
    }

    /// Counts the bytes of an evicted item, unless the page is for another shard.
    pub(super) fn note_bytes_of(&mut self, gone: Gone, purpose: Purpose) {
        if purpose == Purpose::Own {
            self.note_evicted_bytes(gone);
        }
    }

    /// The state of a chunk of an item that is not in the index.
    fn free_if_dying(&mut self, chunk: ChunkRef, first: ChunkRef) -> Vacated {
        let is_free = |memory: &Self| memory.contents.items.head(chunk).state() == State::Free;
        if is_free(self) || self.contents.pins.contains(first) {
            return Vacated::Yes;
        }
        if self.contents.items.head(first).state() != State::Dying {
            return Vacated::Busy;
        }
        self.contents.free_dying_step(DYING_STEP, self.effort);
        if is_free(self) {
            Vacated::Yes
        } else {
            Vacated::Dying
        }
    }
}
