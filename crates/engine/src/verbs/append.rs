//! append to a chain: behind what is there, which is not copied.
//!
//! ```text
//! first -> tail -> ... -> last [ value | room ] -> new tail [ rest | room ]
//!                                        ^ addition          ^
//! ```
//!
//! The room is made first, and taken back if there is no memory for all of it; then nothing can fail. The value may be
//! being sent meanwhile: who sends it stops at the length that it had (`PinnedValue`), and the two words of the last chunk
//! that change under his eyes, its length and what follows it, are written at once, as one word ([`Segment::write`]).
//!
//! [`Segment::write`]: crate::segment::Segment::write

use crate::engine::Engine;
use crate::item::TAIL_BYTES;
use crate::slab::ChunkRef;
use crate::verbs::join::Addition;

/// A chunk that is added has room for one in so many bytes of the value at least, so that a value that grows by a few bytes
/// at a time is not cut into as many chunks.
const ROOM_SHARE: usize = 8;

/// Where an addition goes: behind so many bytes of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) last: ChunkRef,
    /// Bytes of value in it.
    pub(crate) length: usize,
}

impl Engine {
    /// Writes an addition behind the value of the held chain at `first`, which will have `value_bytes`; false without
    /// memory, and then the chain is as before.
    pub(crate) fn append_in_place(
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

    /// Makes a chain of `value_bytes` longer by the last `bytes` of them; `None` without memory, and then it is as before.
    fn make_room(&mut self, first: ChunkRef, value_bytes: usize, bytes: usize) -> Option<End> {
        let last = self.items.chain_last(first);
        let (at, length) = self.items.value_range(last);
        let here = bytes.min(self.items.slabs.end_of(last) - at - length);
        self.items.set_length(last, length + here);
        let end = End { last, length };
        let mut missing = bytes - here;
        while missing > 0 {
            self.begin_work_of_chunk(bytes - missing);
            let Some(added) = self.add_tail(first, missing, value_bytes / ROOM_SHARE) else {
                self.take_back(first, end);
                return None;
            };
            missing -= added;
        }
        Some(end)
    }

    /// Adds a chunk to a chain, for so many bytes or as many as one takes; returns how many.
    fn add_tail(&mut self, first: ChunkRef, missing: usize, room: usize) -> Option<usize> {
        let sizes = &self.items.slabs.sizes;
        let most = sizes.chunk_max() - TAIL_BYTES;
        let class = sizes.later_class(missing.max(room).min(most) + TAIL_BYTES);
        let chunk = self.allocate_later(class)?;
        let length = missing.min(most);
        self.items.write_tail(chunk, first, length);
        let last = self.items.chain_last(first);
        self.items.append_chunk(first, last, chunk);
        Some(length)
    }

    /// Makes a chain end where it did.
    fn take_back(&mut self, first: ChunkRef, end: End) {
        self.items.set_length(end.last, end.length);
        let mut tail = self.items.after(end.last);
        self.items.append_chunk(first, end.last, ChunkRef::NULL);
        self.items.set_chain_last(first, end.last);
        while !tail.is_null() {
            let next = self.items.tail_next(tail);
            self.items.slabs.give(tail);
            tail = next;
        }
    }

    /// Writes the addition behind the end, into the lengths that the chunks already have.
    pub(crate) fn fill(&mut self, end: End, addition: Addition<'_>) {
        let mut to = end;
        match addition {
            Addition::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let (at, len) = self.next_room(&mut to, bytes.len());
                    let (here, rest) = bytes.split_at(len);
                    self.items.slabs.segment.write(at, here);
                    bytes = rest;
                }
            }
            Addition::Item(source, _) => {
                let mut chunk = source;
                while !chunk.is_null() {
                    let (mut from, mut left) = self.items.value_range(chunk);
                    while left > 0 {
                        let (at, len) = self.next_room(&mut to, left);
                        self.items.slabs.segment.copy(from, at, len);
                        self.count_bytes(len);
                        from += len;
                        left -= len;
                    }
                    chunk = self.items.after(chunk);
                }
            }
        }
    }

    /// Where the next bytes go: offset in the segment, and how many of `wanted` fit there. Moves the end behind them.
    fn next_room(&self, to: &mut End, wanted: usize) -> (usize, usize) {
        let (mut at, mut length) = self.items.value_range(to.last);
        if to.length == length {
            to.last = self.items.after(to.last);
            to.length = 0;
            (at, length) = self.items.value_range(to.last);
        }
        let at = at + to.length;
        let len = wanted.min(length - to.length);
        to.length += len;
        (at, len)
    }
}
