//! Pinned items: their value stays in place and unchanged while it is sent, whatever happens to the key.

pub(crate) mod table;

use crate::api::Piece;
use crate::engine::Engine;
use crate::pin::table::Unpinned;
use crate::segment::next_piece;
use crate::slab::ChunkRef;
use crate::types::ItemHandle;

/// Where a pinned value is: its first piece, and what leads from there to the others. All of it stays valid until
/// [`Engine::unpin`].
#[derive(Clone, Copy, Debug)]
pub struct PinnedValue {
    /// The first piece.
    pub first: Piece,
    /// With `link`, for [`next_piece`].
    pub base: *const u8,
    /// What leads to the second piece; 0 if there is none.
    pub link: u64,
    /// Length of the whole value. What is appended to it meanwhile lies behind.
    pub value_bytes: usize,
}

impl PinnedValue {
    /// The pieces in order.
    ///
    /// # Safety
    ///
    /// The item is still pinned, and its engine alive, whenever the next piece is asked for.
    pub unsafe fn pieces(self) -> impl Iterator<Item = Piece> {
        let (mut piece, mut link, mut left) = (self.first, self.link, self.value_bytes);
        let mut is_first = true;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            if !std::mem::take(&mut is_first) {
                // SAFETY: the link is one of this value, which is still pinned, and more of it follows.
                (piece.ptr, piece.len, link) = unsafe { next_piece(self.base, link) };
            }
            piece.len = piece.len.min(left);
            left -= piece.len;
            Some(piece)
        })
    }
}

impl Engine {
    /// Pins the item of a [`crate::Hit`] that is still linked. Every pin needs one [`Self::unpin`]. Takes the same time
    /// however long the value is: its pieces are looked for by whoever sends them.
    pub fn pin(&mut self, item: ItemHandle) -> PinnedValue {
        let first = ChunkRef(item.0);
        assert!(
            self.items.head(first).is_linked(),
            "only linked items are pinned"
        );
        self.pin_chunks(first);
        let (at, len) = self.items.value_range(first);
        let slabs = &self.items.slabs;
        let item = self.items.item(first);
        PinnedValue {
            first: slabs.segment.piece(at, len),
            base: slabs.segment.base(),
            link: slabs.link_to(item.next_chunk()),
            value_bytes: item.value_bytes(),
        }
    }

    /// Undoes one [`Self::pin`]. Frees the item if its key is gone.
    pub fn unpin(&mut self, item: ItemHandle) {
        self.meters.unguarded += 1;
        self.unpin_chunks(ChunkRef(item.0));
    }

    /// Makes an item stay, and stay in the index, while memory is found for its successor.
    pub(crate) fn hold(&mut self, first: ChunkRef) {
        self.pin_chunks(first);
        self.shielded = first;
    }

    /// Undoes [`Self::hold`].
    pub(crate) fn let_go(&mut self, first: ChunkRef) {
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
    pub(crate) fn guard(&mut self, first: ChunkRef, on: bool) {
        let id = self.items.slabs.page_of(first);
        let page = self.items.slabs.page_mut(id);
        if on {
            page.guarded += 1;
        } else {
            page.guarded -= 1;
        }
    }
}
