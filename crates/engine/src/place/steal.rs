//! Which page to take: for a class that has nothing, from the class whose items stay longest (balance.rs); for the
//! pool, and where that class has no page that can be emptied, the oldest of a few (age.rs). A page that holds a value
//! which is being sent is taken only if there are no others; a page with a part of a half-received value is never
//! taken.

use super::Memory;
use crate::slab::PageId;

impl Memory<'_> {
    /// Begins to empty a page for the pool; false if none is fit.
    pub(crate) fn steal_page(&mut self) -> bool {
        let page = self
            .idlest_page(|page| page.guarded == 0)
            .or_else(|| self.idlest_page(|page| page.guarded > 0));
        let Some((page, _)) = page else {
            self.telemetry.page_busy();
            return false;
        };
        self.start_drain(page, None);
        true
    }

    /// Begins to empty a page for a class that has nothing.
    pub(super) fn move_any_page_to(&mut self, class: u8) {
        if let Some(page) = self.page_from(class) {
            self.start_drain(page, Some(class));
        }
    }

    /// The page that is missed least among those of classes other than `except`.
    fn page_from(&mut self, except: u8) -> Option<PageId> {
        self.spare_page(except).or_else(|| {
            let page = self.idlest_page(|page| page.class != except && page.guarded == 0)?;
            Some(page.0)
        })
    }

    /// Begins to empty a page if the pool is below its reserve and the budget has none; a page of `class`, which is
    /// short of memory itself, is taken only if there are no others.
    pub(super) fn refill_pool(&mut self, class: u8) {
        if !self.placement.is_draining()
            && self.victims.are_allowed()
            && self.contents.items.slabs.pool_len() < self.pool_reserve()
            && let Some(page) = self
                .page_from(class)
                .or_else(|| Some(self.idlest_page(|page| page.guarded == 0)?.0))
        {
            self.start_drain(page, None);
        }
    }
}
