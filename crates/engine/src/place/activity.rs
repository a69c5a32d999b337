//! The activity of each class: how often its items are asked for, how many chunks it gives, how many it has to evict.
//!
//! Time is counted in bytes given ([`crate::slab::Slabs::ticks`]), so that it goes with the traffic. A window lasts
//! until a 64th of the memory has been given. Its counts are added to the counts of the windows before, which fade:
//! about the last quarter of the memory counts.

use super::Memory;
use crate::slab::{INDEX_CLASS, TICKS_OF_A_PAGE};

/// Number of windows in which as many bytes are given as the shard holds.
const WINDOWS: u64 = 64;
/// After a window a part of `1 - 1 / FADING` is left of a count, so a count covers about so many windows.
const FADING: f64 = 16.0;
/// The hits for each byte, in relation to the mean, are limited to this value and to its inverse.
const DENSITY_MAX: f64 = 16.0;
/// So many chunks given count like one evicted. A class that overwrites its own items gives chunks without being short
/// of memory; in a class that gives none any more, all items are old.
const GIVEN_PER_EVICTED: f64 = 4.0;
/// Upper bound of an age, in windows.
const AGE_MAX: f64 = 1024.0;

/// Classes that are looked at in a unit of work.
pub(super) const CLASSES_PER_UNIT: u64 = 8;

/// A counter whose older part fades.
#[derive(Clone, Copy, Debug, Default)]
struct Fading {
    recent: f64,
    before: u64,
}

impl Fading {
    fn advance(&mut self, count: u64) {
        let new = count - self.before;
        self.recent = self.recent * (1.0 - 1.0 / FADING) + new as f64;
        self.before = count;
    }
}

/// The activity of one class: recent hits, chunks given and chunks evicted, each in a counter whose older part fades.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    hits: Fading,
    given_chunks: Fading,
    evicted_chunks: Fading,
    /// Chunks evicted because the class had none to give.
    evicted_total: u64,
    /// The factor by which the age of the class's items counts: higher if they are asked for less.
    weight: f64,
}

impl Activity {
    pub(super) const NONE: Self = Self {
        hits: Fading {
            recent: 0.0,
            before: 0,
        },
        given_chunks: Fading {
            recent: 0.0,
            before: 0,
        },
        evicted_chunks: Fading {
            recent: 0.0,
            before: 0,
        },
        evicted_total: 0,
        weight: 1.0,
    };

    /// Notes that chunks were evicted because the class had none to give.
    #[inline]
    pub(super) fn note_evicted(&mut self, chunks: u64) {
        self.evicted_total += chunks;
    }
}

impl Memory<'_> {
    fn window_ticks(&self) -> u64 {
        (self.contents.items.slabs.pages_held() * TICKS_OF_A_PAGE / WINDOWS).max(1)
    }

    /// Ends the window if its time is over.
    pub(super) fn observe_classes(&mut self) {
        let now = self.contents.items.slabs.ticks();
        let passed = now.wrapping_sub(self.placement.balance.window_began);
        if u64::from(passed) < self.window_ticks() {
            return;
        }
        self.placement.balance.window_began = now;
        self.effort
            .spend(2 * self.contents.census.classes() as u64 / CLASSES_PER_UNIT);
        let (mut hits, mut pages) = (0.0, 0);
        for class in INDEX_CLASS + 1..self.contents.census.classes() as u8 {
            let slabs = &self.contents.items.slabs;
            let hits_ever = self.placement.balance.hits()[usize::from(class)];
            let activity = &mut self.placement.balance.classes[usize::from(class)].activity;
            activity.hits.advance(hits_ever);
            activity.given_chunks.advance(slabs.given_chunks(class));
            activity.evicted_chunks.advance(activity.evicted_total);
            hits += activity.hits.recent;
            pages += slabs.page_count(class);
        }
        if hits == 0.0 {
            return;
        }
        let mean = hits / f64::from(pages.max(1));
        for class in INDEX_CLASS + 1..self.contents.census.classes() as u8 {
            let density = self.hits_of_a_page(class) / mean;
            // The square root of the hits counts: the hits themselves would leave no memory to large values.
            let density = density.clamp(1.0 / DENSITY_MAX, DENSITY_MAX);
            let has_pages = self.contents.items.slabs.page_count(class) > 0;
            let weight = if has_pages { 1.0 / density.sqrt() } else { 1.0 };
            self.placement.balance.classes[usize::from(class)]
                .activity
                .weight = weight;
        }
    }

    /// Recent hits of a class for each of its pages. The last chunk of a chain counts with the hits of its item, since
    /// the item cannot do without it.
    fn hits_of_a_page(&self, class: u8) -> f64 {
        let slabs = &self.contents.items.slabs;
        let activity = |class: usize| &self.placement.balance.classes[class].activity;
        let number = |class: usize| self.contents.census.of_class(class as u8).items;
        let (class_index, top) = (usize::from(class), self.contents.census.classes() - 1);
        let mut hits = activity(class_index).hits.recent;
        if class_index != top {
            let tails = slabs.used_chunks(class).saturating_sub(number(class_index));
            hits += activity(top).hits.recent * tails as f64 / number(top).max(1) as f64;
        }
        hits / f64::from(slabs.page_count(class).max(1))
    }

    /// How long the items of a class would stay if it had so many pages: in ticks, weighted with how often they are
    /// asked for.
    pub(super) fn age_with(&self, class: u8, pages: f64) -> f64 {
        let activity = &self.placement.balance.classes[usize::from(class)].activity;
        let unseen = activity.evicted_total - activity.evicted_chunks.before;
        let evicted = activity.evicted_chunks.recent + unseen as f64;
        let leaving = evicted.max(activity.given_chunks.recent / GIVEN_PER_EVICTED);
        let slabs = &self.contents.items.slabs;
        let used = match slabs.page_count(class) {
            0 => pages * slabs.chunks_per_page(class) as f64,
            now => slabs.used_chunks(class) as f64 * pages / f64::from(now),
        };
        let windows = if leaving * AGE_MAX > used * FADING {
            used * FADING / leaving
        } else {
            AGE_MAX
        };
        windows * self.window_ticks() as f64 * activity.weight
    }
}
