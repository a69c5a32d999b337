//! Moving items out of a page that is being emptied.
//!
//! ```text
//! chunk -> a free one of its class | for an operator: one of a free page | one of an item that is worth less
//! ```

use super::Memory;
use super::purpose::Purpose;
use crate::index::Place;
use crate::item::policy;
use crate::slab::ChunkRef;

/// Items evicted to keep an item that was used, and chunks that the hand looks at for each of them.
const RESCUE_EVICTIONS_MAX: usize = 2;
const RESCUE_LOOKS: usize = 32;
/// Largest number of chunks of a chain that is worth moving: each move goes through the whole chain.
const CHAIN_MAX: usize = 40;
/// The same where the chain would keep the page otherwise: a walk of some 100 us.
const ASKED_CHAIN_MAX: usize = 1024;

/// What has become of a chunk that was to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rescued {
    /// It has moved.
    Yes,
    /// There is no room for it; its item may have been evicted.
    NoRoom,
    /// It belongs to an item that is being sent, or to one that is too long to be moved.
    Fixed,
}

impl Memory<'_> {
    /// Moves a chunk of an item to a chunk of the same class in another page, if there is one to be had.
    pub(super) fn rescue(&mut self, chunk: ChunkRef, first: ChunkRef, purpose: Purpose) -> Rescued {
        if self.contents.is_pinned(first) {
            return Rescued::Fixed;
        }
        let chain_max = match purpose {
            Purpose::Asked => ASKED_CHAIN_MAX,
            Purpose::Own | Purpose::Lent => CHAIN_MAX,
        };
        let chunks = self.contents.items.chunks(first);
        let chain = chunks.take(chain_max + 1).count();
        self.effort.spend(chain as u64 - 1);
        if chain > chain_max {
            return Rescued::Fixed;
        }
        let class = self.contents.items.slabs.class_of(chunk);
        let Some(target) = self.target_for(class, first, purpose) else {
            return Rescued::NoRoom;
        };
        let place = (chunk == first).then(|| self.contents.place_of(first));
        let copied = self.contents.items.move_chunk(chunk, target, first);
        self.effort.spend_copied(copied);
        if let Some(place) = place {
            self.link_copy(place, target);
        }
        self.contents.items.slabs.give(chunk);
        self.effort.spend(1);
        match chunk == first {
            true => self.telemetry.rescued_item(),
            false => self.telemetry.rescued_chunk(),
        }
        Rescued::Yes
    }

    /// A chunk of `class` to which a chunk of the item `first` can be moved. If none is free and the item was used, an
    /// item that is worth less is evicted instead; that may be `first` itself.
    fn target_for(&mut self, class: u8, first: ChunkRef, purpose: Purpose) -> Option<ChunkRef> {
        let free = match purpose {
            Purpose::Asked => self.take_or_add(class, self.pool_reserve()),
            Purpose::Own | Purpose::Lent => self.contents.items.slabs.take(class),
        };
        if free.is_some() || self.contents.items.head(first).frequency() == 0 {
            return free;
        }
        for _ in 0..RESCUE_EVICTIONS_MAX {
            let gone = self.find_victim(class, RESCUE_LOOKS)?;
            self.note_bytes_of(gone, purpose);
            if !self.contents.items.head(first).is_linked() {
                return None;
            }
            if let Some(chunk) = self.contents.items.slabs.take(class) {
                return Some(chunk);
            }
        }
        None
    }

    /// Has the index refer to the copy of an item. Until then other threads read the item where it was: they must not
    /// find a copy that is not whole.
    fn link_copy(&mut self, place: Place, copy: ChunkRef) {
        let deadline = self.contents.items.item(copy).deadline();
        self.contents.items.note_deadline(copy, deadline);
        let head = self.contents.items.head(copy);
        let frequency = policy::moved(head.frequency());
        let head = head.with_frequency(frequency);
        self.contents.items.set_head(copy, head);
        let slabs = &mut self.contents.items.slabs;
        self.contents.index.replace(slabs, place, copy);
        self.contents.renew(copy);
    }
}
