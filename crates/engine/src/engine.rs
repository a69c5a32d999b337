//! One shard's cache: the parts, and what joins them.
//!
//! ```text
//! Engine
//!  |- contents      the contents: items, index, clock, pins          read and changed by all
//!  |- victims       which item goes next                             evict, place
//!  |- placement     whose memory it is, which page is on its way     place
//!  |- receiving     values on their way in                           stage
//!  |- walks         where the background walks are                   upkeep
//!  |- cas, limit    the next cas unique; how large items may be      verbs, stage
//!  '- telemetry     counters and events                              written by all, read by nobody
//! ```
//!
//! Its other methods are beside this file: `verbs`, `stage` and `pin` for clients, `upkeep` for the background,
//! `reports` for users. Each call has an [`Effort`] of its own, which says what the call may cost.

use std::io;
use std::sync::Arc;

use crate::budget::Budget;
use crate::cas::CasNumbers;
use crate::config::EngineConfig;
use crate::contents::Contents;
use crate::effort::Effort;
use crate::evict::Victims;
use crate::id::EngineId;
use crate::index::{EXTENT_BYTES, Index, SecretKey};
use crate::item::{CAS_BYTES, HEAD_BYTES, Items};
use crate::limit::ItemLimit;
use crate::place::{Memory, Placement};
use crate::receiving::Receiving;
use crate::slab::Slabs;
use crate::telemetry::Telemetry;
use crate::types::{KeyHash, Seconds};
use crate::walks::Walks;

/// One shard's cache. See the crate's documentation.
#[derive(Debug)]
pub struct Engine {
    pub(crate) contents: Contents,
    pub(crate) victims: Victims,
    pub(crate) placement: Placement,
    pub(crate) receiving: Receiving,
    pub(crate) walks: Walks,
    pub(crate) cas: CasNumbers,
    pub(crate) telemetry: Telemetry,
    limit: ItemLimit,
    id: EngineId,
}

impl Engine {
    /// The engine of an empty shard.
    ///
    /// # Errors
    ///
    /// The address space cannot be mapped, `page_bytes` is not a power of two in range, or the budget is too small for
    /// the directory of the index.
    pub fn new(config: EngineConfig, budget: Arc<Budget>) -> io::Result<Self> {
        let cas_bytes = if config.cas_enabled { CAS_BYTES } else { 0 };
        let mut slabs = Slabs::new(&config, budget, HEAD_BYTES + cas_bytes, EXTENT_BYTES)?;
        let index = Index::new(&mut slabs, config.hasher, SecretKey(config.secret))?;
        let classes = slabs.sizes.len();
        Ok(Self {
            contents: Contents::new(Items { slabs, cas_bytes }, index, config.hasher),
            victims: Victims::new(config.evictions_enabled, classes),
            placement: Placement::new(classes),
            receiving: Receiving::default(),
            walks: Walks::default(),
            cas: CasNumbers::new(&config),
            telemetry: Telemetry::new(classes),
            limit: ItemLimit::new(&config),
            id: EngineId::next(),
        })
    }

    /// Which engine of the process this is.
    pub(crate) fn id(&self) -> EngineId {
        self.id
    }

    /// The memory of the shard, for a call.
    #[inline]
    pub(crate) fn memory<'a>(&'a mut self, effort: &'a mut Effort) -> Memory<'a> {
        Memory {
            contents: &mut self.contents,
            victims: &mut self.victims,
            placement: &mut self.placement,
            telemetry: &mut self.telemetry,
            effort,
        }
    }

    /// Runs a call with an effort of its own, and counts it.
    #[inline]
    pub(crate) fn spending<T>(&mut self, call: impl FnOnce(&mut Self, &mut Effort) -> T) -> T {
        let mut effort = Effort::new(self.contents.index.slot_work());
        let outcome = call(self, &mut effort);
        self.telemetry.spent(&effort);
        outcome
    }

    /// Bytes of a page, as [`EngineConfig`] says, or as the process had it that the shard was restored from.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.contents.items.slabs.page_bytes()
    }

    /// Whether an item is larger than memcached would take.
    #[inline]
    #[must_use]
    pub fn is_too_large(&self, key_bytes: usize, value_bytes: usize, client_flags: u32) -> bool {
        self.limit
            .is_exceeded(key_bytes + value_bytes, client_flags)
    }

    /// Prefetches the index's cache line of `hash`. Changes nothing.
    #[inline]
    pub fn prefetch(&self, hash: KeyHash) {
        self.contents
            .index
            .prefetch(&self.contents.items.slabs, hash);
    }

    /// Prefetches the item that `hash` probably finds; best some time after [`Self::prefetch`].
    #[inline]
    pub fn prefetch_item(&self, hash: KeyHash) {
        let slabs = &self.contents.items.slabs;
        if let Some(chunk) = self.contents.index.likely(slabs, hash) {
            let address = slabs.address(chunk);
            slabs.segment.prefetch(address);
            slabs.segment.prefetch(address + 64);
        }
    }

    /// Kills every item that is present now or, if `at` is given, every item that is present when the clock reaches
    /// `at`. A delayed flush replaces a pending one. The call takes constant time, unless some millions of flushes come
    /// without a sweep between them. The memory of a killed item comes back when the item is met, by [`Self::sweep`] at
    /// the latest.
    pub fn flush_all(&mut self, at: Option<Seconds>, now: Seconds) {
        self.contents.clock.advance(now);
        self.telemetry.flush();
        self.provide_stamp();
        self.contents.clock.flush(at);
    }
}
