//! The state of each page, and doubly linked lists of pages.
//!
//! A page is in one place at a time:
//!
//! ```text
//! vacant (address space only) -> pool (charged, no class) -> a class's pages [-> also its available pages] -> pool
//!     -> leaving (a part discarded) -> vacant
//! ```
//!
//! "Available" pages have a chunk to give: a freed one, or one never given yet (`carved`).

use serde::{Deserialize, Serialize};

use super::chunk::ChunkRef;
use super::mortality::Mortality;

/// Number of a page: its address divided by the page size. Page 0 does not exist, so 0 ends lists.
pub(crate) type PageId = u32;

/// Marks a page without a class.
pub(crate) const NO_CLASS: u8 = u8::MAX;

/// Deadline bound of a page that holds no item with a deadline.
pub(crate) const NO_DEADLINE: u32 = u32::MAX;

/// State of one page.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    /// Slab class, or [`NO_CLASS`].
    pub(crate) class: u8,
    /// Being emptied: gives no chunks.
    pub(crate) draining: bool,
    /// In the list of available pages of its class.
    pub(crate) available: bool,
    /// Chunks in use.
    pub(crate) in_use: u32,
    /// Number of first chunks of pinned values, and of the chunks that `receiving` counts.
    pub(crate) guarded: u32,
    /// Number of chunks of half-received values, except for chunks in the middle of chains. The page cannot be emptied
    /// before these values are whole.
    #[serde(skip)]
    pub(crate) receiving: u32,
    /// Bytes from the start of the page that have been cut into chunks.
    pub(crate) carved: u32,
    /// First of the freed chunks.
    pub(crate) free: ChunkRef,
    /// No item of this page dies before.
    pub(crate) deadline_min: u32,
    /// When items of this page die.
    pub(crate) mortality: Mortality,
    /// 1 more than the stamp of the flush in effect when the page was last gone through; 0 for none.
    pub(crate) flushed: u64,
    /// Neighbours among the pages of the class, or in the pool or vacant list.
    pub(crate) all: Links,
    /// Neighbours among the available pages of the class.
    pub(crate) avail: Links,
}

impl Page {
    pub(crate) const VACANT: Self = Self {
        class: NO_CLASS,
        draining: false,
        available: false,
        in_use: 0,
        guarded: 0,
        receiving: 0,
        carved: 0,
        free: ChunkRef::NULL,
        deadline_min: NO_DEADLINE,
        mortality: Mortality::EMPTY,
        flushed: 0,
        all: Links { prev: 0, next: 0 },
        avail: Links { prev: 0, next: 0 },
    };
}

impl Page {
    /// Forgets when items of the page die: from now on they are looked at one after the other.
    pub(crate) fn begin_visit(&mut self, now: u32, flushed: u64) {
        self.deadline_min = NO_DEADLINE;
        self.mortality = Mortality::begin(now);
        self.flushed = flushed;
    }

    /// Notes that an item of the page dies at `deadline`.
    #[inline]
    pub(crate) fn note_deadline(&mut self, deadline: u32) {
        self.deadline_min = self.deadline_min.min(deadline);
        self.mortality.note(deadline);
    }
}

/// Neighbours in a list; 0 is none.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Links {
    pub(crate) prev: PageId,
    pub(crate) next: PageId,
}

/// Which of a page's links a list uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    All,
    Available,
}

/// A list of pages.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) first: PageId,
    pub(crate) len: u32,
}

fn links(pages: &mut [Page], page: PageId, which: Which) -> &mut Links {
    let page = &mut pages[page as usize];
    match which {
        Which::All => &mut page.all,
        Which::Available => &mut page.avail,
    }
}

impl List {
    /// Puts `page` at the front.
    pub(crate) fn push(&mut self, pages: &mut [Page], page: PageId, which: Which) {
        *links(pages, page, which) = Links {
            prev: 0,
            next: self.first,
        };
        if self.first != 0 {
            links(pages, self.first, which).prev = page;
        }
        self.first = page;
        self.len += 1;
    }

    /// Takes `page` out.
    pub(crate) fn remove(&mut self, pages: &mut [Page], page: PageId, which: Which) {
        let Links { prev, next } = std::mem::take(links(pages, page, which));
        if prev == 0 {
            debug_assert_eq!(
                self.first, page,
                "a page without predecessor is the first of its list"
            );
            self.first = next;
        } else {
            links(pages, prev, which).next = next;
        }
        if next != 0 {
            links(pages, next, which).prev = prev;
        }
        self.len -= 1;
    }

    /// Takes the first page out.
    pub(crate) fn pop(&mut self, pages: &mut [Page], which: Which) -> Option<PageId> {
        let page = self.first;
        (page != 0).then(|| {
            self.remove(pages, page, which);
            page
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(list: &List, pages: &[Page]) -> Vec<PageId> {
        let mut out = Vec::new();
        let mut at = list.first;
        while at != 0 {
            out.push(at);
            at = pages[at as usize].all.next;
        }
        assert_eq!(out.len(), list.len as usize);
        out
    }

    #[test]
    fn pages_are_linked_and_unlinked_anywhere() {
        let mut pages = vec![Page::VACANT; 6];
        let mut list = List::default();
        for page in 1..6 {
            list.push(&mut pages, page, Which::All);
        }
        assert_eq!(collect(&list, &pages), [5, 4, 3, 2, 1]);
        list.remove(&mut pages, 3, Which::All);
        list.remove(&mut pages, 5, Which::All);
        list.remove(&mut pages, 1, Which::All);
        assert_eq!(collect(&list, &pages), [4, 2]);
        assert_eq!(list.pop(&mut pages, Which::All), Some(4));
        assert_eq!(list.pop(&mut pages, Which::All), Some(2));
        assert_eq!(list.pop(&mut pages, Which::All), None);
    }
}
