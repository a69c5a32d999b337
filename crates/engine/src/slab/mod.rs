//! Chunks: fixed-size pieces of pages, by slab class.
//!
//! This layer knows sizes, pages and the budget. It knows nothing of items, except for the two words that it keeps in a
//! free chunk: a zero word (which the item layer reads as "free") and the reference of the next free chunk of the page.
//! This layer never evicts: when a class has nothing to give, [`Slabs::take`] says so and the engine decides.

mod account;
mod chunk;
mod integrity;
mod mortality;
mod page;
mod pool;
mod prefault;
mod release;
mod saved;
mod sizes;

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::chunk::ChunkRef;
pub(crate) use self::page::{NO_CLASS, Page, PageId};
pub(crate) use self::release::STEP_BYTES as RELEASE_STEP_BYTES;
pub(crate) use self::saved::SavedSlabs;
pub(crate) use self::sizes::Sizes;

use self::account::Account;
use self::page::{List, Which};
use self::release::Leaving;
use crate::budget::Budget;
use crate::config::EngineConfig;
use crate::mapping::Pages;
use crate::prefault::Share;
use crate::segment::{Segment, View};

/// The class of the index's chunks.
pub(crate) const INDEX_CLASS: u8 = 0;

/// Pages without a class that a shard keeps for itself. Other shards can have the rest.
const POOL_PAGES_MAX: u32 = 8;

/// Pages that a shard keeps however low the limit is: one for the index, one on its way from class to class, and two
/// with items. Without these pages every stored item would be evicted at once.
const KEPT_PAGES: u64 = 1 + 1 + 2;

/// Log2 of the ticks of a page.
const TICKS_SHIFT: u32 = 4;
/// Ticks of the clock of bytes given for each page that is given.
pub(crate) const TICKS_OF_A_PAGE: u64 = 1 << TICKS_SHIFT;

/// Pages of one slab class.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Class {
    all: List,
    available: List,
    /// Chunks in use.
    pub(crate) used_chunks: u64,
    /// Number of chunks given since the start of this process.
    #[serde(skip)]
    pub(crate) given_chunks: u64,
}

/// All memory of a shard: pages, cut into chunks by slab class.
#[derive(Debug)]
pub(crate) struct Slabs {
    pub(crate) segment: Segment,
    pub(crate) sizes: Sizes,
    pages: Vec<Page>,
    /// The class of each page, for readers on other threads.
    shown_classes: Segment,
    classes: Vec<Class>,
    pool: List,
    leaving: Option<Leaving>,
    vacant: List,
    account: Account,
    /// Pages that are populated already but were never drawn.
    prefaulted: Option<Share>,
    /// The most pages without a class that the shard keeps. More go back to the budget, one in a step of the
    /// housekeeping.
    pool_pages_max: u32,
    page_shift: u32,
    granule_shift: u32,
    pages_max: usize,
    /// Bytes of all chunks given since the start, which serve as a clock.
    given_bytes: u64,
    freed_chunks: u64,
    /// The time of the last housekeeping. Pages begin to count the lives of items from it.
    pub(crate) now: u32,
    /// The fewest pages that the pool has had since `now` began.
    pool_low: u32,
    /// Pages of the pool that nobody has needed for a second.
    idle_pages: u32,
}

/// Log2 of the granule: 8 bytes as long as 32 bits then reach over the segment.
fn granule_shift(segment_bytes: usize) -> u32 {
    let mut shift = 3;
    while segment_bytes
        .checked_shr(32 + shift)
        .is_some_and(|rest| rest > 0)
    {
        shift += 1;
    }
    shift
}

impl Slabs {
    /// An empty shard's memory. `header_bytes` is the usual item header, `index_chunk` the size of class 0's chunks.
    pub(crate) fn new(
        config: &EngineConfig,
        budget: Arc<Budget>,
        header_bytes: usize,
        index_chunk: usize,
    ) -> io::Result<Self> {
        let page_bytes = config.page_bytes;
        if !page_bytes.is_power_of_two() || !(4096..=1 << 20).contains(&page_bytes) {
            return Err(io::Error::other(format!(
                "page_bytes must be a power of two, 4 KiB to 1 MiB, not {page_bytes}"
            )));
        }
        let page_kind = match config.huge_pages {
            true => Pages::Huge,
            false => Pages::Ordinary,
        };
        let segment_bytes = config.segment_bytes.max(2 * page_bytes) / page_bytes * page_bytes;
        let granule_shift = granule_shift(segment_bytes - 1);
        let sizes = Sizes::new(config, header_bytes, 1 << granule_shift, index_chunk);
        let pages_max = segment_bytes / page_bytes;
        // The table of pages is address space until it is filled: growing it never copies.
        let mut pages = Vec::new();
        pages
            .try_reserve_exact(pages_max)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        pages.push(Page::VACANT);
        Ok(Self {
            segment: Segment::new(segment_bytes, page_kind, config.memory_file.clone())?,
            shown_classes: Segment::anonymous(pages_max.next_multiple_of(4096))?,
            classes: vec![Class::default(); sizes.len()],
            sizes,
            pages,
            pool: List::default(),
            leaving: None,
            vacant: List::default(),
            account: Account::new(budget, config.reserve_bytes as u64),
            prefaulted: None,
            pool_pages_max: if config.keeps_pages {
                u32::MAX
            } else {
                POOL_PAGES_MAX
            },
            page_shift: page_bytes.trailing_zeros(),
            granule_shift,
            pages_max,
            given_bytes: 0,
            freed_chunks: 0,
            now: 0,
            pool_low: 0,
            idle_pages: 0,
        })
    }

    /// Bytes of address space.
    pub(crate) fn segment_bytes(&self) -> usize {
        self.pages_max << self.page_shift
    }

    /// Bytes of a page.
    #[inline]
    pub(crate) fn page_bytes(&self) -> usize {
        1 << self.page_shift
    }

    /// Offset of a chunk in the segment.
    #[inline]
    pub(crate) fn address(&self, chunk: ChunkRef) -> usize {
        (chunk.0 as usize) << self.granule_shift
    }

    /// The chunk at an offset in the segment.
    #[inline]
    pub(crate) fn chunk_at(&self, address: usize) -> ChunkRef {
        ChunkRef((address >> self.granule_shift) as u32)
    }

    /// The page of a chunk.
    #[inline]
    pub(crate) fn page_of(&self, chunk: ChunkRef) -> PageId {
        (self.address(chunk) >> self.page_shift) as PageId
    }

    /// Offset of a page in the segment.
    pub(crate) fn page_address(&self, page: PageId) -> usize {
        (page as usize) << self.page_shift
    }

    /// The state of a page.
    #[inline]
    pub(crate) fn page(&self, page: PageId) -> &Page {
        &self.pages[page as usize]
    }

    /// The state of a page, to be changed.
    #[inline]
    pub(crate) fn page_mut(&mut self, page: PageId) -> &mut Page {
        &mut self.pages[page as usize]
    }

    /// Number of page numbers used so far, page 0 included.
    pub(crate) fn pages_end(&self) -> PageId {
        self.pages.len() as PageId
    }

    /// The class of a chunk.
    #[inline]
    pub(crate) fn class_of(&self, chunk: ChunkRef) -> u8 {
        self.page(self.page_of(chunk)).class
    }

    /// The classes of all pages, a byte for each, as other threads see them.
    pub(crate) fn class_view(&self) -> View {
        self.shown_classes.view()
    }

    /// Log2 of the granule.
    pub(crate) fn granule_shift(&self) -> u32 {
        self.granule_shift
    }

    /// Offset behind a chunk in the segment.
    pub(crate) fn end_of(&self, chunk: ChunkRef) -> usize {
        self.address(chunk) + self.sizes.chunk_bytes(self.class_of(chunk))
    }

    /// Chunks of `class` in a page.
    pub(crate) fn chunks_per_page(&self, class: u8) -> usize {
        self.page_bytes() / self.sizes.chunk_bytes(class)
    }

    /// First of the pages of `class`, 0 if it has none; the others follow by `Page::all.next`.
    pub(crate) fn first_page(&self, class: u8) -> PageId {
        self.classes[usize::from(class)].all.first
    }

    /// Number of pages of `class`.
    pub(crate) fn page_count(&self, class: u8) -> u32 {
        self.classes[usize::from(class)].all.len
    }

    /// Chunks in use in `class`.
    pub(crate) fn used_chunks(&self, class: u8) -> u64 {
        self.classes[usize::from(class)].used_chunks
    }

    /// Chunks in use in all classes.
    pub(crate) fn chunks_in_use(&self) -> u64 {
        self.classes.iter().map(|class| class.used_chunks).sum()
    }

    /// Number of chunks of `class` given since the start.
    pub(crate) fn given_chunks(&self, class: u8) -> u64 {
        self.classes[usize::from(class)].given_chunks
    }

    /// Chunks of `class` that lie free in its pages, or were never cut.
    pub(crate) fn free_chunks(&self, class: u8) -> u64 {
        let chunks = u64::from(self.page_count(class)) * self.chunks_per_page(class) as u64;
        chunks - self.used_chunks(class)
    }

    /// The page after this one in its class. After the last page comes the first.
    pub(crate) fn page_after(&self, page: PageId) -> PageId {
        let page = self.page(page);
        if page.all.next == 0 {
            self.first_page(page.class)
        } else {
            page.all.next
        }
    }

    /// Pages charged to the budget.
    pub(crate) fn pages_held(&self) -> u64 {
        self.pages.len() as u64 - 1 - u64::from(self.vacant.len)
    }

    /// Bytes charged to the budget.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.account.held_bytes()
    }

    /// Bytes that the shards together hold beyond the limit, if this shard has any to give. It has none if it holds no
    /// more than its fair part of the limit, or no more than the few pages that it needs to be a cache at all.
    pub(crate) fn excess_bytes(&mut self) -> u64 {
        self.account.heed_limit();
        let least = (KEPT_PAGES << self.page_shift).max(self.account.budget().fair_bytes());
        match self.held_bytes() > least {
            true => self.account.excess_bytes(),
            false => 0,
        }
    }

    /// Charges memory that is not in the segment.
    pub(crate) fn charge(&mut self, bytes: u64) -> bool {
        let charged = self.account.charge(bytes);
        while charged && self.account.budget().make_room() {}
        charged
    }

    /// Gives back what [`Self::charge`] took.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.account.release(bytes);
    }

    /// A clock that goes on by 1 for every sixteenth of a page that is given.
    #[inline]
    pub(crate) fn ticks(&self) -> u32 {
        (self.given_bytes >> (self.page_shift - TICKS_SHIFT)) as u32
    }

    /// Whether [`Self::take`] would give a chunk.
    pub(crate) fn has_chunk(&self, class: u8) -> bool {
        self.classes[usize::from(class)].available.first != 0
    }

    /// Number of chunks freed since the start. When it has changed, memory that was found to be full may have room
    /// again.
    pub(crate) fn freed_chunks(&self) -> u64 {
        self.freed_chunks
    }

    /// Takes a chunk of `class` from the pages the class has.
    #[inline]
    pub(crate) fn take(&mut self, class: u8) -> Option<ChunkRef> {
        let id = self.classes[usize::from(class)].available.first;
        if id == 0 {
            return None;
        }
        let chunk_bytes = self.sizes.chunk_bytes(class);
        self.given_bytes += chunk_bytes as u64;
        let page = &mut self.pages[id as usize];
        let chunk = if page.free.is_null() {
            let at = ((id as usize) << self.page_shift) + page.carved as usize;
            page.carved += chunk_bytes as u32;
            ChunkRef((at >> self.granule_shift) as u32)
        } else {
            let chunk = page.free;
            let word = self
                .segment
                .bytes(((chunk.0 as usize) << self.granule_shift) + 4, 4);
            page.free = ChunkRef(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            chunk
        };
        page.in_use += 1;
        let exhausted =
            page.free.is_null() && page.carved as usize + chunk_bytes > 1 << self.page_shift;
        self.classes[usize::from(class)].used_chunks += 1;
        self.classes[usize::from(class)].given_chunks += 1;
        if exhausted {
            self.withdraw(id);
        }
        Some(chunk)
    }

    /// Frees a chunk. A page whose last chunk this was leaves its class.
    #[inline]
    pub(crate) fn give(&mut self, chunk: ChunkRef) {
        let id = self.page_of(chunk);
        let page = &mut self.pages[id as usize];
        assert!(
            page.in_use > 0 && page.class != NO_CLASS,
            "freed a chunk of a page that has none in use"
        );
        let word = u64::from(page.free.0) << 32;
        page.free = chunk;
        page.in_use -= 1;
        let (empty, offer, class) = (
            page.in_use == 0,
            !page.available && !page.draining,
            page.class,
        );
        let address = self.address(chunk);
        self.segment.store(address, word);
        self.classes[usize::from(class)].used_chunks -= 1;
        self.freed_chunks += 1;
        if empty {
            self.retire(id);
        } else if offer {
            self.offer(id);
        }
    }

    fn offer(&mut self, id: PageId) {
        let page = &mut self.pages[id as usize];
        page.available = true;
        let class = usize::from(page.class);
        self.classes[class]
            .available
            .push(&mut self.pages, id, Which::Available);
    }

    fn withdraw(&mut self, id: PageId) {
        let page = &mut self.pages[id as usize];
        page.available = false;
        let class = usize::from(page.class);
        self.classes[class]
            .available
            .remove(&mut self.pages, id, Which::Available);
    }

    /// Stops giving chunks of a page, so that it empties.
    pub(crate) fn start_draining(&mut self, id: PageId) {
        if self.pages[id as usize].available {
            self.withdraw(id);
        }
        self.pages[id as usize].draining = true;
    }

    /// Moves a chunk out of a page that is being emptied to another page of its class, if there is room; returns where
    /// it is then. The caller updates every reference to the chunk.
    pub(crate) fn relocate(&mut self, chunk: ChunkRef) -> Option<ChunkRef> {
        let page = self.page(self.page_of(chunk));
        if !page.draining {
            return None;
        }
        let class = page.class;
        let target = self.take(class)?;
        let (from, to) = (self.address(chunk), self.address(target));
        self.segment.copy(from, to, self.sizes.chunk_bytes(class));
        self.give(chunk);
        Some(target)
    }

    /// Lets a page give chunks again.
    pub(crate) fn stop_draining(&mut self, id: PageId) {
        let chunk_bytes = self.sizes.chunk_bytes(self.pages[id as usize].class);
        let page = &mut self.pages[id as usize];
        page.draining = false;
        if !page.available
            && (!page.free.is_null() || page.carved as usize + chunk_bytes <= 1 << self.page_shift)
        {
            self.offer(id);
        }
    }

    /// The chunk that begins at `offset` of a page, if it has been given before.
    #[inline]
    pub(crate) fn chunk_in(&self, id: PageId, offset: u32) -> Option<ChunkRef> {
        (offset < self.page(id).carved)
            .then(|| self.chunk_at(self.page_address(id) + offset as usize))
    }
}
