//! Pinned items: their value stays in place and unchanged while it is sent, whatever happens to the key.
//!
//! ```text
//! Hit::handle --pin--> Pin (one, cannot be copied) --unpin--> an ordinary item again, or freed if its key is gone
//!                       |        ^
//!              into_bits|        | from_bits (unsafe): through a completion queue
//!                       +-> u32 -+
//! ```

use crate::api::Piece;
use crate::engine::Engine;
use crate::id::EngineId;
use crate::item::next_piece;
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
            link: items.link_to(item.next_chunk()),
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
