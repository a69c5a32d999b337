//! The walks of the background: where each of them is, and a step of it.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `sweep.rs` | going through everything |
//! | `reap.rs` | going straight to the pages where many items are dead |

mod reap;
mod sweep;

use self::reap::Reaping;
use self::sweep::Sweep;
use crate::contents::Contents;
use crate::slab::{ChunkRef, PageId};

/// The positions of the background walks.
#[derive(Debug, Default)]
pub(crate) struct Walks {
    pub(crate) sweep: Sweep,
    pub(crate) reaping: Reaping,
    /// Items of one step of [`Engine::walk`](crate::engine::Engine::walk).
    pub(crate) walked: Vec<ChunkRef>,
}

impl Walks {
    /// Whether a walk is inside a page. The page's bound on deadlines then covers only a part of its items.
    pub(crate) fn are_inside(&self, page: PageId) -> bool {
        self.sweep.is_inside(page) || self.reaping.is_inside(page)
    }

    /// Gives up the walks, so that no page is left with a bound that covers only a part of its items: such a page is
    /// marked to be walked in any case.
    pub(crate) fn break_off(&mut self, contents: &mut Contents) {
        let pages = [self.sweep.page_under_way(), self.reaping.page_under_way()];
        for page in pages.into_iter().flatten() {
            if page < contents.items.slabs.pages_end() {
                contents.items.slabs.page_mut(page).deadline_min = 0;
            }
        }
        *self = Self::default();
    }
}
