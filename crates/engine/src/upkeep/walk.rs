//! Visiting every live item, or the live items of some slab classes, in bounded steps: for `lru_crawler metadump` and
//! similar commands.
//!
//! The walk follows the index in the order of [`crate::index`]'s spans and may pause anywhere, even inside a leaf,
//! whose items it visits in the order of their tags:
//!
//! ```text
//!          done       | leaf being visited                | to come
//! |-------------------|-- tags < tag: done -- tag.. : to come --|------------------|
//! 0                 from                                  to                  2^32
//! ```
//!
//! Items that the usual table has displaced follow, if there are any, from 2^32 to 2^33.
//!
//! An item that is in the cache from the first step to the last is visited, wherever its memory moves meanwhile. It is
//! visited once, unless its leaf is split between two steps that visit the leaf. An item that comes, changes or goes
//! meanwhile is visited as it is at that moment, or not at all.

use crate::contents::Contents;
use crate::engine::Engine;
use crate::index::WALK_END;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::types::{Deadline, Seconds};

/// One more than the largest tag.
const TAGS: u32 = 1 << 16;
/// Units of work for going through the slots of a leaf.
const LEAF_WORK: u64 = 16;
/// Items prefetched ahead of the item being visited.
const PREFETCH_AHEAD: usize = 8;

/// The position of a walk over all items; the default is the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalkCursor {
    from: u64,
    to: u64,
    tag: u32,
}

impl WalkCursor {
    /// Whether every item has been visited.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.from >= WALK_END
    }
}

/// The position of a walk over the pages of some slab classes; the default is the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageCursor {
    page: PageId,
    offset: u32,
    /// The class of the page when the walk reached it.
    class: u8,
}

/// An item as [`Engine::walk`] shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkedItem<'a> {
    /// The key.
    pub key: &'a [u8],
    /// When the item dies.
    pub deadline: Deadline,
    /// When the item was last used.
    pub last_access: Seconds,
    /// The cas unique, 0 with cas disabled.
    pub cas: u64,
    /// Whether a lookup has fetched the item since it was stored.
    pub fetched: bool,
    /// Whether the key came in base64 when the item was stored.
    pub binary_key: bool,
    /// The slab class of the item's first chunk, as shown to users.
    pub class_id: u8,
    /// Bytes of header, key and value, as `bytes` counts them.
    pub item_bytes: usize,
    /// Bytes of the value.
    pub value_bytes: usize,
    /// The client flags.
    pub client_flags: u32,
}

impl Engine {
    /// Visits the next live items, some `budget` of them, and moves the cursor; true while there are more to visit.
    ///
    /// The walk marks and counts nothing. Between two steps, anything may happen to the items.
    pub fn walk(
        &mut self,
        cursor: &mut WalkCursor,
        now: Seconds,
        budget: usize,
        mut visit: impl FnMut(&WalkedItem<'_>),
    ) -> bool {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| {
            let (contents, chunks) = (&engine.contents, &mut engine.walks.walked);
            // A leaf without items counts as one item, so that a step over an empty table ends.
            let mut looked = 0;
            while looked < budget && !cursor.is_done() {
                chunks.clear();
                contents.next_items(cursor, budget - looked, chunks);
                looked += chunks.len().max(1);
                effort.spend(chunks.len() as u64 + LEAF_WORK);
                for at in 0..chunks.len() {
                    if let Some(&ahead) = chunks.get(at + PREFETCH_AHEAD) {
                        let slabs = &contents.items.slabs;
                        slabs.segment.prefetch(slabs.address(ahead));
                    }
                    contents.show(chunks[at], &mut visit);
                }
            }
        });
        !cursor.is_done()
    }

    /// Visits the live items of the slab classes that have a bit in `classes`, by their shown number. Goes through the
    /// pages of those classes one after the other and touches no memory of other classes. Looks at some `budget` chunks
    /// and page headers, or ends early when `visit` says that it has seen enough; true while there are more to visit.
    ///
    /// An item that moves to another chunk meanwhile may be visited twice or not at all. The walk marks and counts
    /// nothing.
    pub fn walk_pages(
        &mut self,
        cursor: &mut PageCursor,
        classes: u64,
        now: Seconds,
        budget: usize,
        mut visit: impl FnMut(&WalkedItem<'_>) -> bool,
    ) -> bool {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| {
            let contents = &engine.contents;
            for _ in 0..budget {
                effort.spend(1);
                if cursor.page >= contents.items.slabs.pages_end() {
                    return false;
                }
                let Some(chunk) = contents.next_in_page(cursor, classes) else {
                    cursor.page += 1;
                    cursor.offset = 0;
                    continue;
                };
                let mut wants_more = true;
                if contents.items.head(chunk).is_linked() {
                    contents.show(chunk, &mut |item| wants_more = visit(item));
                }
                if !wants_more {
                    break;
                }
            }
            true
        })
    }
}

impl Contents {
    /// The next chunk of the page under the cursor, if the page is of one of `classes`.
    fn next_in_page(&self, cursor: &mut PageCursor, classes: u64) -> Option<ChunkRef> {
        let slabs = &self.items.slabs;
        let class = slabs.page(cursor.page).class;
        if class == NO_CLASS
            || class == INDEX_CLASS
            || classes >> (slabs.sizes.shown_id(class) & 63) & 1 == 0
        {
            return None;
        }
        if class != cursor.class {
            cursor.class = class;
            cursor.offset = 0;
        }
        let chunk = slabs.chunk_in(cursor.page, cursor.offset)?;
        cursor.offset += slabs.sizes.chunk_bytes(class) as u32;
        Some(chunk)
    }

    /// Collects items of at most one leaf, from the cursor on, and moves the cursor behind them.
    fn next_items(&self, cursor: &mut WalkCursor, wanted: usize, chunks: &mut Vec<ChunkRef>) {
        cursor.from = self.index.next_position(cursor.from);
        if cursor.is_done() {
            return;
        }
        let span = self.index.span_at(cursor.from);
        if cursor.tag == 0 || cursor.to > span.to {
            cursor.to = span.to;
        }
        let tags = (wanted as u64 * u64::from(TAGS) / span.items.max(1) as u64).max(1);
        let end = tags
            .saturating_add(u64::from(cursor.tag))
            .min(u64::from(TAGS)) as u32;
        let slabs = &self.items.slabs;
        self.index
            .collect_tags(slabs, cursor.from, cursor.tag..end, chunks);
        // After a merge the leaf is larger than the part that is to be visited.
        let part = cursor.from..cursor.to;
        if span.from != part.start || span.to != part.end {
            chunks.retain(|&chunk| {
                part.contains(&self.index.position_of(&self.items, chunk, part.start))
            });
        }
        cursor.tag = end;
        if end == TAGS {
            cursor.from = self.index.next_position(cursor.to);
            cursor.tag = 0;
        }
    }

    fn show(&self, chunk: ChunkRef, visit: &mut impl FnMut(&WalkedItem<'_>)) {
        let item = self.items.item(chunk);
        if self.death(&item).is_some() {
            return;
        }
        let age = self.clock.age(item.head.last_access());
        visit(&WalkedItem {
            key: item.key(),
            deadline: item.deadline(),
            last_access: Seconds(self.clock.now().0.saturating_sub(age)),
            cas: item.cas(),
            fetched: item.head.is_fetched(),
            binary_key: item.head.marks().has_binary_key(),
            class_id: self
                .items
                .slabs
                .sizes
                .shown_id(self.items.slabs.class_of(chunk)),
            item_bytes: item.requested_bytes(),
            value_bytes: item.value_bytes(),
            client_flags: item.client_flags(),
        });
    }
}
