//! append to a chain: behind what is there, which is not copied.
//!
//! ```text
//! first -> tail -> ... -> last [ value | room ] -> new tail [ rest | room ]
//!                                        ^ addition          ^
//! ```
//!
//! The room is made first, and taken back if there is no memory for all of it; then nothing can fail. A value that is being
//! sent is not touched: whoever sends it may be anywhere in the chain.

use super::Engine;
use super::commit::Addition;
use crate::api::StoreOutcome;
use crate::item::{Marks, TAIL_BYTES};
use crate::slab::ChunkRef;

/// A chunk that is added has room for one in so many bytes of the value at least, so that a value that grows by a few bytes
/// at a time is not cut into as many chunks.
const ROOM_SHARE: usize = 8;

/// The end of a value before it grows.
#[derive(Clone, Copy, Debug)]
struct End {
    last: ChunkRef,
    /// Bytes of value in it.
    length: usize,
}

impl Engine {
    /// Appends to the linked item at `first` where it is; `None` if that is not possible and it has to be copied.
    pub(super) fn append_in_place(
        &mut self,
        first: ChunkRef,
        addition: Addition<'_>,
        new_cas: Option<u64>,
    ) -> Option<StoreOutcome> {
        let item = self.items.item(first);
        let (head, value_bytes) = (item.head, item.value_bytes() + addition.len());
        let has_room = self
            .items
            .has_room(head, item.deadline(), new_cas.unwrap_or(0));
        if !head.is_chain() || !has_room || self.is_pinned(first) {
            return None;
        }
        self.begin_work();
        self.hold(first);
        let end = self.make_room(first, value_bytes, addition.len());
        self.let_go(first);
        let Some(end) = end else {
            return Some(StoreOutcome::OutOfMemory);
        };
        self.note_unlinked(first);
        self.fill(end, addition);
        self.items.set_chain_total(first, value_bytes as u32);
        let cas = self.cas_or_next(new_cas);
        self.items.set_cas(first, cas);
        // The rest is as if it had been stored anew. The lengths in the head may just have changed.
        let marks = Marks::NONE.with_binary_key(head.marks().has_binary_key());
        let head = self.items.head(first).with_marks(marks).with_fetched(false);
        self.items.set_head(first, head);
        let frequency = self.accessed[usize::from(head.frequency())];
        self.note_linked(first, frequency);
        Some(StoreOutcome::Stored { cas, value_bytes })
    }

    /// Makes a chain of `value_bytes` longer by the last `bytes` of them; `None` without memory, and then it is as before.
    fn make_room(&mut self, first: ChunkRef, value_bytes: usize, bytes: usize) -> Option<End> {
        let last = self.items.chain_last(first);
        let (at, length) = self.items.value_range(last);
        let slabs = &self.items.slabs;
        let chunk_end = slabs.address(last) + slabs.sizes.chunk_bytes(slabs.class_of(last));
        let here = bytes.min(chunk_end - at - length);
        self.items.set_length(last, length + here);
        let end = End { last, length };
        let mut missing = bytes - here;
        while missing > 0 {
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
        if self.work_left() == 0 {
            self.begin_work();
        }
        let sizes = &self.items.slabs.sizes;
        let most = sizes.chunk_max() - TAIL_BYTES;
        let class = sizes.class_for(missing.max(room).min(most) + TAIL_BYTES)?;
        let chunk = self.allocate(class)?;
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

    /// Writes the addition behind the end.
    fn fill(&mut self, end: End, addition: Addition<'_>) {
        let mut to = end;
        match addition {
            Addition::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let (at, len) = self.next_room(&mut to, bytes.len());
                    let (here, rest) = bytes.split_at(len);
                    self.items
                        .slabs
                        .segment
                        .bytes_mut(at, len)
                        .copy_from_slice(here);
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
