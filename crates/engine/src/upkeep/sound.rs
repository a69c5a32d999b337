//! Checks that the memory a restart has found is as it was saved, and that its references can be followed.
//!
//! The checksums show that state and pages are as they were. The other checks show that an engine can have left them:
//! every reference leads to a chunk of the right kind, nothing is longer than its chunk, no chain is endless, and items
//! and index agree. So no request meets any damage later, whatever its origin. Nothing here trusts memory that was not
//! checked before.
//!
//! ```text
//! checksum of a page -> its free chunks -> its items, chains, and their lookups -> the census of all is the saved one
//! ```
//!
//! Pages are gone through in the order of memory, right after their checksum has brought them into the processor's
//! cache, and lookups in the index are prefetched.

use std::io;

use crate::contents::Census;
use crate::engine::Engine;
use crate::item::{Head, State, TAIL_BYTES};
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId, SavedSlabs};
use crate::types::KeyHash;

/// Lookups in the index that are under way at a time.
const LOOKUPS: usize = 32;

/// Counts and items found in the pages.
#[derive(Debug)]
struct Found {
    census: Census,
    tails: u64,
    tails_of_chains: u64,
    /// Items of the page at hand.
    linked: Vec<(ChunkRef, KeyHash)>,
}

impl Engine {
    /// Whether all memory that was taken over is as it was saved, and its references can be followed.
    ///
    /// # Errors
    ///
    /// The file system has no room for a page that is a hole in the file.
    pub(crate) fn is_sound(&mut self, saved: &SavedSlabs) -> io::Result<bool> {
        self.contents.items.slabs.back_adopted(saved)?;
        Ok(self.is_index_sound(saved) && self.are_items_sound(saved))
    }

    fn is_index_sound(&self, saved: &SavedSlabs) -> bool {
        let slabs = &self.contents.items.slabs;
        let Some(extents) = self.contents.index.sound_extents(slabs) else {
            return false;
        };
        let is_free = |chunk: ChunkRef| {
            extents
                .binary_search_by_key(&chunk.0, |extent| extent.0)
                .is_err()
        };
        let is_page_sound = |id: PageId| {
            let page = slabs.page(id);
            let chunks = page.carved / slabs.sizes.chunk_bytes(INDEX_CLASS) as u32;
            slabs.is_as_saved(id, saved)
                && slabs.count_free(id, is_free) == chunks.checked_sub(page.in_use)
        };
        let mut pages = (1..slabs.pages_end()).filter(|&id| slabs.page(id).class == INDEX_CLASS);
        extents.len() as u64 == slabs.used_chunks(INDEX_CLASS)
            && pages.all(is_page_sound)
            && self.contents.index.has_sound_buckets(slabs)
    }

    fn are_items_sound(&self, saved: &SavedSlabs) -> bool {
        let slabs = &self.contents.items.slabs;
        let mut found = Found {
            census: Census::new(slabs.sizes.len()),
            tails: 0,
            tails_of_chains: 0,
            linked: Vec::new(),
        };
        let mut pages = (1..slabs.pages_end()).filter(|&id| slabs.page(id).class != INDEX_CLASS);
        pages.all(|id| slabs.is_as_saved(id, saved) && self.is_page_sound(id, &mut found))
            && self.agrees_with(&found)
    }

    fn agrees_with(&self, found: &Found) -> bool {
        found.census.items() == self.contents.index.items() as u64
            && found.census == self.contents.census
            && found.tails == found.tails_of_chains
    }

    /// Checks the chunks of a page. Its bytes are those that were saved.
    fn is_page_sound(&self, id: PageId, found: &mut Found) -> bool {
        let slabs = &self.contents.items.slabs;
        let page = slabs.page(id);
        if page.class == NO_CLASS {
            return true;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(page.class) as u32;
        let mut free = 0;
        found.linked.clear();
        for number in 0..page.carved / chunk_bytes {
            let Some(chunk) = slabs.chunk_in(id, number * chunk_bytes) else {
                return false;
            };
            let is_sound = match self.contents.items.head(chunk).known_state() {
                Some(State::Free) => {
                    free += 1;
                    true
                }
                Some(State::Tail) => {
                    found.tails += 1;
                    self.is_tail(chunk)
                }
                Some(State::Linked | State::LinkedChain) => self.is_item_sound(chunk, found),
                _ => false,
            };
            if !is_sound {
                return false;
            }
        }
        let is_free = |chunk| self.contents.items.head(chunk).known_state() == Some(State::Free);
        free + page.in_use == page.carved / chunk_bytes
            && slabs.count_free(id, is_free) == Some(free)
            && self.are_indexed(&found.linked)
    }

    /// Whether the index has each of these items where its key says.
    fn are_indexed(&self, linked: &[(ChunkRef, KeyHash)]) -> bool {
        let slabs = &self.contents.items.slabs;
        linked.chunks(LOOKUPS).all(|batch| {
            for &(_, hash) in batch {
                self.contents.index.prefetch(slabs, hash);
            }
            batch.iter().all(|&(chunk, hash)| {
                let key = self.contents.items.item(chunk).key();
                let found = self
                    .contents
                    .index
                    .find(slabs, hash, key, |other| other == chunk);
                found.is_some()
            })
        })
    }

    fn is_item_sound(&self, first: ChunkRef, found: &mut Found) -> bool {
        let class = self.contents.items.slabs.class_of(first);
        let chunk_bytes = self.contents.items.slabs.sizes.chunk_bytes(class);
        let head = self.contents.items.head(first);
        let bytes = head.value_at(self.contents.items.cas_bytes) + head.length();
        if bytes > chunk_bytes || head.key_bytes() == 0 {
            return false;
        }
        let item = self.contents.items.item(first);
        found.census.add(class, &item);
        found.linked.push((first, self.contents.hash_of(first)));
        !head.is_chain() || self.is_chain_sound(first, head, found)
    }

    fn is_chain_sound(&self, first: ChunkRef, head: Head, found: &mut Found) -> bool {
        let chunks = self.contents.items.slabs.chunks_in_use();
        let (mut value_bytes, mut last, mut number) = (head.length(), first, 0);
        let mut tail = self.contents.items.chain_next(first);
        while !tail.is_null() {
            found.tails_of_chains += 1;
            number += 1;
            let goes_on = found.tails_of_chains <= chunks
                && self.is_tail(tail)
                && self.leads_to(first, tail, number);
            if !goes_on {
                return false;
            }
            value_bytes += self.contents.items.value_range(tail).1;
            (last, tail) = (tail, self.contents.items.tail_next(tail));
        }
        value_bytes == self.contents.items.item(first).value_bytes()
            && self.contents.items.chain_last(first) == last
    }

    /// Whether this is a later chunk of a chain.
    fn is_tail(&self, chunk: ChunkRef) -> bool {
        let slabs = &self.contents.items.slabs;
        let id = slabs.page_of(chunk);
        if id >= slabs.pages_end() {
            return false;
        }
        let class = slabs.page(id).class;
        if class == INDEX_CLASS || !slabs.is_chunk_of(class, chunk) {
            return false;
        }
        let head = self.contents.items.head(chunk);
        head.known_state() == Some(State::Tail)
            && TAIL_BYTES + head.length() <= slabs.sizes.chunk_bytes(class)
    }

    /// Whether the chunk that a later chunk names as its first leads to `first` in so many steps.
    fn leads_to(&self, first: ChunkRef, tail: ChunkRef, steps: usize) -> bool {
        let mut chunk = tail;
        for _ in 0..steps {
            chunk = self.contents.items.tail_first(chunk);
            if chunk == first {
                return true;
            }
            if !self.is_tail(chunk) {
                return false;
            }
        }
        false
    }
}
