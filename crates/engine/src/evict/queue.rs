//! First in, first out: references of items in chunks of the index's class.
//!
//! ```text
//! first                                   last
//! | next | 42 entries | -> ... -> | next | 42 entries |         256 bytes each
//!              ^ read                          ^ written
//! ```
//!
//! An entry is the reference of a chunk and 16 bits of its item's hash. The bits show whether the item has gone.

use crate::slab::{ChunkRef, Slabs};
use crate::types::KeyHash;

const NEXT_BYTES: usize = 4;
const ENTRY_BYTES: usize = 6;
/// Entries of a chunk.
const ENTRIES: u8 = 42;

const _: () = assert!(NEXT_BYTES + ENTRIES as usize * ENTRY_BYTES == crate::index::EXTENT_BYTES);

/// One item's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) chunk: ChunkRef,
    tag: u16,
}

impl Entry {
    /// The entry of the item at `chunk` with this hash.
    pub(crate) fn new(chunk: ChunkRef, hash: KeyHash) -> Self {
        Self {
            chunk,
            tag: (hash.0 >> 32) as u16,
        }
    }
}

/// References of the newest items of a class, first in, first out, in chunks of the class of the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    first: ChunkRef,
    last: ChunkRef,
    read: u8,
    written: u8,
    len: u64,
    /// Number of chunks that have left the front of the queue.
    left: u64,
}

/// A place between two chunks of a queue, for a walk that pauses while the queue changes at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueCursor {
    /// The chunk before this place, null at the beginning, and its number: how many chunks the queue has had before it.
    behind: ChunkRef,
    number: u64,
}

impl Default for QueueCursor {
    fn default() -> Self {
        Self {
            behind: ChunkRef::NULL,
            number: 0,
        }
    }
}

fn next_of(slabs: &Slabs, chunk: ChunkRef) -> ChunkRef {
    let bytes = slabs.segment.bytes(slabs.address(chunk), NEXT_BYTES);
    ChunkRef(u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
}

fn set_next(slabs: &mut Slabs, chunk: ChunkRef, next: ChunkRef) {
    let at = slabs.address(chunk);
    slabs.segment.write(at, &next.0.to_le_bytes());
}

fn entry_at(slabs: &Slabs, chunk: ChunkRef, index: u8) -> Entry {
    let at = slabs.address(chunk) + NEXT_BYTES + usize::from(index) * ENTRY_BYTES;
    let bytes = slabs.segment.bytes(at, ENTRY_BYTES);
    Entry {
        chunk: ChunkRef(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        tag: u16::from_le_bytes([bytes[4], bytes[5]]),
    }
}

impl Queue {
    pub(crate) const EMPTY: Self = Self {
        first: ChunkRef::NULL,
        last: ChunkRef::NULL,
        read: 0,
        written: 0,
        len: 0,
        left: 0,
    };

    /// Number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no room for an entry.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.last.is_null() || self.written == ENTRIES
    }

    /// Adds an unused chunk of the index's class. The queue is full.
    pub(crate) fn add_chunk(&mut self, slabs: &mut Slabs, chunk: ChunkRef) {
        debug_assert!(self.is_full(), "a queue grows when it is full");
        set_next(slabs, chunk, ChunkRef::NULL);
        if self.last.is_null() {
            (self.first, self.read) = (chunk, 0);
        } else {
            set_next(slabs, self.last, chunk);
        }
        (self.last, self.written) = (chunk, 0);
    }

    /// Adds an entry. The queue is not full.
    #[inline]
    pub(crate) fn push(&mut self, slabs: &mut Slabs, entry: Entry) {
        let at = slabs.address(self.last) + NEXT_BYTES + usize::from(self.written) * ENTRY_BYTES;
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&entry.chunk.0.to_le_bytes());
        bytes[4..].copy_from_slice(&entry.tag.to_le_bytes());
        slabs.segment.write(at, &bytes);
        self.written += 1;
        self.len += 1;
    }

    /// Takes the oldest entry out.
    #[inline]
    pub(crate) fn pop(&mut self, slabs: &mut Slabs) -> Option<Entry> {
        if self.len == 0 {
            return None;
        }
        if self.read == ENTRIES {
            self.leave_first(slabs);
            self.read = 0;
        }
        let entry = entry_at(slabs, self.first, self.read);
        self.read += 1;
        self.len -= 1;
        if self.len == 0 {
            self.restart(slabs);
        }
        Some(entry)
    }

    /// Keeps one empty chunk.
    fn restart(&mut self, slabs: &mut Slabs) {
        while self.first != self.last {
            self.leave_first(slabs);
        }
        (self.read, self.written) = (0, 0);
    }

    fn leave_first(&mut self, slabs: &mut Slabs) {
        let read = self.first;
        self.first = next_of(slabs, read);
        self.left += 1;
        slabs.give(read);
    }

    /// Goes on with a walk over the chunks, `looks` of them at most, and moves those in pages that are being emptied.
    /// True at the end of the queue.
    pub(crate) fn relocate(
        &mut self,
        slabs: &mut Slabs,
        cursor: &mut QueueCursor,
        looks: usize,
    ) -> bool {
        if cursor.number < self.left {
            *cursor = QueueCursor::default();
        }
        for _ in 0..looks {
            let behind = cursor.behind;
            let mut chunk = if behind.is_null() {
                self.first
            } else {
                next_of(slabs, behind)
            };
            if chunk.is_null() {
                return true;
            }
            if let Some(target) = slabs.relocate(chunk) {
                if behind.is_null() {
                    self.first = target;
                } else {
                    set_next(slabs, behind, target);
                }
                if self.last == chunk {
                    self.last = target;
                }
                chunk = target;
            }
            cursor.number = if behind.is_null() {
                self.left
            } else {
                cursor.number + 1
            };
            cursor.behind = chunk;
        }
        false
    }

    /// The entry that is so many places behind the oldest one, if both lie in the same chunk.
    #[inline]
    pub(crate) fn ahead(&self, slabs: &Slabs, places: u8) -> Option<Entry> {
        let index = self.read + places;
        (u64::from(places) < self.len && index < ENTRIES)
            .then(|| entry_at(slabs, self.first, index))
    }

    /// Frees the chunk of an empty queue; false if there is none.
    pub(crate) fn free_if_empty(&mut self, slabs: &mut Slabs) -> bool {
        if self.len > 0 || self.first.is_null() {
            return false;
        }
        debug_assert_eq!(self.first, self.last, "an empty queue has one chunk");
        slabs.give(self.first);
        let left = self.left + 1;
        *self = Self {
            left,
            ..Self::EMPTY
        };
        true
    }

    /// Calls `visit` with each entry; returns the number of chunks. Panics if the length is wrong.
    pub(crate) fn check_integrity(&self, slabs: &Slabs, mut visit: impl FnMut(Entry)) -> u64 {
        let (mut chunks, mut len) = (0, 0);
        let mut chunk = self.first;
        while !chunk.is_null() {
            chunks += 1;
            let start = if chunk == self.first { self.read } else { 0 };
            let end = if chunk == self.last {
                self.written
            } else {
                ENTRIES
            };
            for index in start..end {
                visit(entry_at(slabs, chunk, index));
                len += 1;
            }
            chunk = next_of(slabs, chunk);
        }
        assert_eq!(len, self.len, "entries of a queue");
        chunks
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::config::EngineConfig;
    use crate::slab::INDEX_CLASS;

    pub(crate) fn slabs() -> Slabs {
        let config = EngineConfig {
            page_bytes: 16 << 10,
            segment_bytes: 1 << 20,
            ..EngineConfig::default()
        };
        let extent = crate::index::EXTENT_BYTES;
        Slabs::new(&config, Budget::new(1 << 20), 14, extent).unwrap()
    }

    pub(crate) fn take(slabs: &mut Slabs) -> ChunkRef {
        slabs.take(INDEX_CLASS).unwrap_or_else(|| {
            assert!(slabs.add_page(INDEX_CLASS, 0));
            slabs.take(INDEX_CLASS).unwrap()
        })
    }

    fn entry(number: u32) -> Entry {
        Entry::new(ChunkRef(number), KeyHash(u64::from(number * 7) << 32))
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let mut slabs = slabs();
        let mut queue = Queue::EMPTY;
        let (mut pushed, mut popped) = (0, 0);
        for (more, fewer) in [(1, 1), (42, 42), (100, 30), (500, 569), (43, 1), (1, 44)] {
            for _ in 0..more {
                if queue.is_full() {
                    let chunk = take(&mut slabs);
                    queue.add_chunk(&mut slabs, chunk);
                }
                queue.push(&mut slabs, entry(pushed));
                pushed += 1;
            }
            assert_eq!(
                queue.ahead(&slabs, 0).unwrap_or(entry(popped)),
                entry(popped)
            );
            for _ in 0..fewer {
                let expected = entry(popped);
                assert_eq!(queue.pop(&mut slabs), Some(expected));
                popped += 1;
            }
            let mut next = popped;
            let chunks = queue.check_integrity(&slabs, |found| {
                assert_eq!(found, entry(next));
                next += 1;
            });
            assert_eq!((next, u64::from(next - popped)), (pushed, queue.len()));
            assert_eq!(chunks, slabs.used_chunks(INDEX_CLASS));
        }
        assert_eq!(queue.pop(&mut slabs), None);
        assert!(queue.free_if_empty(&mut slabs) && !queue.free_if_empty(&mut slabs));
        assert_eq!(slabs.used_chunks(INDEX_CLASS), 0);
    }

    #[test]
    fn chunks_move_while_entries_come_and_go() {
        let mut slabs = slabs();
        let mut queue = Queue::EMPTY;
        let mut pushed = 0;
        let push = |queue: &mut Queue, slabs: &mut Slabs, pushed: &mut u32| {
            if queue.is_full() {
                let chunk = take(slabs);
                queue.add_chunk(slabs, chunk);
            }
            queue.push(slabs, entry(*pushed));
            *pushed += 1;
        };
        // More than two pages of chunks.
        while queue.len() < 6000 {
            push(&mut queue, &mut slabs, &mut pushed);
        }
        let emptied = slabs.page_of(queue.first);
        assert_ne!(slabs.page_of(queue.last), emptied);
        assert!(slabs.add_page(INDEX_CLASS, 0));
        slabs.start_draining(emptied);
        let (mut cursor, mut popped, mut steps) = (QueueCursor::default(), 0, 0);
        while !queue.relocate(&mut slabs, &mut cursor, 3) {
            for _ in 0..50 {
                assert_eq!(queue.pop(&mut slabs), Some(entry(popped)));
                popped += 1;
                push(&mut queue, &mut slabs, &mut pushed);
            }
            steps += 1;
        }
        assert!(steps > 10, "{steps} steps are enough to meet all changes");
        assert_eq!(slabs.page(emptied).class, crate::slab::NO_CLASS);
        let chunks = queue.check_integrity(&slabs, |found| {
            assert_eq!(found, entry(popped));
            popped += 1;
        });
        assert_eq!((popped, chunks), (pushed, slabs.used_chunks(INDEX_CLASS)));
    }
}
