//! Whether lists, counters and free chunks agree.

use super::{ChunkRef, NO_CLASS, PageId, Slabs};

impl Slabs {
    /// Panics unless lists, counters and free chunks agree. Returns the chunks in use, for the layers above.
    pub(crate) fn check_integrity(&self, is_free: impl Fn(ChunkRef) -> bool) -> u64 {
        let mut in_use = 0;
        for (class, state) in self.classes.iter().enumerate() {
            let class = class as u8;
            let mut used = 0;
            let (mut pages, mut available) = (0, 0);
            let mut id = state.all.first;
            while id != 0 {
                let page = self.page(id);
                assert_eq!(
                    page.class, class,
                    "page {id} is in the list of another class"
                );
                self.check_page(id, &is_free);
                used += u64::from(page.in_use);
                pages += 1;
                available += u32::from(page.available);
                id = page.all.next;
            }
            assert_eq!(pages, state.all.len, "pages of class {class}");
            assert_eq!(
                available, state.available.len,
                "available pages of class {class}"
            );
            assert_eq!(used, state.used_chunks, "chunks of class {class}");
            in_use += used;
        }
        let classless = self.pages[1..]
            .iter()
            .filter(|page| page.class == NO_CLASS)
            .count();
        assert_eq!(
            classless as u32,
            self.pool.len + u32::from(self.is_releasing()) + self.vacant.len,
            "pages without a class"
        );
        in_use
    }

    fn check_page(&self, id: PageId, is_free: &impl Fn(ChunkRef) -> bool) {
        let page = self.page(id);
        let chunk_bytes = self.sizes.chunk_bytes(page.class) as u32;
        let mut listed = 0;
        let mut chunk = page.free;
        while !chunk.is_null() {
            assert_eq!(self.page_of(chunk), id, "free chunk of another page");
            assert!(
                is_free(chunk),
                "chunk {chunk:?} is in the free list and in use"
            );
            let word = self.segment.bytes(self.address(chunk) + 4, 4);
            chunk = ChunkRef(u32::from_le_bytes(word.try_into().expect("4 bytes")));
            listed += 1;
        }
        let carved = page.carved / chunk_bytes;
        assert_eq!(carved, page.in_use + listed, "chunks of page {id}");
        let room = listed > 0 || page.carved as usize + chunk_bytes as usize <= self.page_bytes();
        assert_eq!(
            page.available,
            room && !page.draining,
            "availability of page {id}"
        );
        assert!(
            page.in_use > 0 || page.class != NO_CLASS,
            "page {id} is empty and has a class"
        );
    }
}
