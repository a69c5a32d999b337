//! A received chain becomes a part of another one: its chunks stay where they are.
//!
//! ```text
//! chain  first -> t1 -> t2            added  f [ header | b ] -> u1 -> u2
//!
//! append   first -> t1 -> t2 -> f [ b ] -> u1 -> u2
//! prepend  first [ b.. ] -> f [ ..b ] -> u1 -> u2 -> new [ first's part ] -> t1 -> t2
//! ```
//!
//! Each of the added chunks is told its new first one, a unit of work for 32 KiB of the value; no more than one chunk of each
//! side is copied.

use super::Engine;
use crate::item::TAIL_BYTES;
use crate::slab::ChunkRef;

impl Engine {
    /// Puts the staged chain that begins with `added` behind the chain that begins with `first`. Always true.
    pub(super) fn splice_behind(&mut self, first: ChunkRef, added: ChunkRef) -> bool {
        let last = self.items.chain_last(first);
        if let Some((begin, end)) = self.adopt(first, added, 0) {
            self.items.insert_chunks(first, last, begin, end);
        }
        true
    }

    /// Puts the staged chain that begins with `added` before the value of the chain that begins with `first`; false without
    /// memory, and then both are as before.
    pub(super) fn splice_before(&mut self, first: ChunkRef, added: ChunkRef) -> bool {
        if !self.move_out(first) {
            return false;
        }
        let (to, _) = self.items.value_range(first);
        let (from, length) = self.items.value_range(added);
        let here = length.min(self.items.slabs.end_of(first) - to);
        self.items.slabs.segment.copy(from, to, here);
        self.count_bytes(here);
        self.items.set_length(first, here);
        if let Some((begin, end)) = self.adopt(first, added, here) {
            self.items.insert_chunks(first, first, begin, end);
        }
        true
    }

    /// Makes the chunks of a staged chain later chunks of another one, but for the first `skip` bytes of its first one;
    /// returns the first and the last of them.
    fn adopt(
        &mut self,
        first: ChunkRef,
        added: ChunkRef,
        skip: usize,
    ) -> Option<(ChunkRef, ChunkRef)> {
        let (from, length) = self.items.value_range(added);
        let (next, last) = (self.items.after(added), self.items.chain_last(added));
        self.guard(added, false);
        let mut tail = next;
        while !tail.is_null() {
            self.items.set_tail_first(tail, first);
            self.stats.work += 1;
            tail = self.items.tail_next(tail);
        }
        if length == skip {
            self.items.slabs.give(added);
            return (!next.is_null()).then_some((next, last));
        }
        let to = self.items.slabs.address(added) + TAIL_BYTES;
        self.items
            .slabs
            .segment
            .copy(from + skip, to, length - skip);
        self.count_bytes(length - skip);
        self.items.write_tail(added, first, length - skip);
        self.items.set_tail_next(added, next);
        Some((added, last))
    }
}
