//! Items that stay where they are: those that are being sent, and the one that is held while memory is found for its
//! successor.

use super::Contents;
use super::pins::Unpinned;
use crate::effort::Effort;
use crate::slab::ChunkRef;

/// An item that is kept in memory and in the index while memory is found for its successor.
#[derive(Debug)]
#[must_use = "an item is held until it is let go"]
pub(crate) struct Held(ChunkRef);

impl Contents {
    /// Whether the item at `chunk` is pinned. Looks at the table of pins only if the item's page guards something.
    #[inline]
    pub(crate) fn is_pinned(&self, chunk: ChunkRef) -> bool {
        let page = self.items.slabs.page_of(chunk);
        self.items.slabs.page(page).guarded > 0 && self.pins.contains(chunk)
    }

    /// Whether an item must stay in the index while memory is found for its successor.
    #[inline]
    pub(crate) fn is_held(&self, first: ChunkRef) -> bool {
        self.pins.is_shielded(first)
    }

    /// Keeps an item in memory and in the index while memory is found for its successor.
    pub(crate) fn hold(&mut self, first: ChunkRef) -> Held {
        self.pin(first);
        self.pins.shield(first);
        Held(first)
    }

    /// Undoes [`Self::hold`].
    pub(crate) fn let_go(&mut self, held: Held, effort: &mut Effort) {
        self.pins.end_shield();
        self.unpin(held.0, effort);
    }

    /// Pins an item once more.
    pub(crate) fn pin(&mut self, first: ChunkRef) {
        if self.pins.pin(first) {
            self.guard(first);
        }
    }

    /// Undoes one [`Self::pin`]. Frees the item if its key is gone.
    pub(crate) fn unpin(&mut self, first: ChunkRef, effort: &mut Effort) {
        match self.pins.unpin(first) {
            Unpinned::StillPinned => {}
            Unpinned::Released => self.end_guard(first),
            Unpinned::Orphaned => {
                self.end_guard(first);
                self.free_item(first, effort);
            }
        }
    }

    /// Unpins everything, since nothing is sent any more.
    pub(crate) fn unpin_all(&mut self, effort: &mut Effort) {
        for (first, detached) in self.pins.take() {
            self.end_guard(first);
            if detached {
                self.free_item(first, effort);
            }
        }
    }

    /// Notes at the page of an item's first chunk that the item stays where it is. The later chunks stay with it, since
    /// they refer to it.
    pub(crate) fn guard(&mut self, first: ChunkRef) {
        let id = self.items.slabs.page_of(first);
        self.items.slabs.page_mut(id).guarded += 1;
    }

    /// Undoes [`Self::guard`].
    pub(crate) fn end_guard(&mut self, first: ChunkRef) {
        let id = self.items.slabs.page_of(first);
        self.items.slabs.page_mut(id).guarded -= 1;
    }
}
