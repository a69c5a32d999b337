//! Pages of the pool that go back to the kernel and the budget, a part at a time.
//!
//! ```text
//! page   | discarded | next step | still there |      charged until all of it is gone
//! ```

use super::Slabs;
use super::page::{PageId, Which};
use crate::api::Release;

/// Bytes given back in one step: the kernel takes 0.2 to 1 us for each 4 KiB.
pub(crate) const STEP_BYTES: usize = 64 << 10;

/// A page that is on its way back to the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    page: PageId,
    discarded: usize,
}

impl Slabs {
    /// Whether a page is on its way to the kernel, or the pool has had more than a shard should keep for a second or
    /// two: large values that are replaced free many pages that their successors need at once.
    pub(crate) fn has_spare_page(&self) -> bool {
        self.is_releasing() || self.idle_pages > self.pool_pages_max
    }

    /// Whether a page is on its way to the kernel.
    pub(crate) fn is_releasing(&self) -> bool {
        self.leaving.is_some()
    }

    /// Gives a part of a page of the pool back to the kernel, with the last part the page to the budget.
    pub(crate) fn release_pool_page(&mut self) -> Release {
        let Some(Leaving { page, discarded }) = self.leaving.take().or_else(|| self.next_leaving())
        else {
            return Release::Nothing;
        };
        let bytes = self.page_bytes();
        let step = STEP_BYTES.min(bytes - discarded);
        let discarded = discarded + step;
        let end = self.page_address(page) + discarded;
        self.segment.discard(end - step, step);
        if discarded < bytes {
            self.leaving = Some(Leaving { page, discarded });
            return Release::Working;
        }
        self.vacant.push(&mut self.pages, page, Which::All);
        self.account.release(bytes as u64);
        Release::Released
    }

    fn next_leaving(&mut self) -> Option<Leaving> {
        let page = self.pop_pool()?;
        let discarded = 0;
        Some(Leaving { page, discarded })
    }

    /// Gives back the rest of the page that is on its way.
    pub(crate) fn end_release(&mut self) {
        while self.is_releasing() {
            self.release_pool_page();
        }
    }
}
