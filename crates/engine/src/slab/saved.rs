//! The saved state of a shard's pages, for a restart that finds the pages themselves in a file.
//!
//! Each page has a checksum that includes its number: a byte that has changed, or a page in the place of another, is
//! noticed before anything in the page is believed. The saved state has one checksum for all of it, which the server
//! verifies; here it is only checked that no number in the state leads outside the tables or round in circles.

use std::io;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::page::{List, Page, Which};
use super::{ChunkRef, Class, NO_CLASS, PageId, Slabs};

/// Pages, classes and checksums of a shard, as a restart needs them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedSlabs {
    pages: Vec<Page>,
    classes: Vec<Class>,
    pool: List,
    vacant: List,
    held_bytes: u64,
    /// The checksum of each page; 0 for vacant pages, and for page 0.
    sums: Vec<u64>,
}

/// For each page whether it has memory and is not just a number.
fn held(pages: &[Page], vacant: List) -> Vec<bool> {
    let mut held = vec![true; pages.len()];
    held[0] = false;
    let mut id = vacant.first;
    for _ in 0..vacant.len {
        held[id as usize] = false;
        id = pages[id as usize].all.next;
    }
    held
}

impl Slabs {
    /// The state that [`Self::adopt`] needs. Reads all memory in use.
    pub(crate) fn saved(&self) -> SavedSlabs {
        let held = held(&self.pages, self.vacant);
        let sum = |(id, &is_held): (usize, &bool)| if is_held { self.sum(id as PageId) } else { 0 };
        SavedSlabs {
            pages: self.pages.clone(),
            classes: self.classes.clone(),
            pool: self.pool,
            vacant: self.vacant,
            held_bytes: self.account.held_bytes(),
            sums: held.iter().enumerate().map(sum).collect(),
        }
    }

    fn sum(&self, id: PageId) -> u64 {
        let bytes = (self.segment).bytes(self.page_address(id), self.page_bytes());
        xxh3_64_with_seed(bytes, u64::from(id))
    }

    /// Takes over the pages of an earlier process; these are empty slabs over the same file, and `saved` is sound. The
    /// memory of these pages is charged even if it exceeds the limit, which may be lower now: the excess is then
    /// trimmed as after `cache_memlimit`.
    pub(crate) fn adopt(&mut self, saved: &SavedSlabs) {
        self.pages.clear();
        self.pages.extend_from_slice(&saved.pages);
        self.classes.clone_from(&saved.classes);
        self.pool = saved.pool;
        self.vacant = saved.vacant;
        let held_bytes = self.account.held_bytes();
        self.account.release(held_bytes);
        self.account.charge_anyway(saved.held_bytes);
    }

    /// Makes sure that all pages that were taken over can be written: a copy of the file may have left out zeros.
    ///
    /// # Errors
    ///
    /// The file system has no room for a hole.
    pub(crate) fn back_adopted(&mut self, saved: &SavedSlabs) -> io::Result<()> {
        let mut id = 1;
        while id < self.pages_end() {
            let is_held = |&id: &PageId| id < self.pages_end() && saved.has_bytes(id);
            let end = (id..).find(|id| !is_held(id)).unwrap_or(id);
            let (at, len) = (self.page_address(id), (end - id) as usize);
            if len > 0 {
                self.segment.back(at, len << self.page_shift)?;
            }
            id = end + 1;
        }
        Ok(())
    }

    /// Whether the bytes of a page are those that were saved.
    pub(crate) fn is_as_saved(&self, id: PageId, saved: &SavedSlabs) -> bool {
        !saved.has_bytes(id) || self.sum(id) == saved.sums[id as usize]
    }

    /// Whether `chunk` is a chunk of `class` that has been given before.
    pub(crate) fn is_chunk_of(&self, class: u8, chunk: ChunkRef) -> bool {
        let id = self.page_of(chunk);
        if id == 0 || id >= self.pages_end() || self.page(id).class != class {
            return false;
        }
        let offset = self.address(chunk) - self.page_address(id);
        offset < self.page(id).carved as usize
            && offset.is_multiple_of(self.sizes.chunk_bytes(class))
    }

    /// The number of free chunks that a page lists; `None` if one of them is not a chunk, or if `is_free` denies that
    /// it is free.
    pub(crate) fn count_free(&self, id: PageId, is_free: impl Fn(ChunkRef) -> bool) -> Option<u32> {
        let page = self.page(id);
        let chunks = page.carved / self.sizes.chunk_bytes(page.class) as u32;
        let mut chunk = page.free;
        for listed in 0..=chunks {
            if chunk.is_null() {
                return Some(listed);
            }
            if self.page_of(chunk) != id || !self.is_chunk_of(page.class, chunk) || !is_free(chunk)
            {
                return None;
            }
            let word = self.segment.bytes(self.address(chunk) + 4, 4);
            chunk = ChunkRef(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        None
    }
}

impl SavedSlabs {
    /// Whether a page had memory and was not just a number.
    fn has_bytes(&self, id: PageId) -> bool {
        self.pages[id as usize].class != NO_CLASS || self.sums[id as usize] != 0
    }

    /// Whether `slabs`, which are empty, can take this state over. `outside_bytes` are held beside the pages.
    pub(crate) fn is_sound(&self, slabs: &Slabs, outside_bytes: u64) -> bool {
        let pages = self.pages.len();
        (1..=slabs.pages_max).contains(&pages)
            && self.sums.len() == pages
            && self.classes.len() == slabs.sizes.len()
            && self.pages[1..]
                .iter()
                .all(|page| self.is_page_sound(slabs, page))
            && self.are_lists_sound()
            && (pages as u64 - 1 - u64::from(self.vacant.len)) * slabs.page_bytes() as u64
                + outside_bytes
                == self.held_bytes
    }

    fn is_page_sound(&self, slabs: &Slabs, page: &Page) -> bool {
        if page.class == NO_CLASS {
            return page.in_use == 0 && page.carved == 0 && !page.available;
        }
        if usize::from(page.class) >= self.classes.len() || page.draining {
            return false;
        }
        let chunk_bytes = slabs.sizes.chunk_bytes(page.class);
        let carved = page.carved as usize;
        let room = !page.free.is_null() || carved + chunk_bytes <= slabs.page_bytes();
        carved <= slabs.page_bytes()
            && carved.is_multiple_of(chunk_bytes)
            && page.in_use as usize <= carved / chunk_bytes
            && page.available == room
    }

    /// Whether each page is in exactly one list: that of its class, of the pool or of the vacant pages. A page that is
    /// marked as available also has to be in the list of available pages, once.
    fn are_lists_sound(&self) -> bool {
        let mut seen = vec![false; self.pages.len()];
        let mut available = vec![false; self.pages.len()];
        let follow =
            |list: List, which, seen: &mut [bool], class| self.follow(list, which, seen, class);
        let are_classes_sound = self.classes.iter().enumerate().all(|(number, class)| {
            let number = number as u8;
            follow(class.all, Which::All, &mut seen, number) == Some(class.used_chunks)
                && follow(class.available, Which::Available, &mut available, number).is_some()
        });
        are_classes_sound
            && follow(self.pool, Which::All, &mut seen, NO_CLASS) == Some(0)
            && follow(self.vacant, Which::All, &mut seen, NO_CLASS) == Some(0)
            && seen[1..].iter().all(|&seen| seen)
            && (self.pages.iter().zip(available)).all(|(page, listed)| page.available == listed)
    }

    /// Follows a list of pages of one class. Returns the number of chunks in use in them, or `None` if the list is
    /// broken.
    fn follow(&self, list: List, which: Which, seen: &mut [bool], class: u8) -> Option<u64> {
        let (mut before, mut id, mut used) = (0, list.first, 0);
        for _ in 0..list.len {
            let page = self.pages.get(id as usize)?;
            let links = match which {
                Which::All => page.all,
                Which::Available => page.avail,
            };
            let is_new = id != 0 && !std::mem::replace(&mut seen[id as usize], true);
            if !is_new || links.prev != before || page.class != class {
                return None;
            }
            used += u64::from(page.in_use);
            (before, id) = (id, links.next);
        }
        (id == 0).then_some(used)
    }
}
