//! Where a chunk comes from: a free one, a page, or an eviction; and how items are freed.

use crate::effort::CALL_WORK;
use crate::engine::Engine;
use crate::evict::hand::LOOKS_PER_UNIT;
use crate::index::{SPLIT_EXTENTS, Which};
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS};
use crate::stage::staged::PATIENCE;
use crate::types::KeyHash;

/// Chunks of dying chains that one step frees.
const DYING_STEP: usize = 32;
/// Evictions in a class that may fail to free one of its chunks (the freed ones were of other classes) before a whole
/// page is taken.
pub(crate) const EVICTIONS_MAX: usize = 16;
/// Units of work on freeing a chunk of a dying chain: where the next one is stands in it.
const DYING_WORK: u64 = 2;
/// Chunks of dying chains that one allocation frees at least.
const DYING_MIN: usize = 8;
/// Chunks of a page on its way out that are cleared at once by an allocation that cannot do without the page.
pub(crate) const DRAIN_STEP: usize = 256;
/// Units of work that an allocation which can come again spends on such a page at least.
const DRAIN_WORK_MIN: u64 = 30;
/// Pages that an allocation tries to empty.
pub(crate) const DRAINS_MAX: u32 = 16;
/// Chunks that the eviction hand looks at before a page is taken instead.
pub(crate) const LOOKS_MAX: usize = 256;

/// Which part of an item a chunk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The first, or a part of the index: items of the chunk's class go for it.
    First,
    /// A later one of a chain: other chains go for it, whatever else has chunks of this class.
    Later,
}

/// What became of a chunk that may take several calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocated {
    /// Here it is.
    Chunk(ChunkRef),
    /// Not yet.
    Later,
    /// There is none to be had.
    OutOfMemory,
}

impl Engine {
    /// A chunk of `class`, by eviction if need be and allowed; a somewhat larger one for a size that is rare.
    #[inline]
    pub(crate) fn allocate(&mut self, class: u8) -> Option<ChunkRef> {
        self.allocate_for(class, Part::First)
    }

    /// A later chunk of a chain: of `class`, or a larger one.
    pub(crate) fn allocate_later(&mut self, class: u8) -> Option<ChunkRef> {
        self.allocate_for(class, Part::Later)
    }

    #[inline]
    fn allocate_for(&mut self, class: u8, part: Part) -> Option<ChunkRef> {
        if self.drain.is_some() {
            self.pay_for_drain(self.items.slabs.sizes.chunk_bytes(class));
        }
        self.items
            .slabs
            .take(class)
            .or_else(|| self.allocate_slow(class, part))
    }

    #[cold]
    fn allocate_slow(&mut self, class: u8, part: Part) -> Option<ChunkRef> {
        let chunk = self
            .allocate_briefly(class, part, false)
            .or_else(|| self.allocate_at_last(class, part));
        if chunk.is_none() {
            self.classes[usize::from(class)].outofmemory += 1;
            self.meters.chunks_refused += 1;
        }
        chunk
    }

    /// As [`Self::allocate_later`], of a chunk that may take several calls to get: when a page has to be emptied for it, a
    /// step of that is done. `patience` counts the calls that may come to nothing; when it is used up, a call takes the time it needs.
    pub(crate) fn allocate_in_steps(&mut self, class: u8, patience: &mut u32) -> Allocated {
        if self.drain.is_some() {
            self.pay_for_drain(self.items.slabs.sizes.chunk_bytes(class));
        }
        let mut chunk = self.items.slabs.take(class);
        if chunk.is_none() && *patience > 0 && self.work_left() < CALL_WORK / 2 {
            // Enough for now: the page on its way out has come nearer.
            *patience -= 1;
            return Allocated::Later;
        }
        chunk = chunk.or_else(|| self.allocate_briefly(class, Part::Later, *patience > 0));
        if chunk.is_none() {
            if *patience > 0 && self.can_empty_a_page() {
                let busy = self.meters.busy_pages;
                self.work_on_drain(DRAIN_STEP, self.work_left().max(DRAIN_WORK_MIN));
                // Only pages of half-received values are left, perhaps of this one.
                let is_vain = self.meters.busy_pages > busy;
                let price = if is_vain { PATIENCE / DRAINS_MAX } else { 1 };
                *patience = patience.saturating_sub(price);
                return match self.take_or_add(class, 0) {
                    Some(chunk) => Allocated::Chunk(chunk),
                    None => Allocated::Later,
                };
            }
            chunk = self.allocate_at_last(class, Part::Later);
        }
        match chunk {
            Some(chunk) => Allocated::Chunk(chunk),
            None => Allocated::OutOfMemory,
        }
    }

    /// Takes what is free, or evicts in the class and those next to it: a bounded number of steps, and of those that may come
    /// to nothing, if it `can_wait`, no more than the call has left.
    ///
    /// Memory that has been written before comes first, the newest foremost: chunks of the class, pages of the pool, what
    /// chains were. A page that was never touched costs a fault for each 4 KiB, as much as receiving the bytes.
    fn allocate_briefly(&mut self, class: u8, part: Part, can_wait: bool) -> Option<ChunkRef> {
        let keep = self.pool_reserve();
        if class == INDEX_CLASS
            && self.stop_condensing()
            && let Some(chunk) = self.items.slabs.take(class)
        {
            return Some(chunk);
        }
        while !self.items.slabs.reuse_page(class, keep) {
            if self.dying.is_null() || self.work_left() == 0 {
                break;
            }
            // As much as a window of a large value takes: more would leave the call no work for the rest of it.
            self.free_dying_step(DYING_MIN);
            if let Some(chunk) = self.items.slabs.take(class) {
                return Some(chunk);
            }
        }
        if let Some(chunk) = self.take_or_add(class, keep) {
            return Some(chunk);
        }
        self.stats.page_shortages += 1;
        self.evict_for(class, part, can_wait)
    }

    /// Whether a chunk of `class` is there without anything having to go.
    pub(crate) fn is_free(&mut self, class: u8) -> bool {
        let keep = self.pool_reserve();
        self.items.slabs.has_chunk(class) || self.items.slabs.add_page(class, keep)
    }

    /// Free pages kept for what cannot wait: a class that has nothing to evict, the index. They are refilled in small
    /// steps, so that no call has to empty a page at once.
    pub(crate) fn pool_reserve(&self) -> u32 {
        match self.items.slabs.pages_held() {
            0..64 => 0,
            64..512 => 1,
            512..2048 => 2,
            2048..8192 => 4,
            _ => 8,
        }
    }

    pub(crate) fn take_or_add(&mut self, class: u8, keep: u32) -> Option<ChunkRef> {
        if let Some(chunk) = self.items.slabs.take(class) {
            return Some(chunk);
        }
        if self.items.slabs.add_page(class, keep) {
            self.items.slabs.take(class)
        } else {
            None
        }
    }

    fn evict_for(&mut self, class: u8, part: Part, can_wait: bool) -> Option<ChunkRef> {
        let host = match part {
            Part::First => self.host_of(class),
            Part::Later => class,
        };
        if self.work_left() > 0 {
            self.refill_pool(host);
        }
        if host != INDEX_CLASS {
            self.relieve(host);
            if let Some(chunk) = self.evict_until_free(host, part, can_wait) {
                return Some(chunk);
            }
        }
        if let Some(chunk) = self.take_from_reserve(class) {
            return Some(chunk);
        }
        if class == INDEX_CLASS {
            self.ask_for_page();
            return None;
        }
        self.take_larger(class)
    }

    fn evict_until_free(&mut self, class: u8, part: Part, can_wait: bool) -> Option<ChunkRef> {
        let victims = self.victims_for(class, part);
        let mut chunk = self.items.slabs.take(class);
        for _ in 0..EVICTIONS_MAX {
            if chunk.is_some() {
                break;
            }
            let used_chunks = self.items.slabs.used_chunks(class);
            let looks = if can_wait {
                LOOKS_MAX.min(self.work_left() as usize * LOOKS_PER_UNIT)
            } else {
                LOOKS_MAX
            };
            if !self.evict_one(victims, looks) {
                return None;
            }
            self.note_pressure(class, used_chunks);
            chunk = (self.items.slabs.take(class)).or_else(|| self.take_left(class, part));
        }
        chunk
    }

    /// A larger chunk that an evicted chain has left, which will do for another one.
    pub(crate) fn take_left(&mut self, class: u8, part: Part) -> Option<ChunkRef> {
        match part {
            Part::First => None,
            Part::Later => self.take_larger_tail(class),
        }
    }

    /// The class of the items that are evicted for a chunk.
    pub(crate) fn victims_for(&self, class: u8, part: Part) -> u8 {
        match part {
            Part::First => class,
            Part::Later => self.items.slabs.sizes.top(),
        }
    }

    /// The index can wait for a page: a leaf takes more items than it should, and at last one of its items goes for the new
    /// one. Sees to it that a page is on its way.
    #[cold]
    fn ask_for_page(&mut self) {
        self.can_empty_a_page();
    }

    /// A chunk of one of the pages that are kept. If it is the first page of its class, it becomes one of larger chunks, from
    /// which the classes between can take too: when many new sizes come at once, a few pages have to do for all of them.
    fn take_from_reserve(&mut self, class: u8) -> Option<ChunkRef> {
        let has_pages = class == INDEX_CLASS || self.items.slabs.page_count(class) > 0;
        if has_pages || !self.evictions_enabled || self.pool_reserve() == 0 {
            return self.take_or_add(class, 0);
        }
        if self.drain.is_none() {
            self.move_any_page_to(class);
        }
        let larger = self.larger_classes(class);
        let first = larger.clone().next_back().unwrap_or(class);
        larger
            .clone()
            .find_map(|other| self.items.slabs.take(other))
            .or_else(|| self.take_or_add(first, 0))
    }

    /// Whether a page is on its way out, for whoever needs it first: the one that was, or another from now on.
    pub(crate) fn can_empty_a_page(&mut self) -> bool {
        let can = self.evictions_enabled && (self.drain.is_some() || self.steal_page());
        self.disinherit();
        can
    }

    /// Frees the memory of an item: a chain's step by step, a little now and the rest as memory is asked for or by
    /// [`Self::maintain`].
    pub(crate) fn free_item(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        if !head.is_chain() {
            self.items.slabs.give(chunk);
            return;
        }
        self.items.set_head(chunk, head.with_state(State::Dying));
        self.items.set_chain_total(chunk, self.dying.0);
        self.dying = chunk;
        self.free_dying_step(DYING_STEP);
    }

    /// Frees up to `chunks` chunks of dying chains, fewer if the call has done much already.
    pub(crate) fn free_dying_step(&mut self, chunks: usize) {
        let affordable = (self.work_left() / DYING_WORK) as usize;
        self.free_dying(chunks.min(affordable.max(DYING_MIN)));
    }

    /// Frees up to `chunks` chunks of dying chains.
    pub(crate) fn free_dying(&mut self, chunks: usize) {
        for _ in 0..chunks {
            if self.dying.is_null() {
                return;
            }
            self.meters.work += DYING_WORK;
            let first = self.dying;
            let tail = self.items.chain_next(first);
            if tail.is_null() {
                self.dying = ChunkRef(self.items.chain_total(first));
                self.items.slabs.give(first);
                continue;
            }
            let next = self.items.tail_next(tail);
            if !next.is_null() && self.items.tail_first(next) == tail {
                // What others name goes after them.
                let behind = self.items.tail_next(next);
                self.items.set_tail_next(tail, behind);
                self.items.slabs.give(next);
            } else {
                self.items.set_chain_next(first, next);
                self.items.slabs.give(tail);
            }
        }
    }

    /// Makes room in the index for one item with this key; false if there is no memory for it.
    ///
    /// Once it is there, removals of other items leave it there.
    #[inline]
    pub(crate) fn prepare_index(&mut self, key: &[u8], hash: KeyHash) -> bool {
        self.prepare_leaf(Which::Usual, hash);
        self.index.takes(&self.items.slabs, hash) || self.prepare_full_leaf(key, hash)
    }

    /// Lets a table grow where it should before one more item with this hash, if there is memory for it.
    #[inline]
    fn prepare_leaf(&mut self, which: Which, hash: KeyHash) {
        let table = self.index.table(which);
        // Not both in one call, if it can wait: either takes some 10 us.
        if table.wants_split() {
            self.split_leaf(which);
            if self.index.table(which).is_full_at(hash) {
                self.grow_leaf(which, hash);
            }
        } else if table.wants_extent(hash) {
            self.grow_leaf(which, hash);
        } else if table.nears_split() {
            self.index.table_mut(which).divide(&self.items);
        }
    }

    /// The leaf has no slot, or too many items of one tag.
    #[cold]
    fn prepare_full_leaf(&mut self, key: &[u8], hash: KeyHash) -> bool {
        if self.index.wants_to_displace(&self.items.slabs, hash) && self.prepare_second(key) {
            return true;
        }
        !self.index.table(Which::Usual).is_full_at(hash)
            || self.evict_neighbour(hash)
            || self.wait_for_extent(hash)
    }

    /// Makes room in the second table.
    fn prepare_second(&mut self, key: &[u8]) -> bool {
        if !self.index.make_second(&mut self.items.slabs) {
            return false;
        }
        let hash = self.index.second_hash(key);
        self.prepare_leaf(Which::Second, hash);
        !self.index.table(Which::Second).is_full_at(hash)
    }

    /// The leaf has no slot and no item that could go: it gets an extent whatever that takes.
    #[cold]
    fn wait_for_extent(&mut self, hash: KeyHash) -> bool {
        if self.index.table(Which::Usual).wants_extent(hash)
            && let Some(extent) = self.wait_for_page(INDEX_CLASS)
        {
            self.grow_leaf_by(Which::Usual, extent, hash);
        }
        !self.index.table(Which::Usual).is_full_at(hash)
    }

    #[cold]
    fn split_leaf(&mut self, which: Which) {
        let missing = self.index.table_mut(which).missing_extents(&self.items);
        let mut spare = [ChunkRef::NULL; SPLIT_EXTENTS];
        for extent in spare.iter_mut().take(missing) {
            *extent = self.allocate(INDEX_CLASS).unwrap_or(ChunkRef::NULL);
        }
        let spare = spare.into_iter().filter(|extent| !extent.is_null());
        self.index.table_mut(which).split(&mut self.items, spare);
    }

    #[cold]
    fn grow_leaf(&mut self, which: Which, hash: KeyHash) {
        if let Some(extent) = self.allocate(INDEX_CLASS) {
            self.grow_leaf_by(which, extent, hash);
        }
    }

    fn grow_leaf_by(&mut self, which: Which, extent: ChunkRef, hash: KeyHash) {
        let table = self.index.table_mut(which);
        // An eviction may have made the growth unnecessary.
        if table.wants_extent(hash) {
            table.grow(&mut self.items.slabs, hash, extent);
        } else {
            self.items.slabs.give(extent);
        }
    }

    /// Evicts an item whose slot the one with this hash can have.
    #[cold]
    fn evict_neighbour(&mut self, hash: KeyHash) -> bool {
        if !self.evictions_enabled {
            return false;
        }
        let Some(chunk) = self.index.neighbour(&self.items.slabs, hash) else {
            return false;
        };
        if self.is_pinned(chunk) {
            return false;
        }
        self.evict_item(chunk);
        true
    }
}
