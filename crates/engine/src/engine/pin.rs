//! Pinned items: their value stays in place and unchanged while it is sent, whatever happens to the key.

use super::Engine;
use super::pins::Unpinned;
use crate::api::Piece;
use crate::slab::ChunkRef;
use crate::types::ItemHandle;

/// Where a pinned value is.
#[derive(Clone, Copy, Debug)]
pub struct PinnedValue<'a> {
    pieces: &'a [Piece],
}

impl<'a> PinnedValue<'a> {
    /// The value's bytes in order. The pieces themselves may be copied out; what they point to is valid until
    /// [`Engine::unpin`].
    #[must_use]
    pub fn pieces(&self) -> &'a [Piece] {
        self.pieces
    }
}

impl Engine {
    /// Pins the item of a [`crate::Hit`] that is still linked. Every pin needs one [`Self::unpin`].
    pub fn pin(&mut self, item: ItemHandle) -> PinnedValue<'_> {
        let first = ChunkRef(item.0);
        assert!(
            self.items.head(first).is_linked(),
            "only linked items are pinned"
        );
        self.pin_chunks(first);
        self.pieces.clear();
        for chunk in self.items.chunks(first) {
            let (at, len) = self.items.value_range(chunk);
            self.pieces.push(self.items.slabs.segment.piece(at, len));
        }
        PinnedValue {
            pieces: &self.pieces,
        }
    }

    /// Undoes one [`Self::pin`]. Frees the item if its key is gone.
    pub fn unpin(&mut self, item: ItemHandle) {
        self.unpin_chunks(ChunkRef(item.0));
    }

    /// Makes an item stay, and stay in the index, while memory is found for its successor.
    pub(super) fn hold(&mut self, first: ChunkRef) {
        self.pin_chunks(first);
        self.shielded = first;
    }

    /// Undoes [`Self::hold`].
    pub(super) fn let_go(&mut self, first: ChunkRef) {
        self.shielded = ChunkRef::NULL;
        self.unpin_chunks(first);
    }

    fn pin_chunks(&mut self, first: ChunkRef) {
        if self.pins.pin(first) {
            self.guard(first, true);
        }
    }

    fn unpin_chunks(&mut self, first: ChunkRef) {
        match self.pins.unpin(first) {
            Unpinned::StillPinned => {}
            Unpinned::Released => self.guard(first, false),
            Unpinned::Orphaned => {
                self.guard(first, false);
                self.free_item(first);
            }
        }
    }

    /// Notes at the page of an item's first chunk that the item stays where it is, or no longer. The later chunks stay
    /// with it, since they refer to it.
    pub(super) fn guard(&mut self, first: ChunkRef, on: bool) {
        let id = self.items.slabs.page_of(first);
        let page = self.items.slabs.page_mut(id);
        if on {
            page.guarded += 1;
        } else {
            page.guarded -= 1;
        }
    }
}
