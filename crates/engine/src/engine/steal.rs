//! Which page to take: for the pool, for a class that evicts what is young, for other shards.
//!
//! A page is fit to be taken unless it belongs to the index or is being emptied; those that hold values being sent or
//! received are passed over while there are others.

use super::Engine;
use super::policy::ON_PROBATION;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};

/// Pages compared before one is taken.
pub(super) const PAGES_COMPARED: usize = 8;
/// Pages stepped over in the search for those, and where one would be good, but not necessary.
const PAGES_PASSED_MAX: u32 = 4096;
const PAGES_PASSED: u32 = 512;
/// Entries of the table of pages for one unit of work, and units for a sample of a page's items.
const PAGES_PER_UNIT: u64 = 16;
const SAMPLE_WORK: u64 = 4;
/// Items of a page whose age is looked at in the comparison.
const CHUNKS_SAMPLED: u32 = 8;
/// A page moves to an evicting class when its items are so many times older than what that class evicts.
const AGE_RATIO: u64 = 2;

/// How hard a class has to evict.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pressure {
    /// Evictions of the class when the balance was last looked at.
    evicted_before: u64,
    /// Bytes evicted since an older page was last looked for, and how many there are to be before the next time.
    evicted_bytes: u64,
    interval: u64,
    /// The page of the last victim.
    page: PageId,
    /// How long that page had given no chunk when the hand came to it, in the ticks of [`crate::slab::Slabs::ticks`].
    idle_ticks: u32,
}

/// What a sample of a page's items says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageAge {
    /// Mean seconds since the last access; empty chunks count as old.
    seconds: u64,
    /// Ticks since the page gave a chunk.
    idle_ticks: u32,
    /// Whether most of it is not used again and again.
    is_quiet: bool,
}

impl Engine {
    /// Begins to empty a page for the pool; false if none is fit.
    pub(super) fn steal_page(&mut self) -> bool {
        let page = self
            .choose_page(None, false)
            .or_else(|| self.choose_page(None, true));
        let Some((page, _)) = page else {
            self.stats.slab_reassign_busy_items += 1;
            return false;
        };
        self.start_drain(page, None);
        true
    }

    /// Begins to empty a page for a class that has nothing.
    pub(super) fn move_any_page_to(&mut self, class: u8) {
        if let Some((page, _)) = self.choose_page(Some(class), false) {
            self.start_drain(page, Some(class));
        }
    }

    /// The fit page with the oldest items among the next few, not of class `except`.
    fn choose_page(&mut self, except: Option<u8>, guarded: bool) -> Option<(PageId, PageAge)> {
        let end = self.items.slabs.pages_end();
        let mut best: Option<(PageAge, PageId)> = None;
        let (mut compared, mut passed) = (0, 0);
        let passed_max = if except.is_some() {
            PAGES_PASSED
        } else {
            PAGES_PASSED_MAX
        };
        for _ in 1..end.min(passed_max) {
            passed += 1;
            self.steal_cursor = if self.steal_cursor + 1 < end {
                self.steal_cursor + 1
            } else {
                1
            };
            let page = self.items.slabs.page(self.steal_cursor);
            let fit = page.class != NO_CLASS
                && page.class != INDEX_CLASS
                && (page.guarded == 0 || guarded)
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
        self.stats.work += passed / PAGES_PER_UNIT + compared as u64 * SAMPLE_WORK;
        best.map(|(age, page)| (page, age))
    }

    /// Looks at a few items of a page.
    pub(super) fn page_age(&self, id: PageId) -> PageAge {
        let slabs = &self.items.slabs;
        let page = slabs.page(id);
        let chunk_bytes = slabs.sizes.chunk_bytes(page.class) as u32;
        let chunks = page.carved / chunk_bytes;
        let step = (chunks / CHUNKS_SAMPLED).max(1) * chunk_bytes;
        for sample in 0..=CHUNKS_SAMPLED {
            slabs
                .segment
                .prefetch(slabs.page_address(id) + (sample * step) as usize);
        }
        let (mut seconds, mut used, mut count) = (0, 0, 0);
        let mut offset = 0;
        while let Some(chunk) = slabs.chunk_in(id, offset) {
            let (age, is_used) = self.chunk_age(chunk);
            seconds += age;
            used += u32::from(is_used);
            count += 1;
            offset += step;
        }
        PageAge {
            seconds: seconds / u64::max(count.into(), 1),
            idle_ticks: slabs.ticks().wrapping_sub(page.given_at),
            is_quiet: used * 4 <= count,
        }
    }

    /// Seconds since the item of a chunk was used, and whether it was used again and again.
    fn chunk_age(&self, chunk: ChunkRef) -> (u64, bool) {
        let first = match self.items.head(chunk).state() {
            State::Linked | State::LinkedChain => chunk,
            State::Tail => self.items.tail_first(chunk),
            _ => return (u64::from(self.clock.stamp()), false),
        };
        let item = self.items.item(first);
        if matches!(item.head.state(), State::Loose | State::LooseChain) {
            // Of a value that is being received or sent: it would stay where it is.
            return (0, true);
        }
        if self.death(&item).is_some() {
            return (u64::from(self.clock.stamp()), false);
        }
        let age = self.clock.age(item.head.last_access());
        let is_used = !matches!(item.head.frequency(), 0 | ON_PROBATION);
        (u64::from(age), is_used)
    }

    /// Begins to empty a page if the pool is below its reserve and the budget has none.
    pub(super) fn refill_pool(&mut self) {
        if self.drain.is_none()
            && self.evictions_enabled
            && self.items.slabs.pool_len() < self.pool_reserve()
            && let Some((page, _)) = self.choose_page(None, false)
        {
            self.start_drain(page, None);
        }
    }

    /// Notes from where an item is evicted.
    pub(super) fn note_pressure(&mut self, class: u8, victim: ChunkRef) {
        let id = self.items.slabs.page_of(victim);
        let pressure = &mut self.pressures[usize::from(class)];
        if pressure.page != id {
            let given_at = self.items.slabs.page(id).given_at;
            pressure.page = id;
            pressure.idle_ticks = self.items.slabs.ticks().wrapping_sub(given_at);
        }
    }

    /// A class is about to evict: begins to move a page to it from where items grow old, now and then.
    pub(super) fn relieve(&mut self, class: u8) {
        let page_bytes = self.items.slabs.page_bytes() as u64;
        let chunk_bytes = self.items.slabs.sizes.chunk_bytes(class) as u64;
        let pressure = &mut self.pressures[usize::from(class)];
        pressure.evicted_bytes += chunk_bytes;
        if self.drain.is_some() || pressure.evicted_bytes < pressure.interval {
            return;
        }
        pressure.evicted_bytes = 0;
        // The longer all is in balance, the less often it is looked at.
        pressure.interval = (2 * pressure.interval).clamp(page_bytes / 8, 4 * page_bytes);
        if self.move_page_to(class) {
            self.pressures[usize::from(class)].interval = 0;
        }
    }

    /// Begins to move a page to a class that evicts, from where items grow older.
    fn move_page_to(&mut self, class: u8) -> bool {
        if !self.evictions_enabled {
            return false;
        }
        let Some((page, age)) = self.choose_page(Some(class), false) else {
            return false;
        };
        let evicted_age = self.classes[usize::from(class)].evicted_time;
        let idle_ticks = self.pressures[usize::from(class)].idle_ticks;
        let is_older = age.seconds > AGE_RATIO * (evicted_age + 1);
        // Within the same few seconds only the order of allocations tells.
        let is_idler = age.seconds >= evicted_age
            && age.is_quiet
            && u64::from(age.idle_ticks) > AGE_RATIO * (u64::from(idle_ticks) + 1);
        if is_older || is_idler {
            self.start_drain(page, Some(class));
        }
        is_older || is_idler
    }

    /// Moves a page to the class that evicts the youngest items, if others grow older.
    pub(super) fn balance_classes(&mut self) {
        if let Some(class) = self.most_pressed_class() {
            self.move_page_to(class);
        }
    }

    /// The class that has evicted since it was last asked about and evicts the youngest items.
    fn most_pressed_class(&mut self) -> Option<u8> {
        let mut pressed: Option<(u64, u8)> = None;
        for (class, pressure) in self.classes.iter().zip(&mut self.pressures).skip(1) {
            let evicts = class.evicted > pressure.evicted_before;
            pressure.evicted_before = class.evicted;
            if evicts && pressed.is_none_or(|(age, _)| class.evicted_time < age) {
                pressed = Some((class.evicted_time, class.class_id));
            }
        }
        pressed.map(|(_, class)| class)
    }

    /// Forgets what the counters were.
    pub(super) fn reset_pressure(&mut self) {
        for pressure in &mut self.pressures {
            pressure.evicted_before = 0;
        }
    }
}
