//! Pages on their way between the budget, the pool and the classes.
//!
//! ```text
//! budget -- draw --> [ class ] -- retire: its last chunk is free --> pool -- reuse --> [ class ]
//!    ^                                                                |
//!    +--------------------- release (release.rs) ---------------------+
//! ```

use super::mortality::Mortality;
use super::page::{Page, Which};
use super::{NO_CLASS, PageId, Slabs};

impl Slabs {
    /// Number of pages that no class uses.
    pub(crate) fn pool_len(&self) -> u32 {
        self.pool.len
    }

    /// Gives `class` a page from the pool or the budget, leaving `keep` pages in the pool; false if there is none.
    pub(crate) fn add_page(&mut self, class: u8, keep: u32) -> bool {
        if self.reuse_page(class, keep) {
            return true;
        }
        let drawn = self.draw_page();
        if let Some(id) = drawn {
            self.assign(id, class);
        }
        drawn.is_some()
    }

    /// Gives `class` a page from the pool, leaving `keep` there; false if there are no more.
    pub(crate) fn reuse_page(&mut self, class: u8, keep: u32) -> bool {
        let pooled = if self.pool.len > keep {
            self.pop_pool()
        } else {
            None
        };
        if let Some(id) = pooled {
            self.assign(id, class);
        }
        pooled.is_some()
    }

    fn assign(&mut self, id: PageId, class: u8) {
        self.show_class(id, class);
        self.pages[id as usize] = Page {
            class,
            mortality: Mortality::begin(self.now),
            ..Page::VACANT
        };
        self.classes[usize::from(class)]
            .all
            .push(&mut self.pages, id, Which::All);
        self.offer(id);
    }

    /// Shows the class of a page to readers on other threads.
    pub(super) fn show_class(&mut self, id: PageId, class: u8) {
        self.shown_classes
            .store_field(id as usize, 8, u64::from(class));
    }

    /// Charges a page to the budget.
    pub(super) fn draw_page(&mut self) -> Option<PageId> {
        let room = self.vacant.len > 0 || self.pages.len() < self.pages_max;
        if !room || !self.account.charge(self.page_bytes() as u64) {
            return None;
        }
        if let Some(id) = self.draw_prefaulted() {
            return Some(id);
        }
        while self.account.budget().make_room() {}
        let id = self
            .vacant
            .pop(&mut self.pages, Which::All)
            .unwrap_or_else(|| {
                self.pages.push(Page::VACANT);
                self.pages.len() as PageId - 1
            });
        let (address, bytes) = (self.page_address(id), self.page_bytes());
        if self.segment.back(address, bytes).is_err() {
            self.vacant.push(&mut self.pages, id, Which::All);
            self.account.release(bytes as u64);
            return None;
        }
        Some(id)
    }

    /// Takes an empty page out of its class.
    pub(super) fn retire(&mut self, id: PageId) {
        if self.pages[id as usize].available {
            self.withdraw(id);
        }
        let class = usize::from(self.pages[id as usize].class);
        assert_eq!(
            self.pages[id as usize].guarded, 0,
            "an empty page guards nothing"
        );
        self.classes[class]
            .all
            .remove(&mut self.pages, id, Which::All);
        self.pages[id as usize] = Page::VACANT;
        self.pool.push(&mut self.pages, id, Which::All);
    }

    /// Takes a page that has no chunk in use out of its class.
    pub(crate) fn retire_if_empty(&mut self, id: PageId) {
        let page = self.page(id);
        if page.class != NO_CLASS && page.in_use == 0 {
            self.retire(id);
        }
    }

    /// Called by the housekeeping with the present time.
    pub(crate) fn advance(&mut self, now: u32) {
        if now != self.now {
            self.now = now;
            self.idle_pages = self.pool_low;
            self.pool_low = self.pool.len;
        }
    }

    pub(super) fn pop_pool(&mut self) -> Option<PageId> {
        let page = self.pool.pop(&mut self.pages, Which::All);
        self.pool_low = self.pool_low.min(self.pool.len);
        self.idle_pages = self.idle_pages.min(self.pool.len);
        page
    }
}
