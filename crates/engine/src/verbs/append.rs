//! append to a chain: the addition goes behind the present value, which is not copied.
//!
//! ```text
//! first -> tail -> ... -> last [ value | room ] -> new tail [ rest | room ]
//!                                        ^ addition          ^
//! ```
//!
//! The room is made first, and taken back if there is no memory for all of it; then nothing can fail. The value may be
//! being sent meanwhile: the sender stops at the length that the value had (`PinnedValue`). Two fields of the last
//! chunk change while the sender reads: its length and the reference of the next chunk. They are written at once, as
//! one word ([`Segment::write`]).
//!
//! [`Segment::write`]: crate::segment::Segment::write

use super::join::Addition;
use crate::item::TAIL_BYTES;
use crate::place::Memory;
use crate::slab::ChunkRef;

/// A chunk that is added has room for at least one byte for so many bytes of the value, so that a value that grows by a
/// few bytes at a time does not become as many chunks.
const ROOM_SHARE: usize = 8;

/// The place of an addition: behind so many bytes of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) last: ChunkRef,
    /// Bytes of value in the chunk.
    pub(super) length: usize,
}

impl Memory<'_> {
    /// Writes an addition behind the value of the held chain at `first`, which will have `value_bytes`; false if there
    /// is no memory, and then the chain is as before.
    pub(super) fn append_in_place(
        &mut self,
        first: ChunkRef,
        addition: Addition<'_>,
        value_bytes: usize,
    ) -> bool {
        let end = self.make_room(first, value_bytes, addition.len());
        if let Some(end) = end {
            self.fill(end, addition);
        }
        end.is_some()
    }

    /// Makes a chain longer by `bytes`, to `value_bytes`. `None` if there is no memory, and then the chain is as
    /// before.
    fn make_room(&mut self, first: ChunkRef, value_bytes: usize, bytes: usize) -> Option<End> {
        let last = self.contents.items.chain_last(first);
        let (at, length) = self.contents.items.value_range(last);
        let here = bytes.min(self.contents.items.slabs.end_of(last) - at - length);
        self.contents.items.set_length(last, length + here);
        let end = End { last, length };
        let mut missing = bytes - here;
        while missing > 0 {
            self.effort.begin_chunk(bytes - missing);
            let least = value_bytes / ROOM_SHARE;
            let Some(added) = self.add_tail(first, missing, least) else {
                self.take_back(first, end);
                return None;
            };
            missing -= added;
        }
        Some(end)
    }

    /// Adds a chunk to a chain, for `missing` bytes or as many of them as a chunk takes, with room for at least
    /// `least`. Returns for how many bytes.
    fn add_tail(&mut self, first: ChunkRef, missing: usize, least: usize) -> Option<usize> {
        let sizes = &self.contents.items.slabs.sizes;
        let most = sizes.chunk_max() - TAIL_BYTES;
        let class = sizes.later_class(missing.max(least).min(most) + TAIL_BYTES);
        let chunk = self.allocate_later(class)?;
        let length = missing.min(most);
        self.contents.items.write_tail(chunk, first, length);
        let last = self.contents.items.chain_last(first);
        self.contents.items.append_chunk(first, last, chunk);
        Some(length)
    }

    /// Frees the chunks behind `end`: the chain ends there again.
    fn take_back(&mut self, first: ChunkRef, end: End) {
        self.contents.items.set_length(end.last, end.length);
        let mut tail = self.contents.items.after(end.last);
        self.contents
            .items
            .append_chunk(first, end.last, ChunkRef::NULL);
        self.contents.items.set_chain_last(first, end.last);
        while !tail.is_null() {
            let next = self.contents.items.tail_next(tail);
            self.contents.items.slabs.give(tail);
            tail = next;
        }
    }

    /// Writes the addition behind the end, into the lengths that the chunks already have.
    pub(super) fn fill(&mut self, end: End, addition: Addition<'_>) {
        let mut to = end;
        match addition {
            Addition::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let (at, len) = self.next_room(&mut to, bytes.len());
                    let (here, rest) = bytes.split_at(len);
                    self.contents.items.slabs.segment.write(at, here);
                    bytes = rest;
                }
            }
            Addition::Item(source, _) => {
                let mut chunk = source;
                while !chunk.is_null() {
                    let (mut from, mut left) = self.contents.items.value_range(chunk);
                    while left > 0 {
                        let (at, len) = self.next_room(&mut to, left);
                        self.contents.items.slabs.segment.copy(from, at, len);
                        self.effort.spend_copied(len);
                        from += len;
                        left -= len;
                    }
                    chunk = self.contents.items.after(chunk);
                }
            }
        }
    }

    /// The place of the next bytes: the offset in the segment, and how many of `wanted` fit there. Moves the end behind
    /// these bytes.
    fn next_room(&self, to: &mut End, wanted: usize) -> (usize, usize) {
        let (mut at, mut length) = self.contents.items.value_range(to.last);
        if to.length == length {
            to.last = self.contents.items.after(to.last);
            to.length = 0;
            (at, length) = self.contents.items.value_range(to.last);
        }
        let at = at + to.length;
        let len = wanted.min(length - to.length);
        to.length += len;
        (at, len)
    }
}
