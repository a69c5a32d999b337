//! Taking whole pages: for a class that has none, for the balance between classes, for other shards.
//!
//! A page is fit to be taken unless it belongs to the index or guards a pinned or half-received value.

use super::Engine;
use super::evict::Reclaimer;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::Seconds;

/// Pages compared before one is taken.
pub(super) const PAGES_COMPARED: usize = 8;
/// Items of a page whose age is looked at in the comparison.
const CHUNKS_SAMPLED: u32 = 8;
/// Chunks that one step of the emptying of a page looks at.
const DRAIN_STEP: usize = 64;
/// A page moves to an evicting class when its items are so many times older than what that class evicts.
const AGE_RATIO: u64 = 2;
/// Chunks of dying chains freed by one [`Engine::maintain`].
const MAINTAIN_CHUNKS: usize = 256;

/// A page on its way out of its class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    page: PageId,
    offset: u32,
    /// The class that gets the page; without one it stays in the pool.
    heir: Option<u8>,
}

impl Engine {
    /// Empties a page, whichever serves least, into the pool; false if none is fit.
    pub(super) fn steal_page(&mut self) -> bool {
        let Some(page) = self.choose_page(None) else {
            self.stats.slab_reassign_busy_items += 1;
            return false;
        };
        self.free_dying(usize::MAX);
        self.empty_page(page);
        true
    }

    /// The fit page with the oldest items among the next few, not of class `except`.
    fn choose_page(&mut self, except: Option<u8>) -> Option<PageId> {
        let end = self.items.slabs.pages_end();
        let mut best: Option<(u64, PageId)> = None;
        let mut compared = 0;
        for _ in 1..end {
            self.steal_cursor = if self.steal_cursor + 1 < end {
                self.steal_cursor + 1
            } else {
                1
            };
            let page = self.items.slabs.page(self.steal_cursor);
            let fit = page.class != NO_CLASS
                && page.class != INDEX_CLASS
                && page.guarded == 0
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
        best.map(|(_, page)| page)
    }

    /// Mean age of a page's items, from a sample; empty chunks count as old.
    pub(super) fn page_age(&self, id: PageId) -> u64 {
        let slabs = &self.items.slabs;
        let chunk_bytes = slabs.sizes.chunk_bytes(slabs.page(id).class) as u32;
        let chunks = slabs.page(id).carved / chunk_bytes;
        let step = (chunks / CHUNKS_SAMPLED).max(1) * chunk_bytes;
        let (mut sum, mut count) = (0, 0);
        let mut offset = 0;
        while let Some(chunk) = slabs.chunk_in(id, offset) {
            sum += self.chunk_age(chunk);
            count += 1;
            offset += step;
        }
        sum / u64::max(count, 1)
    }

    fn chunk_age(&self, chunk: ChunkRef) -> u64 {
        let head = self.items.head(chunk);
        match head.state() {
            State::Linked | State::LinkedChain => u64::from(self.clock.age(head.last_access())),
            State::Tail => u64::from(
                self.clock
                    .age(self.items.head(self.items.tail_first(chunk)).last_access()),
            ),
            _ => u64::from(self.clock.stamp()),
        }
    }

    /// Evicts whatever is in a fit page.
    fn empty_page(&mut self, id: PageId) {
        self.items.slabs.start_draining(id);
        self.items.slabs.retire_if_empty(id);
        let mut drain = Drain {
            page: id,
            offset: 0,
            heir: None,
        };
        while self.drain_step(&mut drain, usize::MAX) {}
        if self.items.slabs.page(id).class != NO_CLASS {
            self.items.slabs.stop_draining(id);
        }
    }

    /// Empties up to `chunks` chunks of a draining page; false once it is empty or cannot be emptied.
    fn drain_step(&mut self, drain: &mut Drain, chunks: usize) -> bool {
        for _ in 0..chunks {
            let page = *self.items.slabs.page(drain.page);
            if page.class == NO_CLASS || !page.draining || page.guarded > 0 {
                return false;
            }
            let Some(chunk) = self.items.slabs.chunk_in(drain.page, drain.offset) else {
                return false;
            };
            drain.offset += self.items.slabs.sizes.chunk_bytes(page.class) as u32;
            self.vacate(chunk);
        }
        true
    }

    /// Removes the item that a chunk belongs to.
    fn vacate(&mut self, chunk: ChunkRef) {
        let first = match self.items.head(chunk).state() {
            State::Free => return,
            State::Tail => self.items.tail_first(chunk),
            _ => chunk,
        };
        let head = self.items.head(first);
        if head.is_linked() && !self.is_pinned(first) {
            if self.death(&self.items.item(first)).is_some() {
                self.reclaim_item(first, Reclaimer::Hand);
            } else if !self.rescue(first) {
                self.stats.slab_reassign_evictions += 1;
                self.evict_item(first);
            }
        }
        if self.items.head(first).state() == State::Dying {
            self.free_dying(usize::MAX);
        }
    }

    /// Moves an item to a free chunk of its class elsewhere, if there is one. Chains are not moved.
    fn rescue(&mut self, chunk: ChunkRef) -> bool {
        if self.items.head(chunk).is_chain() {
            return false;
        }
        let class = self.items.slabs.class_of(chunk);
        let Some(target) = self.items.slabs.take(class) else {
            return false;
        };
        let place = self.place_of(chunk);
        let (from, to) = (
            self.items.slabs.address(chunk),
            self.items.slabs.address(target),
        );
        let item = self.items.item(chunk);
        let (bytes, deadline) = (item.requested_bytes(), item.deadline());
        self.items.slabs.segment.copy(from, to, bytes);
        self.items.note_deadline(target, deadline);
        let head = self.items.head(target);
        let frequency = self.eviction.moved(head.frequency());
        self.items.set_head(target, head.with_frequency(frequency));
        self.index.replace(&mut self.items.slabs, place, target);
        self.items.slabs.give(chunk);
        self.stats.slab_reassign_rescues += 1;
        true
    }

    /// Clears up to `chunks` chunks of the page on its way out, if there is one.
    #[inline]
    pub(super) fn work_on_drain(&mut self, chunks: usize) {
        if let Some(mut drain) = self.drain.take() {
            if self.drain_step(&mut drain, chunks) {
                self.drain = Some(drain);
            } else {
                self.end_drain(drain);
            }
        }
    }

    /// Gives up the emptying of a page that is under way.
    pub(super) fn stop_drain(&mut self) {
        if let Some(drain) = self.drain.take()
            && self.items.slabs.page(drain.page).class != NO_CLASS
        {
            self.items.slabs.stop_draining(drain.page);
        }
    }

    fn end_drain(&mut self, drain: Drain) {
        if self.items.slabs.page(drain.page).class != NO_CLASS {
            self.stats.slab_reassign_busy_items += 1;
            self.items.slabs.stop_draining(drain.page);
            return;
        }
        self.stats.slabs_moved += 1;
        if let Some(class) = drain.heir {
            self.items.slabs.add_page(class, 0);
        }
    }

    pub(super) fn start_drain(&mut self, page: PageId, heir: Option<u8>) {
        self.note_page_move(self.items.slabs.page(page).class, heir);
        self.items.slabs.start_draining(page);
        self.items.slabs.retire_if_empty(page);
        self.drain = Some(Drain {
            page,
            offset: 0,
            heir,
        });
    }

    /// Begins to empty a page if the pool is below its reserve and the budget has none.
    pub(super) fn refill_pool(&mut self) {
        if self.drain.is_some()
            || !self.evictions_enabled
            || self.items.slabs.pool_len() >= self.pool_reserve()
        {
            return;
        }
        if let Some(page) = self.choose_page(None) {
            self.start_drain(page, None);
        }
    }

    /// Housekeeping in bounded steps; to be called every few milliseconds while there is traffic, and now and then
    /// without.
    pub fn maintain(&mut self, now: Seconds) {
        self.clock.advance(now);
        self.free_dying(MAINTAIN_CHUNKS);
        self.trim_probation();
        if self.drain.is_some() {
            self.work_on_drain(DRAIN_STEP);
        } else {
            self.balance_classes();
        }
    }

    /// Starts to move a page from where items grow old to the class that evicts the youngest.
    fn balance_classes(&mut self) {
        let Some((class, evicted_age)) = self.most_pressed_class() else {
            return;
        };
        if let Some(page) = self.choose_page(Some(class))
            && self.page_age(page) > AGE_RATIO * (evicted_age + 1)
        {
            self.start_drain(page, Some(class));
        }
    }

    /// The class that has evicted since it was last asked about and evicts the youngest items.
    fn most_pressed_class(&mut self) -> Option<(u8, u64)> {
        let mut pressed: Option<(u8, u64)> = None;
        for (class, hand) in self.classes.iter().zip(&mut self.evicted_before).skip(1) {
            let evicts = class.evicted > *hand;
            *hand = class.evicted;
            if evicts && pressed.is_none_or(|(_, age)| class.evicted_time < age) {
                pressed = Some((class.class_id, class.evicted_time));
            }
        }
        pressed
    }

    /// Gives one page back to the budget, emptying it if need be, for another shard to draw; false if none is fit.
    pub fn release_page(&mut self) -> bool {
        if self.items.slabs.pool_len() == 0 {
            self.free_dying(usize::MAX);
        }
        if self.items.slabs.pool_len() == 0 && (!self.evictions_enabled || !self.steal_page()) {
            return false;
        }
        self.items.slabs.release_pool_page()
    }

    /// Gives up to `steps` pages back while the shards hold more than the limit; true if more have to go.
    pub fn trim(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            if self.items.slabs.excess_bytes() == 0 || !self.release_page() {
                return false;
            }
        }
        self.items.slabs.excess_bytes() > 0
    }
}
