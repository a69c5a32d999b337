//! Chains of chunks: values larger than the largest chunk.

use super::{Items, State, TAIL_BYTES};
use crate::item::Head;
use crate::slab::ChunkRef;

/// Offset of the next chunk's reference in a later chunk.
const TAIL_NEXT_AT: usize = 4;
/// Offset of the last chunk's reference in the fields of a chain.
const CHAIN_LAST_AT: usize = 8;
/// Offset of the first chunk's reference in a later chunk.
const TAIL_FIRST_AT: usize = 8;

/// Bytes of value in a later chunk with this first word of 32 bits; the second word is the reference of the next chunk.
pub(super) fn tail_length(word: u32) -> usize {
    Head(u64::from(word)).length()
}

const _: () = assert!(TAIL_NEXT_AT == 4);

impl Items {
    /// Makes `chunk` a later chunk of the chain that begins with `first`, holding `length` bytes of value.
    pub(crate) fn write_tail(&mut self, chunk: ChunkRef, first: ChunkRef, length: usize) {
        let address = self.slabs.address(chunk);
        let word = Head::new(State::Tail, 0, length).0 as u32;
        self.slabs.segment.store(address, u64::from(word));
        self.set_word(chunk, TAIL_FIRST_AT, first.0);
    }

    /// The chunk after a later chunk.
    #[inline]
    pub(crate) fn tail_next(&self, tail: ChunkRef) -> ChunkRef {
        ChunkRef(self.word(tail, TAIL_NEXT_AT))
    }

    /// The chunk that a later chunk names as its first. If the chain was joined to another one (verbs/splice.rs), the
    /// named chunk is a later chunk itself by now.
    #[inline]
    pub(crate) fn tail_first(&self, tail: ChunkRef) -> ChunkRef {
        ChunkRef(self.word(tail, TAIL_FIRST_AT))
    }

    /// Makes `next` follow a later chunk. The chunk's value may be being sent meanwhile.
    pub(crate) fn set_tail_next(&mut self, tail: ChunkRef, next: ChunkRef) {
        self.set_word(tail, TAIL_NEXT_AT, next.0);
    }

    /// The second chunk of the chain that begins with `first`.
    pub(crate) fn chain_next(&self, first: ChunkRef) -> ChunkRef {
        ChunkRef(self.word(first, self.head(first).chain_at(self.cas_bytes) + 4))
    }

    /// Sets the second chunk of a chain.
    pub(crate) fn set_chain_next(&mut self, first: ChunkRef, next: ChunkRef) {
        let at = self.head(first).chain_at(self.cas_bytes) + 4;
        self.set_word(first, at, next.0);
    }

    /// The last chunk of the chain that begins with `first`.
    pub(crate) fn chain_last(&self, first: ChunkRef) -> ChunkRef {
        let at = self.head(first).chain_at(self.cas_bytes) + CHAIN_LAST_AT;
        match ChunkRef(self.word(first, at)) {
            ChunkRef::NULL => first,
            last => last,
        }
    }

    /// Notes which chunk of a chain is the last.
    pub(crate) fn set_chain_last(&mut self, first: ChunkRef, last: ChunkRef) {
        let at = self.head(first).chain_at(self.cas_bytes) + CHAIN_LAST_AT;
        // The first chunk does not name itself, since it may be moved.
        let last = if last == first { ChunkRef::NULL } else { last };
        self.set_word(first, at, last.0);
    }

    /// Sets the number of value bytes in any chunk of an item. The value may be being sent meanwhile.
    pub(crate) fn set_length(&mut self, chunk: ChunkRef, length: usize) {
        let head = self.head(chunk).with_length(length);
        if head.state() == State::Tail {
            self.set_word(chunk, 0, head.0 as u32);
        } else {
            self.set_head(chunk, head);
        }
    }

    /// The field for the length of the whole value, which links dying chains.
    pub(crate) fn chain_total(&self, first: ChunkRef) -> u32 {
        self.word(first, self.head(first).chain_at(self.cas_bytes))
    }

    /// Sets the field for the length of the whole value.
    pub(crate) fn set_chain_total(&mut self, first: ChunkRef, total: u32) {
        let at = self.head(first).chain_at(self.cas_bytes);
        self.set_word(first, at, total);
    }

    /// Puts `chunk` behind `last` in the chain that begins with `first`.
    pub(crate) fn append_chunk(&mut self, first: ChunkRef, last: ChunkRef, chunk: ChunkRef) {
        self.link_chunk(first, last, chunk);
        self.set_chain_last(first, chunk);
    }

    /// Puts later chunks, linked from `begin` to `end`, behind `before` in the chain that begins with `first`.
    pub(crate) fn insert_chunks(
        &mut self,
        first: ChunkRef,
        before: ChunkRef,
        begin: ChunkRef,
        end: ChunkRef,
    ) {
        let next = self.after(before);
        self.set_tail_next(end, next);
        self.link_chunk(first, before, begin);
        if next.is_null() {
            self.set_chain_last(first, end);
        }
    }

    /// Makes `chunk` follow `before`.
    fn link_chunk(&mut self, first: ChunkRef, before: ChunkRef, chunk: ChunkRef) {
        if first == before {
            self.set_chain_next(first, chunk);
        } else {
            self.set_tail_next(before, chunk);
        }
    }

    /// The first chunk of the item that a chunk belongs to.
    pub(crate) fn first_of(&self, chunk: ChunkRef) -> ChunkRef {
        let mut first = chunk;
        while self.head(first).state() == State::Tail {
            first = self.tail_first(first);
        }
        first
    }

    /// Copies a chunk of the item that begins with `first` to `target`, an unused chunk of the same class, and makes
    /// the rest of its chain refer to the copy. The time grows with the length of the chain. Returns the bytes copied.
    pub(crate) fn move_chunk(
        &mut self,
        chunk: ChunkRef,
        target: ChunkRef,
        first: ChunkRef,
    ) -> usize {
        let (from, to) = (self.slabs.address(chunk), self.slabs.address(target));
        let (value_at, value_bytes) = self.value_range(chunk);
        let bytes = value_at + value_bytes - from;
        self.slabs.segment.copy(from, to, bytes);
        if chunk != first {
            let before = self
                .chunks(first)
                .take_while(|&other| other != chunk)
                .last();
            let before = before.expect("a later chunk has one before it");
            self.link_chunk(first, before, target);
            if self.chain_last(first) == chunk {
                self.set_chain_last(first, target);
            }
        }
        let mut tail = self.after(target);
        while !tail.is_null() {
            if self.tail_first(tail) == chunk {
                self.set_word(tail, TAIL_FIRST_AT, target.0);
            }
            tail = self.tail_next(tail);
        }
        bytes
    }

    /// The chunk behind `chunk`, which is the first or a later chunk of an item.
    #[inline]
    pub(crate) fn after(&self, chunk: ChunkRef) -> ChunkRef {
        match self.head(chunk).state() {
            State::Tail => self.tail_next(chunk),
            _ => self.item(chunk).next_chunk(),
        }
    }

    /// Offset and length of the value's bytes in any chunk of an item.
    #[inline]
    pub(crate) fn value_range(&self, chunk: ChunkRef) -> (usize, usize) {
        let head = self.head(chunk);
        let at = if head.state() == State::Tail {
            TAIL_BYTES
        } else {
            head.value_at(self.cas_bytes)
        };
        (self.slabs.address(chunk) + at, self.length_of(chunk))
    }

    /// Value bytes in any chunk. In a later chunk only the first word of 32 bits is that of a head.
    #[inline]
    fn length_of(&self, chunk: ChunkRef) -> usize {
        self.head(chunk).length()
    }

    /// The value of an item, chunk by chunk.
    pub(crate) fn value_chunks(&self, first: ChunkRef) -> ValueChunks<'_> {
        ValueChunks {
            items: self,
            next: first,
        }
    }

    /// The chunks of an item.
    pub(crate) fn chunks(&self, first: ChunkRef) -> impl Iterator<Item = ChunkRef> {
        std::iter::successors(Some(first), |&chunk| {
            Some(self.after(chunk)).filter(|next| !next.is_null())
        })
    }
}

/// Iterator over the pieces of a value.
#[derive(Clone, Debug)]
pub(crate) struct ValueChunks<'a> {
    items: &'a Items,
    next: ChunkRef,
}

impl<'a> Iterator for ValueChunks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.next.is_null() {
            return None;
        }
        let (at, len) = self.items.value_range(self.next);
        self.next = self.items.after(self.next);
        Some(self.items.slabs.segment.bytes(at, len))
    }
}
