//! Larger chunks than needed, for classes that have no chunks of their own.

use super::Memory;
use super::activity::CLASSES_PER_UNIT;
use super::allocate::LOOKS_MAX;
use crate::slab::{ChunkRef, INDEX_CLASS};

/// How many times larger than needed a chunk may be, while there is no page for the right class.
const LARGER_MAX: usize = 4;
/// Number of classes of larger chunks in which an eviction is tried then.
const LARGER_TRIED: usize = 4;

impl Memory<'_> {
    /// The class that gives memory to `class` when that has no free chunk: `class` itself or, if it has no pages, the
    /// next larger class that has some. Rare sizes share pages: if each had a page of its own, these pages would be
    /// most of the memory of a small cache.
    ///
    /// A request counts for each class on the way as if that class had evicted: any of them could serve it, and the
    /// larger a class is, the more sizes ask it. The first class that would keep its items as long as others do gets a
    /// page (balance.rs).
    pub(super) fn host_of(&mut self, class: u8) -> u8 {
        if class == INDEX_CLASS || !self.victims.are_allowed() {
            return class;
        }
        for host in std::iter::once(class).chain(self.larger_classes(class)) {
            if self.contents.items.slabs.page_count(host) > 0 {
                self.effort
                    .spend(u64::from(host - class) / CLASSES_PER_UNIT);
                return host;
            }
            self.note_shortage(host);
            self.relieve(host);
        }
        class
    }

    /// For a later chunk of a chain: takes a larger chunk that an evicted chain has just left.
    pub(super) fn take_larger_tail(&mut self, class: u8) -> Option<ChunkRef> {
        let slabs = &mut self.contents.items.slabs;
        let larger = slabs.sizes.later_classes().into_iter();
        let chunk = larger
            .filter(|&other| other > class)
            .find_map(|other| slabs.take(other))?;
        self.note_shortage(class);
        Some(chunk)
    }

    /// The classes whose chunks are somewhat larger than those of `class`.
    pub(super) fn larger_classes(&self, class: u8) -> std::ops::Range<u8> {
        let sizes = &self.contents.items.slabs.sizes;
        let largest = sizes.chunk_bytes(class) * LARGER_MAX;
        let end = sizes.len() as u8;
        let fits = (class + 1..end).take_while(|&other| sizes.chunk_bytes(other) <= largest);
        class + 1..class + 1 + fits.count() as u8
    }

    /// Called when the class has nothing to evict and the pool is empty, as when many new sizes come at once. Takes a
    /// chunk that is somewhat too large, and begins to empty a page for the class.
    #[cold]
    pub(super) fn take_larger(&mut self, class: u8) -> Option<ChunkRef> {
        if !self.victims.are_allowed() {
            return None;
        }
        if !self.placement.is_draining() {
            self.move_any_page_to(class);
        }
        let larger = self.larger_classes(class);
        if let Some(chunk) = larger
            .clone()
            .find_map(|other| self.contents.items.slabs.take(other))
        {
            return Some(chunk);
        }
        let mut tried = 0;
        for other in larger {
            if self.contents.items.slabs.page_count(other) > 0 && tried < LARGER_TRIED {
                tried += 1;
                self.evict_one(other, LOOKS_MAX);
                if let Some(chunk) = self.contents.items.slabs.take(other) {
                    return Some(chunk);
                }
            }
        }
        None
    }
}
