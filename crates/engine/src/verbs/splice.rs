//! A received chain becomes a part of another one: its chunks stay where they are.
//!
//! ```text
//! chain  first -> t1 -> t2            added  f [ header | b ] -> u1 -> u2
//!
//! append   first -> t1 -> t2 -> f [ b ] -> u1 -> u2
//! prepend  first [ b.. ] -> f [ ..b ] -> u1 -> u2 -> new [ first's part ] -> t1 -> t2
//! ```
//!
//! The added chunks `u` go on naming `f` as their first one, and `f` names `first`: so a join takes the same time for
//! any value, and no more than one chunk of each side is copied. `f` keeps at least one byte, so that `f` stays as long
//! as the chunks `u` do.

use crate::item::TAIL_BYTES;
use crate::place::Memory;
use crate::slab::ChunkRef;

impl Memory<'_> {
    /// Puts the staged chain that begins with `added` behind the chain that begins with `first`.
    pub(super) fn splice_behind(&mut self, first: ChunkRef, added: ChunkRef) {
        let last = self.contents.items.chain_last(first);
        self.adopt(first, last, added, 0);
    }

    /// Puts the staged chain that begins with `added` before the value of the chain that begins with `first`, whose
    /// first chunk takes `room` bytes of value; false if there is no memory, and then both are as before.
    pub(super) fn splice_before(&mut self, first: ChunkRef, added: ChunkRef, room: usize) -> bool {
        if !self.move_out(first) {
            return false;
        }
        let (from, length) = self.contents.items.value_range(added);
        let here = room.min(length.saturating_sub(1));
        let (to, _) = self.contents.items.value_range(first);
        self.contents.items.slabs.segment.copy(from, to, here);
        self.effort.spend_copied(here);
        self.contents.items.set_length(first, here);
        self.adopt(first, first, added, here);
        true
    }

    /// Makes the chunks of the staged chain `added` later chunks of another chain, behind that chain's chunk `before`.
    /// The first `skip` bytes of the added value are left out.
    fn adopt(&mut self, first: ChunkRef, before: ChunkRef, added: ChunkRef, skip: usize) {
        let (from, length) = self.contents.items.value_range(added);
        let (next, last) = (
            self.contents.items.after(added),
            self.contents.items.chain_last(added),
        );
        let to = self.contents.items.slabs.address(added) + TAIL_BYTES;
        self.contents
            .items
            .slabs
            .segment
            .copy(from + skip, to, length - skip);
        self.effort.spend_copied(length - skip);
        self.contents.items.write_tail(added, first, length - skip);
        self.contents.items.set_tail_next(added, next);
        self.contents
            .items
            .insert_chunks(first, before, added, last);
    }
}
