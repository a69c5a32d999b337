//! Where a chunk comes from: a free one, a page, or an eviction.
//!
//! ```text
//! allocate -- free chunk --> done
//!    | none                                                                        (allocate_briefly)
//!    +-- written page -> chunks of freed chains -> untouched page -> eviction in the class -> a larger chunk
//!    | none                                                                        (allocate_at_last: last.rs)
//!    +-- a page is emptied -> something to evict, anywhere in the class
//! ```

use super::Memory;
use super::drain::Drained;
use crate::contents::DYING_MIN;
use crate::effort::CALL_WORK;
use crate::evict::LOOKS_PER_UNIT;
use crate::receiving::PATIENCE;
use crate::slab::{ChunkRef, INDEX_CLASS};

/// Evictions in a class after which a whole page is taken, if none of them has freed a chunk of the class (but only
/// chunks of other classes).
pub(super) const EVICTIONS_MAX: usize = 16;
/// Chunks of a page on its way out that are cleared at once by an allocation that cannot do without the page.
pub(super) const DRAIN_STEP: usize = 256;
/// Least units of work that an allocation which can wait spends on a page on its way out.
const DRAIN_WORK_MIN: u64 = 30;
/// Chunks that the eviction hand looks at before a page is taken instead.
pub(super) const LOOKS_MAX: usize = 256;

/// Pages that an allocation tries to empty.
pub(super) const DRAINS_MAX: u32 = 16;

/// What a chunk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkRole {
    /// The first chunk of an item, or a part of the index: items of the chunk's class are evicted for it.
    First,
    /// A later chunk of a chain: other chains are evicted for it, whatever else has chunks of this class.
    Later,
}

/// Whether the caller asks again if there is no chunk yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// The caller asks again.
    CanWait,
    /// The caller needs the chunk in this call.
    Now,
}

/// Outcome of an allocation that may take several calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocated {
    /// The chunk.
    Chunk(ChunkRef),
    /// There is no chunk yet: ask again.
    Later,
    /// There is no chunk to be had.
    OutOfMemory,
}

impl Memory<'_> {
    /// A chunk of `class`, or a somewhat larger one if the size is rare. Evicts if need be and allowed.
    #[inline]
    pub(crate) fn allocate(&mut self, class: u8) -> Option<ChunkRef> {
        self.allocate_for(class, ChunkRole::First)
    }

    /// A later chunk of a chain: of `class`, or a larger one.
    pub(crate) fn allocate_later(&mut self, class: u8) -> Option<ChunkRef> {
        self.allocate_for(class, ChunkRole::Later)
    }

    #[inline]
    fn allocate_for(&mut self, class: u8, role: ChunkRole) -> Option<ChunkRef> {
        if self.placement.is_draining() {
            self.pay_for_drain(self.contents.items.slabs.sizes.chunk_bytes(class));
        }
        self.contents
            .items
            .slabs
            .take(class)
            .or_else(|| self.allocate_slow(class, role))
    }

    #[cold]
    fn allocate_slow(&mut self, class: u8, role: ChunkRole) -> Option<ChunkRef> {
        let chunk = self
            .allocate_briefly(class, role, Urgency::Now)
            .or_else(|| self.allocate_at_last(class, role));
        if chunk.is_none() {
            self.telemetry.chunk_refused(class);
            self.placement.pressure.note_refused();
        }
        chunk
    }

    /// Like [`Self::allocate_later`], but may take several calls: when a page has to be emptied for the chunk, a call
    /// does one step of that. `patience` counts the calls that may still end without a chunk; when it is used up, a
    /// call takes the time it needs.
    pub(crate) fn allocate_in_steps(&mut self, class: u8, patience: &mut u32) -> Allocated {
        if self.placement.is_draining() {
            self.pay_for_drain(self.contents.items.slabs.sizes.chunk_bytes(class));
        }
        let mut chunk = self.contents.items.slabs.take(class);
        if chunk.is_none() && *patience > 0 && self.effort.left() < CALL_WORK / 2 {
            // Enough for this call: the emptying of the page has come nearer to its end.
            *patience -= 1;
            return Allocated::Later;
        }
        let urgency = match *patience {
            0 => Urgency::Now,
            _ => Urgency::CanWait,
        };
        chunk = chunk.or_else(|| self.allocate_briefly(class, ChunkRole::Later, urgency));
        if chunk.is_none() {
            if urgency == Urgency::CanWait && self.start_emptying() {
                let work = self.effort.left().max(DRAIN_WORK_MIN);
                let price = match self.work_on_drain(DRAIN_STEP, work) {
                    // Only pages of half-received values are left; this value may be one of them.
                    Drained::Busy => PATIENCE / DRAINS_MAX,
                    _ => 1,
                };
                *patience = patience.saturating_sub(price);
                return match self.take_or_add(class, 0) {
                    Some(chunk) => Allocated::Chunk(chunk),
                    None => Allocated::Later,
                };
            }
            chunk = self.allocate_at_last(class, ChunkRole::Later);
        }
        chunk.map_or(Allocated::OutOfMemory, Allocated::Chunk)
    }

    /// Takes a free chunk, or evicts in the class and the classes next to it, in a bounded number of steps. If the
    /// chunk can wait, the eviction hand looks only as far as the rest of the call's effort allows.
    ///
    /// Memory that has been written before comes first, beginning with the newest: chunks of the class, pages of the
    /// pool, chunks of dying chains. A page that was never touched costs a fault for each 4 KiB, as much as receiving
    /// the bytes.
    fn allocate_briefly(
        &mut self,
        class: u8,
        role: ChunkRole,
        urgency: Urgency,
    ) -> Option<ChunkRef> {
        let keep = self.pool_reserve();
        if class == INDEX_CLASS
            && self.stop_condensing()
            && let Some(chunk) = self.contents.items.slabs.take(class)
        {
            return Some(chunk);
        }
        while !self.contents.items.slabs.reuse_page(class, keep) {
            if !self.contents.has_dying() || self.effort.left() == 0 {
                break;
            }
            // As much as a window of a large value takes: with more, the call would have no work left for the rest of
            // the value.
            self.contents.free_dying_step(DYING_MIN, self.effort);
            if let Some(chunk) = self.contents.items.slabs.take(class) {
                return Some(chunk);
            }
        }
        if let Some(chunk) = self.take_or_add(class, keep) {
            return Some(chunk);
        }
        self.telemetry.page_shortage();
        self.evict_for(class, role, urgency)
    }

    /// Sees to it that a chunk of `class` is free, if that is possible without evicting anything.
    pub(crate) fn provide_free(&mut self, class: u8) -> bool {
        let keep = self.pool_reserve();
        self.contents.items.slabs.has_chunk(class)
            || self.contents.items.slabs.add_page(class, keep)
    }

    /// Number of free pages kept for allocations that cannot wait: those of a class that has nothing to evict, and of
    /// the index. They are refilled in small steps, so that no call has to empty a page at once.
    pub(super) fn pool_reserve(&self) -> u32 {
        match self.contents.items.slabs.pages_held() {
            0..64 => 0,
            64..512 => 1,
            512..2048 => 2,
            2048..8192 => 4,
            _ => 8,
        }
    }

    pub(super) fn take_or_add(&mut self, class: u8, keep: u32) -> Option<ChunkRef> {
        if let Some(chunk) = self.contents.items.slabs.take(class) {
            return Some(chunk);
        }
        if self.contents.items.slabs.add_page(class, keep) {
            self.contents.items.slabs.take(class)
        } else {
            None
        }
    }

    fn evict_for(&mut self, class: u8, role: ChunkRole, urgency: Urgency) -> Option<ChunkRef> {
        let host = match role {
            ChunkRole::First => self.host_of(class),
            ChunkRole::Later => class,
        };
        if self.effort.left() > 0 {
            self.refill_pool(host);
        }
        if host != INDEX_CLASS {
            self.relieve(host);
            if let Some(chunk) = self.evict_until_free(host, role, urgency) {
                return Some(chunk);
            }
        }
        if let Some(chunk) = self.take_from_reserve(class) {
            return Some(chunk);
        }
        if class == INDEX_CLASS {
            // The index can wait for a page: a leaf takes more items than it should, and at last one of its items is
            // evicted for the new one.
            self.start_emptying();
            return None;
        }
        self.take_larger(class)
    }

    fn evict_until_free(
        &mut self,
        class: u8,
        role: ChunkRole,
        urgency: Urgency,
    ) -> Option<ChunkRef> {
        let victims = self.victims_for(class, role);
        let mut chunk = self.contents.items.slabs.take(class);
        for _ in 0..EVICTIONS_MAX {
            if chunk.is_some() {
                break;
            }
            let used_chunks = self.contents.items.slabs.used_chunks(class);
            let looks = match urgency {
                Urgency::CanWait => LOOKS_MAX.min(self.effort.left() as usize * LOOKS_PER_UNIT),
                Urgency::Now => LOOKS_MAX,
            };
            if !self.evict_one(victims, looks) {
                return None;
            }
            self.note_pressure(class, used_chunks);
            chunk = (self.contents.items.slabs.take(class)).or_else(|| self.take_left(class, role));
        }
        chunk
    }

    /// A larger chunk that an evicted chain has left and that another chain can use.
    pub(super) fn take_left(&mut self, class: u8, role: ChunkRole) -> Option<ChunkRef> {
        match role {
            ChunkRole::First => None,
            ChunkRole::Later => self.take_larger_tail(class),
        }
    }

    /// The class of the items that are evicted for a chunk.
    pub(super) fn victims_for(&self, class: u8, role: ChunkRole) -> u8 {
        match role {
            ChunkRole::First => class,
            ChunkRole::Later => self.contents.items.slabs.sizes.top(),
        }
    }

    /// A chunk of one of the pages that are kept. If it would be the first page of its class, it becomes a page of
    /// larger chunks, which the classes between can use too: when many new sizes come at once, a few pages have to do
    /// for all of them.
    fn take_from_reserve(&mut self, class: u8) -> Option<ChunkRef> {
        let has_pages = class == INDEX_CLASS || self.contents.items.slabs.page_count(class) > 0;
        if has_pages || !self.victims.are_allowed() || self.pool_reserve() == 0 {
            return self.take_or_add(class, 0);
        }
        if !self.placement.is_draining() {
            self.move_any_page_to(class);
        }
        let larger = self.larger_classes(class);
        let first = larger.clone().next_back().unwrap_or(class);
        larger
            .clone()
            .find_map(|other| self.contents.items.slabs.take(other))
            .or_else(|| self.take_or_add(first, 0))
    }

    /// Sees to it that a page is being emptied for the class that needs it first, and begins with one if none is. False
    /// if no page can be emptied.
    pub(super) fn start_emptying(&mut self) -> bool {
        let is_going =
            self.victims.are_allowed() && (self.placement.is_draining() || self.steal_page());
        self.placement.disinherit();
        is_going
    }
}
