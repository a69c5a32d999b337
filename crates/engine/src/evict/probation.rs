//! S3-FIFO without lists: new items are on probation, and those not asked for by its end go first.
//!
//! ```text
//!  new item --- known to the ghosts? --no--> probation: a queue, the newest fifteenth of the class's items
//!                  |                             |                 |
//!                 yes                         asked for         not asked for
//!                  |                             |                 |
//!                  +-----> the rest of the class <                 evicted; its fingerprint to the ghosts
//!                            |
//!                        hand of the clock (see hand.rs), which steps over items on probation; those that it
//!                        evicts leave fingerprints, too
//! ```
//!
//! So items that are asked for once go through a fifteenth of the memory, as in J. Yang et al., "FIFO queues are all you need
//! for cache eviction", SOSP 2023. How long a ghost counts differs: an item is known if it comes back within a lap of the
//! hand (lap.rs). In the rest of the class it would have been found then; one that comes back later would not, so it is
//! not worth a place there. Nothing moves: an item that has passed stays where it is, and only a bit of its head changes:
//! the first access ends probation, and the entry of the queue is void from then on.
//!
//! The queue is 6 bytes for each item on probation, the ghosts (ghosts.rs) 3.7 bytes for each item; both are chunks of the
//! index's class, so they are charged and recycled as all memory, and neither exists before the first eviction. A get has
//! nothing to do with them. docs/design/002-eviction.md has the alternatives and the measurements.

use std::collections::HashSet;

use crate::engine::Engine;
use crate::evict::ghosts::{CHUNKS_MAX, Ghosts};
use crate::evict::hand::Reclaimer;
use crate::evict::lap::Lap;
use crate::evict::policy::ON_PROBATION;
use crate::evict::queue::{Entry, Queue, QueueCursor};
use crate::slab::{ChunkRef, INDEX_CLASS};
use crate::types::KeyHash;

/// One item in so many is on probation.
const SHARE: u64 = 15;
/// Entries of the queue that one eviction takes out at most.
const LOOKS_MAX: usize = 48;
/// Entries that are taken out for a unit of work.
const ENTRIES_PER_UNIT: usize = 2;
/// Entries beyond the share before probation ends early.
const SLACK: u64 = 8;
/// Entries that one call of [`Engine::maintain`] takes out of a class that has become smaller.
const TRIM_STEP: usize = 64;
/// Steps by which that call gives back fingerprints of leaves that are no longer there.
const TRIMS: usize = 4;
/// Memory is asked for so many evictions ahead: the item, then the index's line for it.
const PREFETCH_ITEM: u8 = 3;
const PREFETCH_INDEX: u8 = 1;

/// The newest items of each class, and what is remembered of those that went.
#[derive(Debug)]
pub(crate) struct Probation {
    /// Not where nothing is ever evicted.
    enabled: bool,
    /// Whether anything was evicted yet: until then there is nothing to choose.
    active: bool,
    /// By class.
    queues: Vec<Queue>,
    /// By class.
    laps: Vec<Lap>,
    ghosts: Ghosts,
    /// The class that [`Engine::maintain`] looks at next.
    trimmed: u8,
}

impl Probation {
    /// For so many classes.
    pub(crate) fn new(evictions_enabled: bool, classes: usize) -> Self {
        Self {
            enabled: evictions_enabled,
            active: false,
            queues: vec![Queue::EMPTY; classes],
            laps: vec![Lap::default(); classes],
            ghosts: Ghosts::default(),
            trimmed: 0,
        }
    }
}

impl Engine {
    /// Makes room for an entry of a new item and for its fingerprint, if memory is short enough for them to matter.
    #[inline]
    pub(crate) fn prepare_probation(&mut self, class: u8, hash: KeyHash) {
        if !self.probation.active {
            return;
        }
        if self.probation.queues[usize::from(class)].is_full() {
            self.grow_queue(class);
        }
        // The index of few large items is small: after a shift to such, memory comes back as soon as they come.
        if self.probation.ghosts.has_spare_block(self.index.leaves()) {
            self.trim_ghosts();
        }
        let leaf = self.index.leaf_of(hash);
        let ghosts = &self.probation.ghosts;
        if ghosts.missing_chunks(&self.items.slabs, leaf, hash) > 0 {
            self.grow_ghosts(hash);
        } else {
            ghosts.prefetch(&self.items.slabs, leaf, hash);
        }
    }

    #[cold]
    fn grow_queue(&mut self, class: u8) {
        let Some(chunk) = self.allocate(INDEX_CLASS) else {
            return;
        };
        // Evictions on the way may have emptied the queue.
        let queue = &mut self.probation.queues[usize::from(class)];
        if queue.is_full() {
            queue.add_chunk(&mut self.items.slabs, chunk);
        } else {
            self.items.slabs.give(chunk);
        }
    }

    #[cold]
    fn grow_ghosts(&mut self, hash: KeyHash) {
        for _ in 0..CHUNKS_MAX {
            let Some(chunk) = self.allocate(INDEX_CLASS) else {
                return;
            };
            let leaf = self.index.leaf_of(hash);
            let slabs = &mut self.items.slabs;
            let ghosts = &mut self.probation.ghosts;
            if ghosts.missing_chunks(slabs, leaf, hash) == 0 {
                return slabs.give(chunk);
            }
            ghosts.add_chunk(slabs, leaf, hash, chunk);
        }
    }

    /// Puts an item that was just linked, and was not there before, on probation unless it is known.
    #[inline]
    pub(crate) fn enlist(&mut self, chunk: ChunkRef, hash: KeyHash) {
        if !self.probation.active {
            return;
        }
        let leaf = self.index.leaf_of(hash);
        let slabs = &mut self.items.slabs;
        let class = usize::from(slabs.class_of(chunk));
        let Probation {
            queues,
            laps,
            ghosts,
            ..
        } = &mut self.probation;
        let is_known = ghosts
            .take(slabs, leaf, hash)
            .is_some_and(|age| age < laps[class].length(ghosts.added()));
        let queue = &mut queues[class];
        if is_known || queue.is_full() {
            return;
        }
        queue.push(slabs, Entry::new(chunk, hash));
        let head = self.items.head(chunk).with_frequency(ON_PROBATION);
        self.items.set_head(chunk, head);
        if self.probation.queues[class].len() > self.probation_limit(class as u8) {
            self.end_probation(class as u8);
        }
    }

    /// Items of a class that probation is for.
    fn probation_target(&self, class: u8) -> u64 {
        self.classes[usize::from(class)].number / SHARE
    }

    /// Entries that the queue of a class may have: where nothing is evicted, it would grow with every insertion.
    fn probation_limit(&self, class: u8) -> u64 {
        let target = self.probation_target(class);
        target + target / 4 + SLACK
    }

    /// Takes the oldest entry of a class out. The item passes, unless it has gone.
    fn end_probation(&mut self, class: u8) {
        let queue = &mut self.probation.queues[usize::from(class)];
        if let Some(entry) = queue.pop(&mut self.items.slabs)
            && self.probationer(class, entry).is_some()
        {
            self.pass(entry.chunk);
        }
    }

    fn pass(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk).with_frequency(0);
        self.items.set_head(chunk, head);
    }

    /// Hash of the item of an entry, if it is still there and on probation.
    fn probationer(&self, class: u8, entry: Entry) -> Option<KeyHash> {
        let slabs = &self.items.slabs;
        let id = slabs.page_of(entry.chunk);
        let offset = slabs.address(entry.chunk) - slabs.page_address(id);
        // The page may have moved to another class meanwhile; if not, the reference is still one of a chunk.
        if slabs.page(id).class != class || slabs.chunk_in(id, offset as u32).is_none() {
            return None;
        }
        let head = self.items.head(entry.chunk);
        if !head.is_linked() || head.frequency() != ON_PROBATION {
            return None;
        }
        let hash = self.items.hash_of(self.hasher, entry.chunk);
        (Entry::new(entry.chunk, hash) == entry).then_some(hash)
    }

    /// Evicts an item at the end of its probation if more than a fifteenth of the class's items are on it, or any if `all`.
    /// Pinned ones pass. False if none was evicted.
    pub(crate) fn evict_on_probation(&mut self, class: u8, all: bool) -> bool {
        self.probation.active = self.probation.enabled;
        let target = if all { 0 } else { self.probation_target(class) };
        for look in 0..LOOKS_MAX {
            let queue = &mut self.probation.queues[usize::from(class)];
            if queue.len() <= target {
                return false;
            }
            self.meters.work += u64::from(look.is_multiple_of(ENTRIES_PER_UNIT));
            let Some(entry) = queue.pop(&mut self.items.slabs) else {
                return false;
            };
            self.prefetch_probationers(class);
            let Some(hash) = self.probationer(class, entry) else {
                continue;
            };
            if self.is_pinned(entry.chunk) {
                self.pass(entry.chunk);
            } else if self.death(&self.items.item(entry.chunk)).is_some() {
                self.reclaim_item(entry.chunk, Reclaimer::Hand);
                return true;
            } else {
                self.evict_remembered(entry.chunk, hash);
                return true;
            }
        }
        false
    }

    fn trim_ghosts(&mut self) {
        let leaves = self.index.leaves();
        let slabs = &mut self.items.slabs;
        self.meters.work += self.probation.ghosts.trim(slabs, leaves);
    }

    /// Evicts an item, which leaves its fingerprint.
    pub(crate) fn evict_remembered(&mut self, chunk: ChunkRef, hash: KeyHash) {
        if !self.probation.active {
            return self.evict_item(chunk);
        }
        // Another line than those of the item and the index: they are waited for together.
        let (slabs, leaf) = (&self.items.slabs, self.index.leaf_of(hash));
        self.probation.ghosts.prefetch(slabs, leaf, hash);
        self.evict_item(chunk);
        let leaf = self.index.leaf_of(hash);
        self.probation.ghosts.add(&mut self.items.slabs, leaf, hash);
    }

    /// The hand of a class has passed a chunk.
    #[inline]
    pub(crate) fn note_passed(&mut self, class: u8) {
        let slabs = &self.items.slabs;
        let chunks = u64::from(slabs.page_count(class)) * slabs.chunks_per_page(class) as u64;
        let now = self.probation.ghosts.added();
        self.probation.laps[usize::from(class)].advance(chunks, now);
    }

    /// The order of the queue is not that of memory: asks for what the next evictions will look at.
    #[inline]
    fn prefetch_probationers(&self, class: u8) {
        let slabs = &self.items.slabs;
        let queue = &self.probation.queues[usize::from(class)];
        if let Some(entry) = queue.ahead(slabs, PREFETCH_ITEM) {
            slabs.segment.prefetch(slabs.address(entry.chunk));
        }
        if let Some(entry) = queue.ahead(slabs, PREFETCH_INDEX)
            && let Some(hash) = self.probationer(class, entry)
        {
            self.index.prefetch(slabs, hash);
        }
    }

    /// Gives back what classes and leaves that have become smaller no longer need, in a bounded step.
    pub(crate) fn trim_probation(&mut self) {
        if !self.probation.active {
            return;
        }
        for _ in 0..TRIMS {
            self.trim_ghosts();
        }
        for _ in 0..self.probation.queues.len() {
            let class = self.probation.trimmed;
            self.probation.trimmed = (class + 1) % self.probation.queues.len() as u8;
            let limit = self.probation_limit(class);
            let is_empty = self.classes[usize::from(class)].number == 0;
            let mut trimmed = false;
            for look in 0..TRIM_STEP {
                let len = self.probation.queues[usize::from(class)].len();
                if len == 0 || (len <= limit && !is_empty) {
                    break;
                }
                self.meters.work += u64::from(look.is_multiple_of(ENTRIES_PER_UNIT));
                self.end_probation(class);
                trimmed = true;
            }
            let queue = &mut self.probation.queues[usize::from(class)];
            if (is_empty && queue.free_if_empty(&mut self.items.slabs)) || trimmed {
                return;
            }
        }
    }

    /// Moves chunks of one part of the fingerprints out of pages that are being emptied: see [`Ghosts::relocate`].
    pub(crate) fn relocate_fingerprints(&mut self, part: usize) -> Option<usize> {
        let slabs = &mut self.items.slabs;
        self.probation.ghosts.relocate(slabs, part)
    }

    /// Moves chunks of a queue out of pages that are being emptied: see [`Queue::relocate`].
    pub(crate) fn relocate_queue(
        &mut self,
        class: u8,
        cursor: &mut QueueCursor,
        looks: usize,
    ) -> bool {
        let queue = &mut self.probation.queues[usize::from(class)];
        queue.relocate(&mut self.items.slabs, cursor, looks)
    }

    /// Ends every probation, for a state without queues and ghosts.
    pub(crate) fn dissolve_probation(&mut self) {
        for class in 0..self.probation.queues.len() as u8 {
            while self.probation.queues[usize::from(class)].len() > 0 {
                self.end_probation(class);
            }
            self.probation.queues[usize::from(class)].free_if_empty(&mut self.items.slabs);
        }
        self.probation.ghosts.free_all(&mut self.items.slabs);
        self.probation.active = false;
    }

    /// Panics unless each linked item on probation has an entry. Returns the chunks of queues and ghosts.
    pub(crate) fn check_probation(&self, linked: &HashSet<ChunkRef>) -> u64 {
        let slabs = &self.items.slabs;
        let mut chunks = self.probation.ghosts.chunks();
        self.probation.ghosts.check_integrity(slabs);
        let mut enlisted = HashSet::new();
        for (class, queue) in self.probation.queues.iter().enumerate() {
            chunks += queue.check_integrity(slabs, |entry| {
                enlisted.insert((class as u8, entry));
            });
        }
        for &chunk in linked {
            if self.probation.enabled && self.items.head(chunk).frequency() == ON_PROBATION {
                let entry = Entry::new(chunk, self.items.hash_of(self.hasher, chunk));
                assert!(
                    enlisted.contains(&(slabs.class_of(chunk), entry)),
                    "an item on probation is in the queue of its class"
                );
            }
        }
        chunks
    }
}
