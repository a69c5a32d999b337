//! One shard's cache: joins slabs, items and index, and decides what lives and dies.
//!
//! Its methods are in the folders beside this file: `verbs` and `stage` for clients, `place` and `evict` for memory, `upkeep`
//! for the background, `telemetry` for what is counted.

use std::io;
use std::sync::Arc;

use crate::budget::Budget;
use crate::config::EngineConfig;
use crate::evict::hand::Hand;
use crate::evict::policy;
use crate::evict::probation::Probation;
use crate::index::{EXTENT_BYTES, Index, Place, SecretKey};
use crate::item::{CAS_BYTES, HEAD_BYTES, Item, Items, State};
use crate::pin::table::Pins;
use crate::place::age::PageSearch;
use crate::place::balance::Balance;
use crate::place::condense::Condensing;
use crate::place::drain::Drain;
use crate::place::last::Vain;
use crate::reader::clock::ShownClock;
use crate::slab::{ChunkRef, Slabs};
use crate::stage::staged::Receiving;
use crate::telemetry::events::Events;
use crate::telemetry::meters::Meters;
use crate::telemetry::{ClassStats, EngineStats};
use crate::types::{KeyHash, KeyHasher, Seconds};
use crate::upkeep::reap::ReapCursor;
use crate::upkeep::sweep::SweepCursor;

/// memcached's bytes over key and value of an item with cas, which the limit of `item_size_max` counts for its clients.
const COUNTED_BYTES: usize = 59;
/// What memcached adds with client flags.
const COUNTED_FLAGS_BYTES: usize = 4;
/// What memcached saves without cas.
const COUNTED_CAS_BYTES: usize = 8;
/// Cas uniques stay below this, so that they fit the usual width.
const CAS_END: u64 = 1 << (8 * CAS_BYTES);

/// One shard's cache. See the crate's documentation.
#[derive(Debug)]
pub struct Engine {
    pub(crate) items: Items,
    pub(crate) index: Index,
    pub(crate) hasher: KeyHasher,
    pub(crate) item_size_max: usize,
    pub(crate) evictions_enabled: bool,
    pub(crate) cas_first: u64,
    pub(crate) cas_step: u64,
    pub(crate) cas_next: u64,
    pub(crate) clock: ShownClock,
    pub(crate) pins: Pins,
    pub(crate) receiving: Receiving,
    /// Counters by class; class 0 is the index.
    pub(crate) classes: Vec<ClassStats>,
    pub(crate) hands: Vec<Hand>,
    pub(crate) probation: Probation,
    pub(crate) balance: Balance,
    /// What is shown and decides nothing, but for the items and bytes that are there.
    pub(crate) stats: EngineStats,
    pub(crate) meters: Meters,
    /// Where the meters stood when the statistics were last reset.
    pub(crate) shown_from: Meters,
    /// The work done when the call under way began.
    pub(crate) work_begun: u64,
    /// Chains being freed, linked by the field of their length.
    pub(crate) dying: ChunkRef,
    pub(crate) drain: Option<Drain>,
    pub(crate) condensing: Condensing,
    /// The class of the dead item that the last lookup has removed: what is stored next takes its place.
    pub(crate) removed_dead: Option<u8>,
    /// An item that must stay while memory is found for its successor.
    pub(crate) shielded: ChunkRef,
    /// What was looked for in vain.
    pub(crate) vain: Vec<Vain>,
    pub(crate) search: PageSearch,
    pub(crate) sweep: SweepCursor,
    pub(crate) reaping: ReapCursor,
    /// Items of one step of [`Self::walk`].
    pub(crate) walked: Vec<ChunkRef>,
    pub(crate) events: Events,
}

/// Why a lookup finds nothing although the item is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Expired,
    Flushed,
}

impl Engine {
    /// An empty shard.
    ///
    /// # Errors
    ///
    /// The address space cannot be mapped, `page_bytes` is not a power of two in range, or the budget is too small for
    /// the directory of the index.
    pub fn new(config: EngineConfig, budget: Arc<Budget>) -> io::Result<Self> {
        let cas_bytes = if config.cas_enabled { CAS_BYTES } else { 0 };
        let mut slabs = Slabs::new(&config, budget, HEAD_BYTES + cas_bytes, EXTENT_BYTES)?;
        let index = Index::new(&mut slabs, config.hasher, SecretKey(config.secret))?;
        let classes: Vec<ClassStats> = (0..slabs.sizes.len())
            .map(|class| ClassStats {
                class_id: class as u8,
                chunk_size: slabs.sizes.chunk_bytes(class as u8) as u64,
                chunks_per_page: slabs.chunks_per_page(class as u8) as u64,
                ..ClassStats::default()
            })
            .collect();
        Ok(Self {
            hands: vec![Hand::default(); classes.len()],
            probation: Probation::new(config.evictions_enabled, classes.len()),
            balance: Balance::new(classes.len()),
            meters: Meters::new(classes.len()),
            shown_from: Meters::new(classes.len()),
            items: Items { slabs, cas_bytes },
            index,
            hasher: config.hasher,
            item_size_max: config.item_size_max,
            evictions_enabled: config.evictions_enabled,
            cas_first: config.cas_first,
            cas_step: config.cas_step,
            cas_next: config.cas_first,
            clock: ShownClock::new(),
            pins: Pins::default(),
            receiving: Receiving::new(),
            stats: EngineStats::default(),
            work_begun: 0,
            dying: ChunkRef::NULL,
            drain: None,
            condensing: Condensing::default(),
            removed_dead: None,
            shielded: ChunkRef::NULL,
            vain: vec![Vain::default(); classes.len()],
            classes,
            search: PageSearch::default(),
            sweep: SweepCursor::default(),
            reaping: ReapCursor::default(),
            walked: Vec::new(),
            events: Events::default(),
        })
    }

    /// Bytes of a page: what [`EngineConfig`] said, or the process that the shard was restored from.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.items.slabs.page_bytes()
    }

    /// Asks the processor for the index's cache line of `hash`. Changes nothing.
    #[inline]
    pub fn prefetch(&self, hash: KeyHash) {
        self.index.prefetch(&self.items.slabs, hash);
    }

    /// Asks the processor for the item that `hash` probably finds; best some time after [`Self::prefetch`].
    #[inline]
    pub fn prefetch_item(&self, hash: KeyHash) {
        if let Some(chunk) = self.index.likely(&self.items.slabs, hash) {
            let address = self.items.slabs.address(chunk);
            self.items.slabs.segment.prefetch(address);
            self.items.slabs.segment.prefetch(address + 64);
        }
    }

    /// Kills every item: those present now, or those present when the clock reaches `at`, which replaces a pending
    /// flush. Takes constant time, but after some millions of flushes without a sweep between them; memory comes back as
    /// items are met, by [`Self::sweep`] at the latest.
    pub fn flush_all(&mut self, at: Option<Seconds>, now: Seconds) {
        self.clock.advance(now);
        self.stats.cmd_flush += 1;
        self.provide_stamp();
        self.clock.flush(at);
    }

    #[inline]
    pub(crate) fn class_of(&mut self, chunk: ChunkRef) -> &mut ClassStats {
        &mut self.classes[usize::from(self.items.slabs.class_of(chunk))]
    }

    /// Whether, and of what, a linked item is dead.
    #[inline]
    pub(crate) fn death(&self, item: &Item<'_>) -> Option<Death> {
        if item.deadline().has_passed(self.clock.now()) {
            Some(Death::Expired)
        } else if self.clock.has_flushed(item.head.last_access()) {
            Some(Death::Flushed)
        } else {
            None
        }
    }

    /// Finds an item, dead or alive.
    #[inline]
    pub(crate) fn find(&self, key: &[u8], hash: KeyHash) -> Option<(Place, ChunkRef)> {
        self.index.find(&self.items.slabs, hash, key, |chunk| {
            self.items.has_key(chunk, key)
        })
    }

    /// Finds a live item; removes a dead one.
    #[inline]
    pub(crate) fn look_up(&mut self, key: &[u8], hash: KeyHash) -> Option<(Place, ChunkRef)> {
        self.removed_dead = None;
        let (place, chunk) = self.find(key, hash)?;
        match self.death(&self.items.item(chunk)) {
            None => return Some((place, chunk)),
            Some(Death::Expired) => self.stats.get_expired += 1,
            Some(Death::Flushed) => self.stats.get_flushed += 1,
        }
        self.removed_dead = Some(self.items.slabs.class_of(chunk));
        self.unlink(place, chunk);
        None
    }

    /// Where the item at `chunk` is in the index.
    pub(crate) fn place_of(&self, chunk: ChunkRef) -> Place {
        self.place_with(self.items.hash_of(self.hasher, chunk), chunk)
    }

    /// As [`Self::place_of`], if the hash of its key is known.
    pub(crate) fn place_with(&self, hash: KeyHash, chunk: ChunkRef) -> Place {
        let key = self.items.item(chunk).key();
        let found = self
            .index
            .find(&self.items.slabs, hash, key, |other| other == chunk);
        found.expect("a linked item is in the index").0
    }

    /// The next cas unique, 0 with cas disabled.
    #[inline]
    pub(crate) fn next_cas(&mut self) -> u64 {
        if self.items.cas_bytes == 0 {
            return 0;
        }
        let cas = self.cas_next;
        self.cas_next += self.cas_step;
        if self.cas_next >= CAS_END {
            self.cas_next = self.cas_first;
        }
        cas
    }

    /// The cas unique that was asked for, else the next one; 0 with cas disabled.
    #[inline]
    pub(crate) fn cas_or_next(&mut self, wanted: Option<u64>) -> u64 {
        match wanted {
            Some(cas) if self.items.cas_bytes != 0 => cas,
            _ => self.next_cas(),
        }
    }

    /// Whether an item is larger than memcached would take.
    #[inline]
    #[must_use]
    pub fn is_too_large(&self, key_bytes: usize, value_bytes: usize, client_flags: u32) -> bool {
        let flags = if client_flags == 0 {
            0
        } else {
            COUNTED_FLAGS_BYTES
        };
        let cas = if self.items.cas_bytes == 0 {
            COUNTED_CAS_BYTES
        } else {
            0
        };
        key_bytes + value_bytes + COUNTED_BYTES + flags - cas > self.item_size_max
    }

    /// Marks an item as used. `fetched` if its value goes to a client.
    #[inline]
    pub(crate) fn mark_used(&mut self, chunk: ChunkRef, fetched: bool) {
        let head = self.items.head(chunk);
        let used = head
            .with_frequency(policy::accessed(head.frequency()))
            .with_fetched(head.is_fetched() || fetched)
            .with_last_access(self.clock.stamp());
        if used != head {
            self.items.set_head(chunk, used);
        }
    }

    /// Counts an item that is being linked, and stamps it.
    pub(crate) fn note_linked(&mut self, chunk: ChunkRef, frequency: u8) {
        let head = self.items.head(chunk);
        let state = if head.is_chain() {
            State::LinkedChain
        } else {
            State::Linked
        };
        let head = head
            .with_state(state)
            .with_frequency(frequency)
            .with_last_access(self.clock.stamp_of_new());
        self.items.set_head(chunk, head);
        let item = self.items.item(chunk);
        let (requested, deadline) = (item.requested_bytes() as u64, item.deadline());
        let payload = item.payload_bytes() as u64;
        self.items.note_deadline(chunk, deadline);
        self.stats.bytes += requested;
        self.stats.payload_bytes += payload;
        self.stats.curr_items += 1;
        self.stats.total_items += 1;
        let class = self.class_of(chunk);
        class.number += 1;
        class.mem_requested += requested;
    }

    /// Counts an item that is being unlinked.
    pub(crate) fn note_unlinked(&mut self, chunk: ChunkRef) {
        let item = self.items.item(chunk);
        let requested = item.requested_bytes() as u64;
        self.stats.payload_bytes -= item.payload_bytes() as u64;
        self.stats.bytes -= requested;
        self.stats.curr_items -= 1;
        let class = self.class_of(chunk);
        class.number -= 1;
        class.mem_requested -= requested;
    }

    /// Removes an item from the index and frees it, unless it is pinned: then with the last unpin.
    pub(crate) fn unlink(&mut self, place: Place, chunk: ChunkRef) {
        self.note_unlinked(chunk);
        self.index.remove(&mut self.items.slabs, place, false);
        self.dispose(chunk);
    }

    /// Frees an item that the index no longer knows, unless it is pinned.
    pub(crate) fn dispose(&mut self, chunk: ChunkRef) {
        if self.is_pinned(chunk) && self.pins.detach(chunk) {
            let head = self.items.head(chunk);
            let state = if head.is_chain() {
                State::LooseChain
            } else {
                State::Loose
            };
            self.items.set_head(chunk, head.with_state(state));
        } else {
            self.free_item(chunk);
        }
    }

    /// Whether the item at `chunk` is pinned. Looks at the table only if its page guards something.
    #[inline]
    pub(crate) fn is_pinned(&self, chunk: ChunkRef) -> bool {
        let page = self.items.slabs.page_of(chunk);
        self.items.slabs.page(page).guarded > 0 && self.pins.contains(chunk)
    }
}
