//! `slabs reassign`: an operator has a page moved from one slab class to another.
//!
//! ```text
//! source (or the class with most pages) -- its oldest page, of a few --> destination: its class that evicts most
//! ```
//!
//! Items of the page move to chunks of their class elsewhere, also in pages that are free; they are evicted only when
//! there is neither.

use super::Memory;
use super::age::{PAGES_COMPARED, PAGES_PER_UNIT};
use super::purpose::Purpose;
use crate::slab::{INDEX_CLASS, NO_CLASS, PageId};

/// Pages that a class, as shown to users, has to have before it may give one away.
const SPARE_PAGES_MIN: u32 = 2;

/// Pages that are looked at to find some of the class, and pages of the class that are looked at to find some that can
/// be emptied: few enough that even a large cache does not pause.
const PAGES_LOOKED_AT: PageId = 1024;
const PAGES_LISTED: usize = 128;

/// Outcome of a request to move a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReassignOutcome {
    /// A page is on its way.
    Started,
    /// Another page is still on its way.
    Busy,
    /// There is no such class.
    BadClass,
    /// The source has no page to spare.
    NoSpare,
    /// Source and destination are the same.
    Same,
}

impl Memory<'_> {
    /// See [`Engine::reassign`](crate::engine::Engine::reassign).
    pub(crate) fn reassign(&mut self, source: Option<u8>, destination: u8) -> ReassignOutcome {
        let top = self.contents.items.slabs.sizes.top();
        let largest = self.contents.shown_class(top);
        if self.placement.is_draining() {
            return ReassignOutcome::Busy;
        }
        if source == Some(destination) {
            return ReassignOutcome::Same;
        }
        if destination > largest || source.is_some_and(|source| source > largest) {
            return ReassignOutcome::BadClass;
        }
        let heir = self.heir_in(destination);
        if source == Some(0) {
            return self.give_from_pool(heir);
        }
        let Some(source) = source.or_else(|| self.richest_class(destination)) else {
            return ReassignOutcome::NoSpare;
        };
        if self.shown_pages(source) < SPARE_PAGES_MIN {
            return ReassignOutcome::NoSpare;
        }
        match self.oldest_page_in(source) {
            Some(page) => {
                self.start_drain_for(Purpose::Asked, page, heir);
                ReassignOutcome::Started
            }
            None => ReassignOutcome::NoSpare,
        }
    }

    fn give_from_pool(&mut self, heir: Option<u8>) -> ReassignOutcome {
        match heir {
            Some(class)
                if self.contents.items.slabs.pool_len() > 0
                    && self.contents.items.slabs.add_page(class, 0) =>
            {
                self.telemetry.pages_moved(1);
                self.note_page_move(INDEX_CLASS, heir);
                ReassignOutcome::Started
            }
            _ => ReassignOutcome::NoSpare,
        }
    }

    /// The class that evicts most among those that users are shown as `shown`; none for the pool.
    fn heir_in(&self, shown: u8) -> Option<u8> {
        self.classes_shown_as(shown)
            .max_by_key(|&class| self.placement.pressure.evicted_of(class))
    }

    fn classes_shown_as(&self, shown: u8) -> impl Iterator<Item = u8> {
        (INDEX_CLASS + 1..self.contents.items.slabs.sizes.len() as u8)
            .filter(move |&class| self.contents.shown_class(class) == shown)
    }

    fn shown_pages(&self, shown: u8) -> u32 {
        self.classes_shown_as(shown)
            .map(|class| self.contents.items.slabs.page_count(class))
            .sum()
    }

    /// The shown class with most pages, other than `except`.
    fn richest_class(&self, except: u8) -> Option<u8> {
        let mut pages = [0; 1 << u8::BITS];
        for class in INDEX_CLASS + 1..self.contents.items.slabs.sizes.len() as u8 {
            let shown = usize::from(self.contents.shown_class(class));
            pages[shown] += self.contents.items.slabs.page_count(class);
        }
        let largest = self
            .contents
            .shown_class(self.contents.items.slabs.sizes.top());
        (1..=largest)
            .filter(|&shown| shown != except)
            .max_by_key(|&shown| pages[usize::from(shown)])
    }

    /// The page with the oldest items among a few pages of a shown class that can be emptied; a full one, if there is
    /// one, since its items may then find room in the others.
    fn oldest_page_in(&mut self, shown: u8) -> Option<PageId> {
        self.effort
            .spend(u64::from(PAGES_LOOKED_AT) / PAGES_PER_UNIT);
        let slabs = &self.contents.items.slabs;
        let end = slabs.pages_end();
        let scattered = (0..PAGES_LOOKED_AT.min(end))
            .map(|step| 1 + (self.placement.search.cursor + step) % end.max(2).saturating_sub(1));
        let listed = self.classes_shown_as(shown).flat_map(|class| {
            let first = Some(slabs.first_page(class)).filter(|&id| id != 0);
            std::iter::successors(first, |&id| {
                Some(slabs.page(id).all.next).filter(|&id| id != 0)
            })
        });
        let fit = |&id: &PageId| {
            let page = slabs.page(id);
            let is_of_class = page.class != NO_CLASS && page.class != INDEX_CLASS;
            is_of_class
                && self.contents.shown_class(page.class) == shown
                && page.guarded == 0
                && !page.draining
                && !self.is_receiving(id)
        };
        scattered
            .chain(listed.take(PAGES_LISTED))
            .filter(fit)
            .take(PAGES_COMPARED)
            .max_by_key(|&id| (!slabs.page(id).available, self.page_idle_seconds(id)))
    }
}
