//! How memory is shared between the classes: a page goes from where items stay long to where they have to go early.
//!
//! ```text
//!             age = time an item stays      weight = 1 / root of hits for a page
//!
//!   donor: the highest age * weight  -- page under the hand -->  heir: evicts, and has a lower one
//! ```
//!
//! Each age is taken as it would be after the move. So a class without a page is judged as any other, as one with a page that
//! has to do for what is asked of it; until then a larger class gives the chunks (larger.rs).
//!
//! With equal ages the classes would be one queue over all sizes. Weighted by hits, a byte is worth what it brings: a
//! small item costs less memory for the same hits, so it stays longer; and what nobody asks for any more goes at once.
//! The evictions of a class themselves ask for a page, so memory moves at the pace of the traffic and not of a timer.
//! How soon the next one may follow depends on how unequal the ages are: a shift of sizes moves a page as soon as the one
//! before is there, and near the balance noise moves next to nothing. docs/design/003-memory.md has the measurements.

use super::Memory;
use super::activity::Activity;
use crate::engine::Engine;
use crate::slab::{INDEX_CLASS, PageId};

/// A page moves if it leaves the donor with an age so many times that of the heir.
const AGE_RATIO: f64 = 1.1;
/// After a page has moved, so many pages are evicted until the next, and fewer if the ages differ by more than once the
/// heir's.
const PAUSE_PAGES: f64 = 8.0;
/// While nothing moves, a class looks for a page each time that it has evicted so many pages.
const INTERVAL_PAGES_MAX: u64 = 4;
/// And so many parts of a page at first.
const INTERVAL_PARTS: u64 = 8;
/// A class with free chunks for so many pages gives one, if they are a fourth of its chunks.
const SPARE_PAGES: u64 = 2;
/// Classes that are looked at in a unit of work.
pub(super) const CLASSES_PER_UNIT: u64 = 8;
/// Pages of the donor that are looked at for one that can be emptied.
const PAGES_TRIED: usize = 8;

/// What is known of one class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) activity: Activity,
    /// Bytes evicted since a page was last looked for, and how many there are to be before the next time.
    evicted_bytes: u64,
    interval: u64,
}

/// What each class does, and when a page was last looked for on its behalf.
#[derive(Debug)]
pub(crate) struct Balance {
    /// By class.
    pub(super) classes: Vec<Share>,
    /// By class: items found by a get, ever. Each hit is counted here and nowhere else.
    hits: Vec<u64>,
    /// When the window of the counters began, in ticks.
    pub(super) window_began: u32,
    /// Whether pages move at all while their class has a use for them.
    enabled: bool,
}

impl Balance {
    /// For so many classes.
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

    /// A get has found an item of a class.
    #[inline]
    pub(crate) fn note_hit(&mut self, class: u8) {
        self.hits[usize::from(class)] += 1;
    }

    /// By class: items found by a get, ever.
    pub(crate) fn hits(&self) -> &[u64] {
        &self.hits
    }
}

impl Engine {
    /// Whether pages move to classes that evict from those whose items stay longer, as they do unless told otherwise. A class
    /// that has no page at all gets one in any case.
    pub fn set_automove(&mut self, on: bool) {
        self.placement.balance.enabled = on;
    }
}

impl Memory<'_> {
    /// A class has evicted something, having had `used_chunks` before.
    pub(super) fn note_pressure(&mut self, class: u8, used_chunks: u64) {
        let freed = used_chunks.saturating_sub(self.contents.items.slabs.used_chunks(class));
        self.count_evicted(class, freed);
    }

    /// A larger chunk stands in for one of a class, which counts as if the class had evicted for it.
    pub(super) fn note_shortage(&mut self, class: u8) {
        self.count_evicted(class, 1);
    }

    fn count_evicted(&mut self, class: u8, chunks: u64) {
        let chunk_bytes = self.contents.items.slabs.sizes.chunk_bytes(class) as u64;
        let share = &mut self.placement.balance.classes[usize::from(class)];
        share.activity.note_evicted(chunks);
        share.evicted_bytes += chunks * chunk_bytes;
    }

    /// A class is about to evict: begins to move a page to it from where items stay longer, now and then.
    pub(super) fn relieve(&mut self, class: u8) {
        self.observe_classes();
        let page_bytes = self.contents.items.slabs.page_bytes() as u64;
        let has_to_wait = self.effort.left() == 0 || self.placement.is_draining();
        let share = &mut self.placement.balance.classes[usize::from(class)];
        if has_to_wait || share.evicted_bytes < share.interval {
            return;
        }
        share.evicted_bytes = 0;
        // The longer all is in balance, the less often it is looked at.
        let (first, last) = (page_bytes / INTERVAL_PARTS, INTERVAL_PAGES_MAX * page_bytes);
        share.interval = (2 * share.interval).clamp(first, last);
        if let Some(ratio) = self.move_page_to(class) {
            let pages = PAUSE_PAGES / (ratio - 1.0).max(1.0);
            self.placement.balance.classes[usize::from(class)].interval =
                (pages * page_bytes as f64) as u64;
        }
    }

    /// Begins to move a page to a class that evicts, if there is one where items stay longer; how many times longer.
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

    /// The page that is missed least, not of class `heir`.
    pub(super) fn spare_page(&mut self, heir: u8) -> Option<PageId> {
        self.effort
            .spend(self.contents.census.classes() as u64 / CLASSES_PER_UNIT);
        let (donor, _) = self.donor_for(heir)?;
        self.page_to_give(donor)
    }

    /// The class that keeps its items longest, and how long it would with a page less.
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
                // One page of one is not all: the class gets another at need.
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

    /// The page of a class that its hand comes to next, as what is on it would be judged next anyway; another if that
    /// cannot be emptied.
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
