//! The self-check for tests: walks over everything and panics with a message that says what is wrong.
//!
//! ```text
//! slabs (lists, free chunks) -> index -> items and their chains -> census -> items outside the index -> guards
//! ```

use std::collections::HashSet;

use crate::engine::Engine;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS};

impl Engine {
    /// Panics unless slabs, items, index, pins and counters agree.
    pub fn check_integrity(&self) {
        let slabs = &self.contents.items.slabs;
        let in_use = slabs.check_integrity(|chunk| {
            slabs.class_of(chunk) == INDEX_CLASS
                || self.contents.items.head(chunk).state() == State::Free
        });
        let mut linked = HashSet::new();
        let index_chunks = self
            .contents
            .index
            .check_integrity(&self.contents.items, |chunk| {
                assert!(linked.insert(chunk), "an item is twice in the index");
            });
        assert_eq!(
            index_chunks + self.victims.check_probation(&self.contents, &linked),
            slabs.used_chunks(INDEX_CLASS),
            "chunks of the index, and of the queues and ghosts of new items"
        );
        let mut chunks = slabs.used_chunks(INDEX_CLASS);
        for &chunk in &linked {
            chunks += self.check_item(chunk);
        }
        self.contents.check_census(&linked);
        let report = self.memory_report();
        assert_eq!(report.total_bytes(), slabs.held_bytes(), "{report:?}");
        chunks += self.check_loose(&linked);
        assert_eq!(
            chunks, in_use,
            "chunks in use that belong to nothing (or the reverse)"
        );
        self.check_guards();
        self.placement.check_condensing(&self.contents.items.slabs);
    }

    /// Checks an item's chunks; returns their number.
    fn check_item(&self, first: ChunkRef) -> u64 {
        assert!(
            self.contents.items.head(first).is_linked(),
            "an item in the index is linked"
        );
        let mut value_bytes = 0;
        let mut count = 0;
        for chunk in self.contents.items.chunks(first) {
            if chunk != first {
                assert_eq!(
                    self.contents.items.head(chunk).state(),
                    State::Tail,
                    "a later chunk of a chain"
                );
                assert_eq!(
                    self.contents.items.first_of(chunk),
                    first,
                    "a later chunk leads to its first"
                );
            }
            let (at, len) = self.contents.items.value_range(chunk);
            let slabs = &self.contents.items.slabs;
            let end = slabs.address(chunk) + slabs.sizes.chunk_bytes(slabs.class_of(chunk));
            assert!(at + len <= end, "an item is longer than its chunk");
            value_bytes += len;
            count += 1;
        }
        let item = self.contents.items.item(first);
        if item.head.is_chain() {
            assert_eq!(
                self.contents.items.chunks(first).last(),
                Some(self.contents.items.chain_last(first)),
                "a chain knows its last chunk"
            );
        }
        assert_eq!(
            value_bytes,
            item.value_bytes(),
            "the chunks of a value make up its length"
        );
        let deadline = item.deadline().0;
        let id = self.contents.items.slabs.page_of(first);
        let page = self.contents.items.slabs.page(id);
        assert!(
            deadline == 0 || self.walks.are_inside(id) || page.deadline_min <= deadline,
            "a page knows its first deadline"
        );
        count
    }

    /// Counts the chunks of items that are not in the index.
    fn check_loose(&self, linked: &HashSet<ChunkRef>) -> u64 {
        let slabs = &self.contents.items.slabs;
        let mut chunks = 0;
        for id in 1..slabs.pages_end() {
            let class = slabs.page(id).class;
            if class == NO_CLASS || class == INDEX_CLASS {
                continue;
            }
            let mut offset = 0;
            while let Some(chunk) = slabs.chunk_in(id, offset) {
                offset += slabs.sizes.chunk_bytes(class) as u32;
                match self.contents.items.head(chunk).state() {
                    State::Linked | State::LinkedChain => {
                        assert!(linked.contains(&chunk), "a linked item is in the index");
                    }
                    State::Loose | State::LooseChain | State::Dying => {
                        chunks += (self.contents.items.chunks(chunk))
                            .inspect(|&part| assert_eq!(self.contents.items.first_of(part), chunk))
                            .count() as u64;
                    }
                    State::Free | State::Tail => {}
                }
            }
        }
        chunks
    }

    /// Checks that the guards of each page are as many as its pinned and staged items ask for.
    fn check_guards(&self) {
        let slabs = &self.contents.items.slabs;
        let mut guarded = vec![0; slabs.pages_end() as usize];
        for (first, detached) in self.contents.pins.iter() {
            assert_eq!(
                detached,
                !self.contents.items.head(first).is_linked(),
                "a pinned item has left the index"
            );
            guarded[slabs.page_of(first) as usize] += 1;
        }
        for (id, &pinned) in guarded.iter().enumerate() {
            let page = slabs.page(id as u32);
            assert_eq!(
                page.guarded,
                pinned + page.receiving,
                "pinned and half-received values of page {id}"
            );
        }
        if self.receiving.is_empty() {
            let receiving = (1..slabs.pages_end()).map(|id| slabs.page(id).receiving);
            assert_eq!(receiving.sum::<u32>(), 0, "nothing is being received");
        }
    }
}
