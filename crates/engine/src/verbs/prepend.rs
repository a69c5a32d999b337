//! prepend to a chain: the first chunk stays the first, since every later one names it.
//!
//! ```text
//! before        first [ header | a ........ ] -> tail -> ... -> last
//! it fits       first [ header | addition a ] -> tail -> ...
//! else          first [ header | addition.. ] -> new [ ..addition ] -> new [ a ........ ] -> tail -> ...
//! being sent    first [ header |            ] -> new [ addition ... ] -> new [ a ........ ] -> tail -> ...
//!                                ^ here the sender still finds a, and he knows what followed it: see `PinnedValue`
//! ```
//!
//! The room is made first, and taken back if there is no memory for all of it.

use super::append::End;
use super::join::Addition;
use crate::contents::Contents;
use crate::item::TAIL_BYTES;
use crate::place::Memory;
use crate::slab::ChunkRef;

impl Memory<'_> {
    /// Writes an addition before the value of the held chain at `first`, whose first chunk takes `room` bytes of value;
    /// false if there is no memory, and then the chain is as before.
    pub(super) fn prepend_in_place(
        &mut self,
        first: ChunkRef,
        addition: Addition<'_>,
        room: usize,
    ) -> bool {
        let (at, length) = self.contents.items.value_range(first);
        if length + addition.len() <= room {
            self.contents
                .items
                .slabs
                .segment
                .copy(at, at + addition.len(), length);
            self.effort.spend_copied(length);
            self.contents
                .items
                .set_length(first, addition.len() + length);
        } else if !self.make_room_before(first, addition.len(), room) {
            return false;
        }
        let begin = End {
            last: first,
            length: 0,
        };
        self.fill(begin, addition);
        true
    }

    /// Makes room for `bytes` that are to be written: in the first chunk, which takes `room` bytes, and in new chunks
    /// behind it.
    fn make_room_before(&mut self, first: ChunkRef, bytes: usize, room: usize) -> bool {
        let (_, length) = self.contents.items.value_range(first);
        let second = self.contents.items.after(first);
        let here = bytes.min(room);
        let mut missing = bytes - here;
        let mut has_room = self.move_out(first);
        let mut before = first;
        while has_room && missing > 0 {
            let most = self.contents.items.slabs.sizes.chunk_max() - TAIL_BYTES;
            let taken = missing.min(most);
            self.effort.begin_chunk(bytes - missing);
            let chunk = self.insert_tail(first, before, taken);
            has_room = chunk.is_some();
            before = chunk.unwrap_or(before);
            missing -= taken;
        }
        if has_room {
            self.contents.items.set_length(first, here);
        } else {
            self.take_out(first, second);
            self.contents.items.set_length(first, length);
        }
        has_room
    }

    /// Moves the first chunk's part of the value to a new chunk behind it; false if there is no memory. The first chunk
    /// then has no value, but its old bytes are still in it.
    pub(super) fn move_out(&mut self, first: ChunkRef) -> bool {
        let (from, length) = self.contents.items.value_range(first);
        if length == 0 {
            return true;
        }
        let Some(chunk) = self.insert_tail(first, first, length) else {
            return false;
        };
        let (to, _) = self.contents.items.value_range(chunk);
        self.contents.items.slabs.segment.copy(from, to, length);
        self.effort.spend_copied(length);
        self.contents.items.set_length(first, 0);
        true
    }

    /// Adds a new chunk for `length` bytes behind the chunk `before`.
    fn insert_tail(
        &mut self,
        first: ChunkRef,
        before: ChunkRef,
        length: usize,
    ) -> Option<ChunkRef> {
        let class = self
            .contents
            .items
            .slabs
            .sizes
            .class_for(length + TAIL_BYTES)?;
        let chunk = self.allocate(class)?;
        self.contents.items.write_tail(chunk, first, length);
        self.contents
            .items
            .insert_chunks(first, before, chunk, chunk);
        Some(chunk)
    }

    /// Frees the chunks between the first and `second`, if there are any.
    fn take_out(&mut self, first: ChunkRef, second: ChunkRef) {
        let mut chunk = self.contents.items.after(first);
        while chunk != second {
            let next = self.contents.items.tail_next(chunk);
            self.contents.items.slabs.give(chunk);
            chunk = next;
        }
        self.contents.items.set_chain_next(first, second);
        if second.is_null() {
            self.contents.items.set_chain_last(first, first);
        }
    }
}

impl Contents {
    /// Bytes of value that the first chunk of a chain takes: none while bytes that it held are still being sent from
    /// there.
    pub(super) fn room_in_first(&self, first: ChunkRef) -> usize {
        let (at, _) = self.items.value_range(first);
        if self.is_pinned(first) {
            0
        } else {
            self.items.slabs.end_of(first) - at
        }
    }
}
