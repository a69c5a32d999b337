//! The background walk that frees dead items.
//!
//! ```text
//! page 1, 2, 3, ...   stepped over, if all live | chunk by chunk: dead ones freed, its bound on deadlines learnt anew
//! ```
//!
//! The walk goes through the pages in the order of their addresses, so memory is read in sequence, and steps over pages
//! whose items all live: each page knows a time before which none of its items dies. After a `flush_all`, and every 48
//! days, the walk steps over no page, so that the stamps of items need no more bits than there are (clock.rs).

use crate::api::SweepProgress;
use crate::contents::{Cause, Contents, DYING_STEP};
use crate::effort::{Effort, WALK_WORK};
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId};
use crate::telemetry::Telemetry;
use crate::types::KeyHash;

/// Chunks that are looked at together, so that their cache misses overlap.
pub(super) const GROUP: usize = 32;

/// The position of the walk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sweep {
    page: PageId,
    offset: u32,
    /// The class of the page when the walk reached it.
    class: u8,
    /// The flush in effect when the walk began.
    flushed: Option<u64>,
    /// The stamp when the walk began, if the walk looks at every item.
    renews: Option<u64>,
}

impl Sweep {
    /// See [`Engine::sweep`](crate::engine::Engine::sweep).
    pub(crate) fn run(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        budget: usize,
    ) -> SweepProgress {
        contents.free_dying(DYING_STEP, effort);
        let mut progress = SweepProgress::default();
        let work_max = effort.spent() + WALK_WORK;
        while progress.looked < budget && !progress.wrapped && effort.spent() < work_max {
            let looked = if self.page >= contents.items.slabs.pages_end() || self.page == 0 {
                progress.wrapped = self.page != 0;
                self.begin_walk(contents);
                1
            } else {
                let most = budget - progress.looked;
                let batch = self.next_chunks(contents, most);
                progress.reclaimed += reclaim_dead(contents, telemetry, effort, batch.chunks());
                batch.looked
            };
            progress.looked += looked;
            effort.spend(looked as u64);
        }
        progress
    }

    /// Ends the walk, if there was one, and begins another.
    fn begin_walk(&mut self, contents: &mut Contents) {
        if let Some(began) = self.renews {
            contents.clock.end_walk(self.flushed, began);
        }
        let clock = &contents.clock;
        *self = Self {
            page: 1,
            offset: 0,
            class: NO_CLASS,
            flushed: clock.flushed(),
            renews: clock.is_walk_due().then(|| clock.walk_begins()),
        };
    }

    pub(super) fn is_inside(&self, page: PageId) -> bool {
        self.page == page && self.offset > 0
    }

    pub(super) fn page_under_way(&self) -> Option<PageId> {
        (self.page != 0).then_some(self.page)
    }

    /// The next few chunks of the page, or none at a step to the next page.
    fn next_chunks(&mut self, contents: &mut Contents, most: usize) -> Batch {
        let id = self.page;
        let page = contents.items.slabs.page(id);
        let (class, deadline_min) = (page.class, page.deadline_min);
        if class != self.class {
            self.class = class;
            self.offset = 0;
        }
        let no_items = class == NO_CLASS || class == INDEX_CLASS;
        if self.offset == 0 {
            let all_live = deadline_min > contents.clock.now().0
                && contents.clock.flushed().is_none()
                && self.renews.is_none();
            if no_items || all_live {
                self.page += 1;
                return Batch::STEP;
            }
            begin_visit(contents, id);
        }
        let batch = match no_items {
            true => Batch::STEP,
            false => Batch::of_page(contents, id, &mut self.offset, GROUP.min(most)),
        };
        if batch.len == 0 {
            self.page += 1;
            self.offset = 0;
        }
        batch
    }
}

/// Some chunks of a page.
#[derive(Debug)]
pub(super) struct Batch {
    chunks: [ChunkRef; GROUP],
    len: usize,
    /// The number of chunks that the batch counts for.
    pub(super) looked: usize,
}

impl Batch {
    /// A batch without chunks: a step to the next page, which counts as one chunk.
    pub(super) const STEP: Self = Self {
        chunks: [ChunkRef::NULL; GROUP],
        len: 0,
        looked: 1,
    };

    /// Up to `most` chunks of a page from `offset` on; [`Self::STEP`] at the end of the page. Moves `offset` behind the
    /// chunks.
    pub(super) fn of_page(contents: &Contents, id: PageId, offset: &mut u32, most: usize) -> Self {
        let slabs = &contents.items.slabs;
        let chunk_bytes = slabs.sizes.chunk_bytes(slabs.page(id).class) as u32;
        let mut batch = Self::STEP;
        while batch.len < most
            && let Some(chunk) = slabs.chunk_in(id, *offset)
        {
            batch.chunks[batch.len] = chunk;
            batch.len += 1;
            *offset += chunk_bytes;
        }
        batch.looked = batch.len.max(1);
        batch
    }

    /// The chunks.
    pub(super) fn chunks(&self) -> &[ChunkRef] {
        &self.chunks[..self.len]
    }
}

/// Called when a visit of a page begins: from now on its items are counted anew, as they are met or stored.
pub(super) fn begin_visit(contents: &mut Contents, id: PageId) {
    let flushed = contents.clock.flushed().map_or(0, |stamp| stamp + 1);
    let now = contents.clock.now().0;
    let page = contents.items.slabs.page_mut(id);
    page.begin_visit(now, flushed);
}

/// Frees the dead items among those that begin in these chunks; returns the number of dead items. Their cache lines of
/// the index are prefetched together.
pub(super) fn reclaim_dead(
    contents: &mut Contents,
    telemetry: &mut Telemetry,
    effort: &mut Effort,
    chunks: &[ChunkRef],
) -> usize {
    let mut dead = [(ChunkRef::NULL, KeyHash(0)); GROUP];
    let mut found = 0;
    for &chunk in chunks {
        if is_dead_or_note(contents, telemetry, chunk) {
            let hash = contents.hash_of(chunk);
            contents.index.prefetch_leaf(hash);
            dead[found] = (chunk, hash);
            found += 1;
        }
    }
    let dead = &dead[..found];
    for &(_, hash) in dead {
        contents.index.prefetch(&contents.items.slabs, hash);
    }
    for &(chunk, hash) in dead {
        telemetry.leaves(&contents.leaving(chunk, Cause::Swept));
        contents.remove_one_of_many(chunk, hash, effort);
    }
    found
}

/// Whether a dead item begins in a chunk. If the item is alive, its page learns the deadline.
fn is_dead_or_note(contents: &mut Contents, telemetry: &mut Telemetry, chunk: ChunkRef) -> bool {
    if !contents.items.head(chunk).is_linked() {
        return false;
    }
    telemetry.checked(contents.items.slabs.class_of(chunk));
    let item = contents.items.item(chunk);
    if contents.death(&item).is_some() {
        return true;
    }
    let deadline = item.deadline();
    contents.items.note_deadline(chunk, deadline);
    contents.renew(chunk);
    false
}
