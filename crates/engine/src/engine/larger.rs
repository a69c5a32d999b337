//! Chunks that are larger than need be, for classes that have none of their own.

use super::Engine;
use super::memory::{EVICTIONS_MAX, LOOKS_MAX};
use crate::slab::ChunkRef;

/// How large, in percent of the right size, a chunk may be for a class that has no pages because it hardly needs one.
const LODGING_PERCENT: usize = 125;
/// How many times larger a chunk may be than what is needed, while there is no page for the right one.
const LARGER_MAX: usize = 3;
/// Classes of larger chunks in which something is evicted then.
const LARGER_TRIED: usize = 4;

impl Engine {
    /// For a class without pages that would hardly use one: a chunk of the next class that has some, if it is only a little
    /// too large. Otherwise each rare size would hold a page of its own, and in a small cache that is most of the memory.
    #[cold]
    pub(super) fn lodge(&mut self, class: u8) -> Option<ChunkRef> {
        if self.items.slabs.page_count(class) > 0 || !self.evictions_enabled {
            return None;
        }
        self.note_want(class);
        if self.deserves_page(class) {
            return None;
        }
        let sizes = &self.items.slabs.sizes;
        let largest = sizes.chunk_bytes(class) * LODGING_PERCENT / 100;
        let end = sizes.len() as u8;
        let host = (class + 1..end)
            .take_while(|&other| sizes.chunk_bytes(other) <= largest)
            .find(|&other| self.items.slabs.page_count(other) > 0)?;
        for _ in 0..EVICTIONS_MAX {
            if let Some(chunk) = self.items.slabs.take(host) {
                return Some(chunk);
            }
            let used_chunks = self.items.slabs.used_chunks(host);
            if !self.evict_one(host, LOOKS_MAX) {
                return None;
            }
            self.note_pressure(host, used_chunks);
        }
        None
    }

    /// Classes whose chunks are somewhat larger.
    pub(super) fn larger_classes(&self, class: u8) -> std::ops::Range<u8> {
        let sizes = &self.items.slabs.sizes;
        let largest = sizes.chunk_bytes(class) * LARGER_MAX;
        let end = sizes.len() as u8;
        let fits = (class + 1..end).take_while(|&other| sizes.chunk_bytes(other) <= largest);
        class + 1..class + 1 + fits.count() as u8
    }

    /// The class has nothing to evict and the pool is empty, as when many new sizes come at once: takes a chunk that is
    /// somewhat too large, and begins to empty a page for the class meanwhile.
    #[cold]
    pub(super) fn take_larger(&mut self, class: u8) -> Option<ChunkRef> {
        if !self.evictions_enabled {
            return None;
        }
        if self.drain.is_none() {
            self.move_any_page_to(class);
        }
        let larger = self.larger_classes(class);
        if let Some(chunk) = larger
            .clone()
            .find_map(|other| self.items.slabs.take(other))
        {
            return Some(chunk);
        }
        let mut tried = 0;
        for other in larger {
            if self.items.slabs.page_count(other) > 0 && tried < LARGER_TRIED {
                tried += 1;
                self.evict_one(other, LOOKS_MAX);
                if let Some(chunk) = self.items.slabs.take(other) {
                    return Some(chunk);
                }
            }
        }
        None
    }
}
