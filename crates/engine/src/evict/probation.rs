//! S3-FIFO without lists: new items are on probation, and items that nobody has asked for by its end are evicted first.
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
//! So items that nobody asks for again go through a fifteenth of the memory, as in J. Yang et al., "FIFO queues are all
//! you need for cache eviction", SOSP 2023. How long a ghost counts differs: an item is known if it comes back within a
//! lap of the hand (lap.rs). In the rest of the class such an item would have been found; an item that comes back later
//! would not, so it is not worth a place there. Nothing moves: an item that has passed stays where it is, and only a
//! bit of its head changes. The first access ends probation, and the entry of the queue is void from then on.
//!
//! The queue is 6 bytes for each item on probation, the ghosts (ghosts.rs) 3.7 bytes for each item; both are chunks of
//! the index's class, so they are charged and recycled as all memory, and neither exists before the first eviction. A
//! get touches neither. docs/design/002-eviction.md has the alternatives and the measurements.

use std::collections::HashSet;

use super::Victims;
use super::ghosts::Ghosts;
use super::gone::{Gone, evict, reclaim};
use super::lap::Lap;
use super::queue::{Entry, Queue, QueueCursor};
use crate::contents::{Cause, Contents};
use crate::effort::Effort;
use crate::item::policy::ON_PROBATION;
use crate::slab::{ChunkRef, Slabs};
use crate::telemetry::Telemetry;
use crate::types::KeyHash;

/// One item in so many is on probation.
const SHARE: u64 = 15;
/// Entries of the queue that one eviction takes out at most.
const LOOKS_MAX: usize = 48;
/// Entries that are taken out of a queue for a unit of work.
const ENTRIES_PER_UNIT: usize = 2;
/// Entries beyond the share before probation ends early.
const SLACK: u64 = 8;
/// Entries that one call of [`Engine::maintain`] takes out of a class that has become smaller.
const TRIM_STEP: usize = 64;
/// Steps by which one call of [`Engine::maintain`] gives back fingerprints of leaves that are no longer there.
const TRIMS: usize = 4;
/// How many evictions ahead memory is prefetched: first the item, then the index's line for it.
const PREFETCH_ITEM: u8 = 3;
const PREFETCH_INDEX: u8 = 1;

/// The newest items of each class, and the fingerprints of items that were evicted.
#[derive(Debug)]
pub(crate) struct Probation {
    /// Whether there is probation. There is none where evictions are disabled.
    enabled: bool,
    /// Whether anything was evicted yet: until then there is nothing to choose.
    active: bool,
    /// The queue of each class.
    queues: Vec<Queue>,
    /// The lap of the hand of each class.
    laps: Vec<Lap>,
    ghosts: Ghosts,
    /// The class that [`Engine::maintain`] looks at next.
    trimmed: u8,
}

impl Probation {
    /// The state of a shard with so many classes.
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

impl Victims {
    /// Whether memory is short enough for probation to matter, so that a new item needs room for its entry and
    /// fingerprint.
    #[inline]
    pub(crate) fn has_probation(&self) -> bool {
        self.probation.active
    }

    /// Whether the queue of a class has no room for an entry.
    #[inline]
    pub(crate) fn wants_queue_chunk(&self, class: u8) -> bool {
        self.probation.queues[usize::from(class)].is_full()
    }

    /// Gives the queue of a class an unused chunk of the index's class, unless evictions have emptied it meanwhile.
    pub(crate) fn add_queue_chunk(&mut self, slabs: &mut Slabs, class: u8, chunk: ChunkRef) {
        let queue = &mut self.probation.queues[usize::from(class)];
        if queue.is_full() {
            queue.add_chunk(slabs, chunk);
        } else {
            slabs.give(chunk);
        }
    }

    /// Whether there is no place for the fingerprint of an item with this hash. If there is one, prefetches it.
    #[inline]
    pub(crate) fn wants_ghost_chunk(&self, contents: &Contents, hash: KeyHash) -> bool {
        let (slabs, leaf) = (&contents.items.slabs, contents.index.leaf_of(hash));
        let is_missing = self.probation.ghosts.missing_chunks(slabs, leaf, hash) > 0;
        if !is_missing {
            self.probation.ghosts.prefetch(slabs, leaf, hash);
        }
        is_missing
    }

    /// Gives the fingerprints an unused chunk of the index's class for an item with this hash; If none is missing any
    /// more, frees the chunk and returns false.
    pub(crate) fn add_ghost_chunk(
        &mut self,
        contents: &mut Contents,
        hash: KeyHash,
        chunk: ChunkRef,
    ) -> bool {
        let (slabs, leaf) = (&mut contents.items.slabs, contents.index.leaf_of(hash));
        let ghosts = &mut self.probation.ghosts;
        let is_missing = ghosts.missing_chunks(slabs, leaf, hash) > 0;
        if is_missing {
            ghosts.add_chunk(slabs, leaf, hash, chunk);
        } else {
            slabs.give(chunk);
        }
        is_missing
    }

    /// Whether there are fingerprints of leaves that are no longer there, worth a step of [`Self::trim_ghosts`].
    #[inline]
    pub(crate) fn has_spare_ghosts(&self, contents: &Contents) -> bool {
        let leaves = contents.index.leaves();
        self.probation.ghosts.has_spare_block(leaves)
    }

    /// Puts an item that was just linked, and was not there before, on probation unless it is known.
    #[inline]
    pub(crate) fn enlist(&mut self, contents: &mut Contents, chunk: ChunkRef, hash: KeyHash) {
        if !self.probation.active {
            return;
        }
        let leaf = contents.index.leaf_of(hash);
        let slabs = &mut contents.items.slabs;
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
        let head = contents.items.head(chunk).with_frequency(ON_PROBATION);
        contents.items.set_head(chunk, head);
        if self.probation.queues[class].len() > probation_limit(contents, class as u8) {
            self.end_probation(contents, class as u8);
        }
    }

    /// Takes the oldest entry of a class out. The item passes probation, unless it has gone.
    fn end_probation(&mut self, contents: &mut Contents, class: u8) {
        let queue = &mut self.probation.queues[usize::from(class)];
        if let Some(entry) = queue.pop(&mut contents.items.slabs)
            && probationer(contents, class, entry).is_some()
        {
            pass(contents, entry.chunk);
        }
    }

    /// Evicts an item at the end of its probation if more than `share` entries of its class are in the queue. Pinned
    /// items pass.
    pub(super) fn evict_on_probation(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        class: u8,
        share: u64,
    ) -> Option<Gone> {
        self.probation.active = self.probation.enabled;
        for look in 0..LOOKS_MAX {
            let queue = &mut self.probation.queues[usize::from(class)];
            if queue.len() <= share {
                return None;
            }
            effort.spend(u64::from(look.is_multiple_of(ENTRIES_PER_UNIT)));
            let entry = queue.pop(&mut contents.items.slabs)?;
            self.prefetch_probationers(contents, class);
            let Some(hash) = probationer(contents, class, entry) else {
                continue;
            };
            if contents.is_pinned(entry.chunk) {
                pass(contents, entry.chunk);
            } else if contents.is_dead(entry.chunk) {
                return Some(reclaim(contents, telemetry, effort, entry.chunk));
            } else {
                let item = (entry.chunk, hash);
                let cause = Cause::Probation;
                return Some(self.evict_remembered(contents, telemetry, effort, item, cause));
            }
        }
        None
    }

    /// Gives back fingerprints of leaves that are no longer there, in a bounded step.
    pub(crate) fn trim_ghosts(&mut self, contents: &mut Contents, effort: &mut Effort) {
        let leaves = contents.index.leaves();
        let slabs = &mut contents.items.slabs;
        effort.spend(self.probation.ghosts.trim(slabs, leaves));
    }

    /// Evicts an item, which leaves its fingerprint.
    pub(super) fn evict_remembered(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        item: (ChunkRef, KeyHash),
        cause: Cause,
    ) -> Gone {
        if !self.probation.active {
            return evict(contents, telemetry, effort, item, cause);
        }
        // The fingerprint lies in another cache line than the item and the index: all are waited for together.
        let hash = item.1;
        let (slabs, leaf) = (&contents.items.slabs, contents.index.leaf_of(hash));
        self.probation.ghosts.prefetch(slabs, leaf, hash);
        let gone = evict(contents, telemetry, effort, item, cause);
        let leaf = contents.index.leaf_of(hash);
        let slabs = &mut contents.items.slabs;
        self.probation.ghosts.add(slabs, leaf, hash);
        gone
    }

    /// Notes that the hand of a class has passed a chunk.
    #[inline]
    pub(super) fn note_passed(&mut self, slabs: &Slabs, class: u8) {
        let chunks = u64::from(slabs.page_count(class)) * slabs.chunks_per_page(class) as u64;
        let now = self.probation.ghosts.added();
        self.probation.laps[usize::from(class)].advance(chunks, now);
    }

    /// Prefetches the memory that the next evictions will look at, since the order of the queue is not that of memory.
    #[inline]
    fn prefetch_probationers(&self, contents: &Contents, class: u8) {
        let slabs = &contents.items.slabs;
        let queue = &self.probation.queues[usize::from(class)];
        if let Some(entry) = queue.ahead(slabs, PREFETCH_ITEM) {
            slabs.segment.prefetch(slabs.address(entry.chunk));
        }
        if let Some(entry) = queue.ahead(slabs, PREFETCH_INDEX)
            && let Some(hash) = probationer(contents, class, entry)
        {
            contents.index.prefetch(slabs, hash);
        }
    }

    /// Gives back, in a bounded step, the memory that classes and leaves no longer need since they have become smaller.
    pub(crate) fn trim_probation(&mut self, contents: &mut Contents, effort: &mut Effort) {
        if !self.probation.active {
            return;
        }
        for _ in 0..TRIMS {
            self.trim_ghosts(contents, effort);
        }
        for _ in 0..self.probation.queues.len() {
            let class = self.probation.trimmed;
            self.probation.trimmed = (class + 1) % self.probation.queues.len() as u8;
            if self.trim_queue(contents, effort, class) {
                return;
            }
        }
    }

    /// Takes entries out of a queue that has more than it may have; true if it had.
    fn trim_queue(&mut self, contents: &mut Contents, effort: &mut Effort, class: u8) -> bool {
        let limit = probation_limit(contents, class);
        let is_empty = contents.census.of_class(class).items == 0;
        let mut trimmed = false;
        for look in 0..TRIM_STEP {
            let len = self.probation.queues[usize::from(class)].len();
            if len == 0 || (len <= limit && !is_empty) {
                break;
            }
            effort.spend(u64::from(look.is_multiple_of(ENTRIES_PER_UNIT)));
            self.end_probation(contents, class);
            trimmed = true;
        }
        let queue = &mut self.probation.queues[usize::from(class)];
        (is_empty && queue.free_if_empty(&mut contents.items.slabs)) || trimmed
    }

    /// Moves chunks of one part of the fingerprints out of pages that are being emptied: see [`Ghosts::relocate`].
    pub(crate) fn relocate_fingerprints(
        &mut self,
        slabs: &mut Slabs,
        part: usize,
    ) -> Option<usize> {
        self.probation.ghosts.relocate(slabs, part)
    }

    /// Moves chunks of a queue out of pages that are being emptied: see [`Queue::relocate`].
    pub(crate) fn relocate_queue(
        &mut self,
        slabs: &mut Slabs,
        class: u8,
        cursor: &mut QueueCursor,
        looks: usize,
    ) -> bool {
        let queue = &mut self.probation.queues[usize::from(class)];
        queue.relocate(slabs, cursor, looks)
    }

    /// Ends every probation, for a state without queues and ghosts.
    pub(crate) fn dissolve_probation(&mut self, contents: &mut Contents) {
        for class in 0..self.probation.queues.len() as u8 {
            while self.probation.queues[usize::from(class)].len() > 0 {
                self.end_probation(contents, class);
            }
            self.probation.queues[usize::from(class)].free_if_empty(&mut contents.items.slabs);
        }
        self.probation.ghosts.free_all(&mut contents.items.slabs);
        self.probation.active = false;
    }

    /// Panics unless each linked item on probation has an entry. Returns the chunks of queues and ghosts.
    pub(crate) fn check_probation(&self, contents: &Contents, linked: &HashSet<ChunkRef>) -> u64 {
        let slabs = &contents.items.slabs;
        let mut chunks = self.probation.ghosts.chunks();
        self.probation.ghosts.check_integrity(slabs);
        let mut enlisted = HashSet::new();
        for (class, queue) in self.probation.queues.iter().enumerate() {
            chunks += queue.check_integrity(slabs, |entry| {
                enlisted.insert((class as u8, entry));
            });
        }
        for &chunk in linked {
            if self.probation.enabled && contents.items.head(chunk).frequency() == ON_PROBATION {
                let entry = Entry::new(chunk, contents.hash_of(chunk));
                assert!(
                    enlisted.contains(&(slabs.class_of(chunk), entry)),
                    "an item on probation is in the queue of its class"
                );
            }
        }
        chunks
    }
}

/// Number of items of a class that may be on probation.
pub(super) fn probation_share(contents: &Contents, class: u8) -> u64 {
    contents.census.of_class(class).items / SHARE
}

/// Number of entries that the queue of a class may have. Without this limit the queue would grow with every insertion
/// while nothing is evicted.
fn probation_limit(contents: &Contents, class: u8) -> u64 {
    let share = probation_share(contents, class);
    share + share / 4 + SLACK
}

fn pass(contents: &mut Contents, chunk: ChunkRef) {
    let head = contents.items.head(chunk).with_frequency(0);
    contents.items.set_head(chunk, head);
}

/// Hash of the item of an entry, if the item is still there and on probation.
fn probationer(contents: &Contents, class: u8, entry: Entry) -> Option<KeyHash> {
    let slabs = &contents.items.slabs;
    let id = slabs.page_of(entry.chunk);
    let offset = slabs.address(entry.chunk) - slabs.page_address(id);
    // The page may have moved to another class meanwhile; if not, the reference is still that of a chunk.
    if slabs.page(id).class != class || slabs.chunk_in(id, offset as u32).is_none() {
        return None;
    }
    let head = contents.items.head(entry.chunk);
    if !head.is_linked() || head.frequency() != ON_PROBATION {
        return None;
    }
    let hash = contents.hash_of(entry.chunk);
    (Entry::new(entry.chunk, hash) == entry).then_some(hash)
}
