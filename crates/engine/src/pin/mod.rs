//! Pinned items: their value stays in place and unchanged while it is sent, whatever happens to the key.
//!
//! ```text
//! Hit::handle --pin--> Pin (one, cannot be copied) --unpin--> an ordinary item again, or freed if its key is gone
//!                       |        ^
//!              into_bits|        | from_bits (unsafe): through a completion queue
//!                       +-> u32 -+
//! ```

mod table;

pub(crate) use self::table::{Pins, RefHasher};

use self::table::Unpinned;
use crate::api::Piece;
use crate::contents::Contents;
use crate::effort::Effort;
use crate::engine::{Engine, EngineId};
use crate::segment::next_piece;
use crate::slab::ChunkRef;
use crate::types::ItemHandle;

/// One pin of an item. A pin is given back by [`Engine::unpin`] of the engine that made it, and cannot be copied: so no
/// item is unpinned while another holder still reads it. A pin that is dropped keeps its item for ever.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an item stays pinned until its pin is given back"]
pub struct Pin {
    /// The engine that made the pin; `None` if the pin was made from bits.
    engine: Option<EngineId>,
    first: ChunkRef,
}

impl Pin {
    /// The pin as a number, to be carried through a completion queue.
    #[must_use]
    pub fn into_bits(self) -> u32 {
        self.first.0
    }

    /// The inverse of [`Self::into_bits`].
    ///
    /// # Safety
    ///
    /// The bits are those of a pin and have not been made a pin again yet. The new pin is given back to the engine that
    /// made the first one.
    pub unsafe fn from_bits(bits: u32) -> Self {
        Self {
            engine: None,
            first: ChunkRef(bits),
        }
    }
}

/// The location of a pinned value: its first piece, and the link that leads from there to the others. All of it stays
/// valid until [`Engine::unpin`].
#[derive(Clone, Copy, Debug)]
pub struct PinnedValue {
    /// The first piece.
    pub first: Piece,
    /// The base that [`next_piece`] takes, together with `link`.
    pub base: *const u8,
    /// The link to the second piece; 0 if there is none.
    pub link: u64,
    /// Length of the whole value when it was pinned. Bytes that are appended meanwhile lie behind that.
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

/// An item that is kept in memory and in the index while memory is found for its successor.
#[derive(Debug)]
#[must_use = "an item is held until it is let go"]
pub(crate) struct Held(ChunkRef);

impl Engine {
    /// Pins the item of a [`crate::Hit`] that is still linked: returns the pin, and the location of the value. Takes
    /// the same time for values of any length: the sender looks for the pieces.
    pub fn pin(&mut self, item: ItemHandle) -> (Pin, PinnedValue) {
        let first = ChunkRef(item.0);
        assert!(
            self.contents.items.head(first).is_linked(),
            "only linked items are pinned"
        );
        self.contents.pin(first);
        let items = &self.contents.items;
        let (at, len) = items.value_range(first);
        let item = items.item(first);
        let value = PinnedValue {
            first: items.slabs.segment.piece(at, len),
            base: items.slabs.segment.base(),
            link: items.slabs.link_to(item.next_chunk()),
            value_bytes: item.value_bytes(),
        };
        let engine = Some(self.id());
        (Pin { engine, first }, value)
    }

    /// Undoes one [`Self::pin`]. Frees the item if its key is gone.
    pub fn unpin(&mut self, pin: Pin) {
        let Pin { engine, first } = pin;
        assert!(
            engine.is_none_or(|engine| engine == self.id()),
            "a pin is given back where it was made"
        );
        self.spending(|engine, effort| {
            engine.contents.pins.note_unguarded();
            engine.contents.unpin(first, effort);
        });
    }
}

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

    fn pin(&mut self, first: ChunkRef) {
        if self.pins.pin(first) {
            self.guard(first);
        }
    }

    fn unpin(&mut self, first: ChunkRef, effort: &mut Effort) {
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
