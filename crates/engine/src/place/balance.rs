//! How memory is shared between the classes: a page moves from a class whose items stay long to a class whose items are
//! evicted early.
//!
//! ```text
//!             age = time an item stays      weight = 1 / root of hits for a page
//!
//!   donor: the highest age * weight  -- page under the hand -->  heir: evicts, and has a lower one
//! ```
//!
//! Each age is taken as it would be after the move. So a class without a page is judged like any other: as if it had
//! one page for all that is asked of it. Until it gets one, a larger class gives the chunks (larger.rs).
//!
//! With equal ages the classes would be one queue over all sizes. Weighted by hits, a byte is worth the hits that it
//! brings: a small item costs less memory for the same hits, so it stays longer; and items that nobody asks for any
//! more are evicted at once. The evictions of a class themselves ask for a page, so memory moves at the pace of the
//! traffic and not of a timer. How soon the next page may follow depends on how unequal the ages are: after a shift of
//! sizes a page moves as soon as the page before has arrived, and near the balance noise moves next to nothing.
//! docs/design/003-memory.md has the measurements.

use super::Memory;
use super::activity::{Activity, CLASSES_PER_UNIT};
use crate::slab::{INDEX_CLASS, PageId};

/// A page moves if, after the move, the age of the donor is still so many times the age of the heir.
const AGE_RATIO: f64 = 1.1;
/// After a page has moved, the next one moves when so many pages have been evicted; earlier if the ages differ by more
/// than the heir's age.
const PAUSE_PAGES: f64 = 8.0;
/// While nothing moves, a class looks for a page each time that it has evicted so many pages.
const INTERVAL_PAGES_MAX: u64 = 4;
/// At first it looks for a page each time that it has evicted one part in so many of a page.
const INTERVAL_PARTS: u64 = 8;
/// A class with free chunks for so many pages gives a page, if a fourth of its chunks are free.
const SPARE_PAGES: u64 = 2;
/// Pages of the donor that are looked at for one that can be emptied.
const PAGES_TRIED: usize = 8;

/// The state of one class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) activity: Activity,
    /// Bytes evicted since a page was last looked for, and the number of them after which one is looked for again.
    evicted_bytes: u64,
    interval: u64,
}

/// The activity of each class, and when a page was last looked for on its behalf.
#[derive(Debug)]
pub(crate) struct Balance {
    /// The state of each class.
    pub(super) classes: Vec<Share>,
    /// By class: items found by a get since the start. Each hit is counted here and nowhere else.
    hits: Vec<u64>,
    /// When the window of the counters began, in ticks.
    pub(super) window_began: u32,
    /// Whether pages may leave a class that has a use for them.
    enabled: bool,
}

impl Balance {
    /// The state of a shard with so many classes.
    pub(super) fn new(classes: usize) -> Self {
        let share = Share {
            activity: Activity::NONE,
            evicted_bytes: 0,
            interval: 0,
        };
        Self {
            classes: vec![share; classes],
            hits: vec![0; classes],
            window_began: 0,
            enabled: true,
        }
    }

    /// Sets whether pages may leave a class that has a use for them.
    pub(crate) fn enable(&mut self, on: bool) {
        self.enabled = on;
    }

    /// Notes that a get has found an item of a class.
    #[inline]
    pub(crate) fn note_hit(&mut self, class: u8) {
        self.hits[usize::from(class)] += 1;
    }

    /// Notes that other threads have found so many items of a class.
    pub(crate) fn note_hits(&mut self, class: u8, hits: u64) {
        self.hits[usize::from(class)] += hits;
    }

    /// By class: items found by a get since the start.
    pub(crate) fn hits(&self) -> &[u64] {
        &self.hits
    }
}

impl Memory<'_> {
    /// Notes that a class has evicted something. It had `used_chunks` before.
    pub(super) fn note_pressure(&mut self, class: u8, used_chunks: u64) {
        let freed = used_chunks.saturating_sub(self.contents.items.slabs.used_chunks(class));
        self.count_evicted(class, freed);
    }

    /// Notes that a class was given a larger chunk instead of one of its own. That counts as if the class had evicted
    /// for it.
    pub(super) fn note_shortage(&mut self, class: u8) {
        self.count_evicted(class, 1);
    }

    fn count_evicted(&mut self, class: u8, chunks: u64) {
        let chunk_bytes = self.contents.items.slabs.sizes.chunk_bytes(class) as u64;
        let share = &mut self.placement.balance.classes[usize::from(class)];
        share.activity.note_evicted(chunks);
        share.evicted_bytes += chunks * chunk_bytes;
    }

    /// Called when a class is about to evict: now and then begins to move a page to it from a class whose items stay
    /// longer.
    pub(super) fn relieve(&mut self, class: u8) {
        self.observe_classes();
        let page_bytes = self.contents.items.slabs.page_bytes() as u64;
        let has_to_wait = self.effort.left() == 0 || self.placement.is_draining();
        let share = &mut self.placement.balance.classes[usize::from(class)];
        if has_to_wait || share.evicted_bytes < share.interval {
            return;
        }
        share.evicted_bytes = 0;
        // The longer the classes are in balance, the less often the balance is checked.
        let (first, last) = (page_bytes / INTERVAL_PARTS, INTERVAL_PAGES_MAX * page_bytes);
        share.interval = (2 * share.interval).clamp(first, last);
        if let Some(ratio) = self.move_page_to(class) {
            let pages = PAUSE_PAGES / (ratio - 1.0).max(1.0);
            self.placement.balance.classes[usize::from(class)].interval =
                (pages * page_bytes as f64) as u64;
        }
    }

    /// Begins to move a page to a class that evicts, if the items of another class stay longer. Returns how many times
    /// longer.
    fn move_page_to(&mut self, class: u8) -> Option<f64> {
        if !self.victims.are_allowed() || !self.placement.balance.enabled {
            return None;
        }
        self.effort
            .spend(self.contents.census.classes() as u64 / CLASSES_PER_UNIT);
        let (donor, age) = self.donor_for(class)?;
        let pages = f64::from(self.contents.items.slabs.page_count(class)) + 1.0;
        let ratio = age / self.age_with(class, pages).max(1.0);
        if ratio <= AGE_RATIO {
            return None;
        }
        let page = self.page_to_give(donor)?;
        self.start_drain(page, Some(class));
        Some(ratio)
    }

    /// The page that is missed least among those of classes other than `heir`.
    pub(super) fn spare_page(&mut self, heir: u8) -> Option<PageId> {
        self.effort
            .spend(self.contents.census.classes() as u64 / CLASSES_PER_UNIT);
        let (donor, _) = self.donor_for(heir)?;
        self.page_to_give(donor)
    }

    /// The class that keeps its items longest, and how long it would keep them with a page less.
    fn donor_for(&self, heir: u8) -> Option<(u8, f64)> {
        let mut best: Option<(u8, f64)> = None;
        for class in INDEX_CLASS + 1..self.contents.census.classes() as u8 {
            let pages = f64::from(self.contents.items.slabs.page_count(class));
            if class == heir || pages == 0.0 {
                continue;
            }
            let age = if self.has_spare_chunks(class) {
                f64::INFINITY
            } else {
                // A class that gives its only page gets another at need.
                self.age_with(class, pages) * pages / (pages + 1.0)
            };
            if best.is_none_or(|(_, oldest)| age > oldest) {
                best = Some((class, age));
            }
        }
        best
    }

    /// Whether a class has pages that it does not need.
    fn has_spare_chunks(&self, class: u8) -> bool {
        let slabs = &self.contents.items.slabs;
        let free = slabs.free_chunks(class);
        free >= SPARE_PAGES * slabs.chunks_per_page(class) as u64
            && free * 3 >= slabs.used_chunks(class)
    }

    /// The page of a class that its hand comes to next, since the items on it would be judged next anyway; another page
    /// if that one cannot be emptied.
    fn page_to_give(&self, class: u8) -> Option<PageId> {
        let slabs = &self.contents.items.slabs;
        let mut page = self.victims.page_before_hand(slabs, class);
        for _ in 0..PAGES_TRIED {
            let state = slabs.page(page);
            if state.guarded == 0 && !state.draining && !self.is_receiving(page) {
                return Some(page);
            }
            page = slabs.page_after(page);
        }
        None
    }
}
