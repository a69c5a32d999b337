//! Items in chunks: reading their fields, writing them, walking their chains.
//!
//! Everything here is safe code over [`Segment`](crate::segment::Segment)'s slices: a wrong reference reads the wrong
//! bytes or panics; it never leads out of the segment.

mod chain;
mod head;
mod link;
pub(crate) mod policy;
mod write;

pub(crate) use self::head::{
    ACCESS_MODULUS, CAS_BYTES, CHAIN_BYTES, GROWTH_BYTES, HEAD_BYTES, Head, Marks, State,
    TAIL_BYTES,
};
pub use self::link::next_piece;
pub(crate) use self::write::Fields;

use crate::slab::{ChunkRef, Slabs};
use crate::types::{Deadline, KeyHash, KeyHasher};

/// The offset of the second cache line to prefetch: the end of the usual header and of a short key.
const PREFETCH_BYTES: usize = 40;

/// The slabs of a shard, seen as items.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) slabs: Slabs,
    /// Width of a cas unique: [`CAS_BYTES`], or 0 with cas disabled.
    pub(crate) cas_bytes: usize,
}

#[inline]
fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let field = &bytes[at..at + 4];
    u32::from_le_bytes([field[0], field[1], field[2], field[3]])
}

impl Items {
    /// The head of the chunk.
    #[inline]
    pub(crate) fn head(&self, chunk: ChunkRef) -> Head {
        let bytes = self
            .slabs
            .segment
            .bytes(self.slabs.address(chunk), HEAD_BYTES);
        Head(u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }

    /// Replaces the head of the chunk.
    #[inline]
    pub(crate) fn set_head(&mut self, chunk: ChunkRef, head: Head) {
        let address = self.slabs.address(chunk);
        self.slabs.segment.store(address, head.0);
    }

    #[inline]
    fn word(&self, chunk: ChunkRef, at: usize) -> u32 {
        read_u32(
            self.slabs.segment.bytes(self.slabs.address(chunk) + at, 4),
            0,
        )
    }

    #[inline]
    fn set_word(&mut self, chunk: ChunkRef, at: usize, word: u32) {
        let address = self.slabs.address(chunk) + at;
        self.slabs.segment.write(address, &word.to_le_bytes());
    }

    /// A view of the item.
    #[inline]
    pub(crate) fn item(&self, chunk: ChunkRef) -> Item<'_> {
        let head = self.head(chunk);
        let bytes = head.value_at(self.cas_bytes) + head.length();
        let bytes = self.slabs.segment.bytes(self.slabs.address(chunk), bytes);
        Item {
            bytes,
            head,
            cas_bytes: self.cas_bytes,
        }
    }

    /// Whether the linked item at `chunk` has this key.
    #[inline]
    pub(crate) fn has_key(&self, chunk: ChunkRef, key: &[u8]) -> bool {
        let head = self.head(chunk);
        let at = self.slabs.address(chunk) + head.key_at(self.cas_bytes);
        head.key_bytes() == key.len() && self.slabs.segment.bytes(at, key.len()) == key
    }

    /// Prefetches the header and a short key.
    #[inline]
    pub(crate) fn prefetch(&self, chunk: ChunkRef) {
        let address = self.slabs.address(chunk);
        self.slabs.segment.prefetch(address);
        self.slabs.segment.prefetch(address + PREFETCH_BYTES);
    }

    /// Hash of the key of the item at `chunk`.
    #[inline]
    pub(crate) fn hash_of(&self, hasher: KeyHasher, chunk: ChunkRef) -> KeyHash {
        hasher.hash(self.item(chunk).key())
    }

    /// Whether an item with this head has room for `deadline` and `cas` in its place.
    #[inline]
    pub(crate) fn has_room(&self, head: Head, deadline: Deadline, cas: u64) -> bool {
        (head.has_deadline() || deadline == Deadline::NEVER)
            && (head.has_cas64() || !self.is_wide(cas))
    }

    /// Whether `cas` takes more than the usual width.
    #[inline]
    pub(crate) fn is_wide(&self, cas: u64) -> bool {
        self.cas_bytes != 0 && cas >> (8 * self.cas_bytes) != 0
    }

    /// Sets the marks of the item at `chunk`, in place of its former marks.
    pub(crate) fn set_marks(&mut self, chunk: ChunkRef, marks: Marks) {
        let head = self.head(chunk);
        self.set_head(chunk, head.with_marks(marks));
    }

    /// Replaces a cas unique by one of the same width.
    pub(crate) fn set_cas(&mut self, chunk: ChunkRef, cas: u64) {
        let width = self.head(chunk).flags_at(self.cas_bytes) - HEAD_BYTES;
        let address = self.slabs.address(chunk) + HEAD_BYTES;
        debug_assert!(
            width == 8 || cas >> (8 * width) == 0,
            "cas {cas} in {width} bytes"
        );
        self.slabs
            .segment
            .write(address, &cas.to_le_bytes()[..width]);
    }

    /// Replaces the deadline of an item that has one.
    pub(crate) fn set_deadline(&mut self, chunk: ChunkRef, deadline: Deadline) {
        let head = self.head(chunk);
        debug_assert!(head.has_deadline(), "the item has no room for a deadline");
        self.set_word(chunk, head.deadline_at(self.cas_bytes), deadline.0);
        self.note_deadline(chunk, deadline);
    }

    /// Tells the page of `chunk` that an item in it dies at `deadline`.
    pub(crate) fn note_deadline(&mut self, chunk: ChunkRef, deadline: Deadline) {
        if deadline != Deadline::NEVER {
            let page = self.slabs.page_of(chunk);
            let page = self.slabs.page_mut(page);
            page.note_deadline(deadline.0);
        }
    }
}

/// A view of one item's first chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    bytes: &'a [u8],
    pub(crate) head: Head,
    cas_bytes: usize,
}

impl<'a> Item<'a> {
    /// The cas unique, 0 without.
    #[inline]
    pub(crate) fn cas(&self) -> u64 {
        let field = &self.bytes[HEAD_BYTES..self.head.flags_at(self.cas_bytes)];
        let mut bytes = [0; 8];
        bytes[..field.len()].copy_from_slice(field);
        u64::from_le_bytes(bytes)
    }

    /// The client flags, 0 where none are kept.
    #[inline]
    pub(crate) fn client_flags(&self) -> u32 {
        if self.head.has_flags() {
            read_u32(self.bytes, self.head.flags_at(self.cas_bytes))
        } else {
            0
        }
    }

    /// The deadline.
    #[inline]
    pub(crate) fn deadline(&self) -> Deadline {
        if self.head.has_deadline() {
            Deadline(read_u32(self.bytes, self.head.deadline_at(self.cas_bytes)))
        } else {
            Deadline::NEVER
        }
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &'a [u8] {
        let at = self.head.key_at(self.cas_bytes);
        &self.bytes[at..at + self.head.key_bytes()]
    }

    /// The value's bytes in this chunk.
    #[inline]
    pub(crate) fn value_here(&self) -> &'a [u8] {
        &self.bytes[self.head.value_at(self.cas_bytes)..]
    }

    /// Length of the whole value.
    #[inline]
    pub(crate) fn value_bytes(&self) -> usize {
        if self.head.is_chain() {
            read_u32(self.bytes, self.head.chain_at(self.cas_bytes)) as usize
        } else {
            self.head.length()
        }
    }

    /// Bytes of header, key and value that the item needs, before rounding. Headers of later chunks of a chain are not
    /// counted.
    pub(crate) fn requested_bytes(&self) -> usize {
        self.head.value_at(self.cas_bytes) + self.value_bytes()
    }

    /// Bytes of key and value.
    #[inline]
    pub(crate) fn payload_bytes(&self) -> usize {
        self.head.key_bytes() + self.value_bytes()
    }

    /// The second chunk of a chain.
    #[inline]
    pub(crate) fn next_chunk(&self) -> ChunkRef {
        if self.head.is_chain() {
            ChunkRef(read_u32(self.bytes, self.head.chain_at(self.cas_bytes) + 4))
        } else {
            ChunkRef::NULL
        }
    }
}
