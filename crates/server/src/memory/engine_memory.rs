//! The numbers that a shard publishes about its memory; others read them whenever they like.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use corecached_engine::{IDLE_FOR_EVER, Seconds, Vitals};

use super::turnover::{Done, NEVER};

/// Value of `idle_since` for free pages.
const FREE: u32 = 0;

/// The numbers that one shard publishes about its memory; the shard writes them and all others read them.
#[derive(Debug)]
pub(crate) struct EngineMemory {
    /// Bytes charged to the budget.
    bytes: AtomicU64,
    items: AtomicU64,
    /// Totals: bytes evicted, bytes taken from free memory, hits.
    evicted_bytes: AtomicU64,
    drawn_bytes: AtomicU64,
    hits: AtomicU64,
    /// Number of times that all of these numbers were published.
    rounds: AtomicU64,
    /// Milliseconds in which the shard needs as much memory as it holds; [`NEVER`] if it needs none.
    turnover_ms: AtomicU64,
    /// The shard's oldest pages were last used before this second; [`FREE`] if they hold nothing.
    idle_since: AtomicU32,
}

impl EngineMemory {
    pub(crate) fn new() -> EngineMemory {
        EngineMemory {
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
            evicted_bytes: AtomicU64::new(0),
            drawn_bytes: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            turnover_ms: AtomicU64::new(NEVER),
            idle_since: AtomicU32::new(u32::MAX),
        }
    }

    /// Milliseconds in which the shard needs as much memory as it holds, if it needs any.
    pub(crate) fn turnover_ms(&self) -> Option<u64> {
        let turnover = self.turnover_ms.load(Ordering::Relaxed);
        (turnover != NEVER).then_some(turnover)
    }

    /// Milliseconds for which the shard's oldest pages were certainly not used; `now_ms` is the time. Very many if they
    /// are free.
    pub(crate) fn idle_ms(&self, now_ms: u64) -> u64 {
        match self.idle_since.load(Ordering::Relaxed) {
            FREE => u64::MAX,
            since => now_ms.saturating_sub(1000 * u64::from(since)),
        }
    }

    /// Notes that the shard's pages turn out not to be as old as published.
    pub(super) fn note_young(&self, now: Seconds) {
        self.idle_since.store(now.0, Ordering::Relaxed);
    }

    /// Publishes the evicted bytes, in each turn: this number is compared over all shards, so it must not be late
    /// because a shard has no time for its rounds.
    #[inline]
    pub(crate) fn publish_evicted(&self, bytes: u64) {
        self.evicted_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn publish_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn publish_turnover(&self, turnover_ms: u64) {
        self.turnover_ms.store(turnover_ms, Ordering::Relaxed);
    }

    /// Publishes all other numbers, in each round. The oldest pages have been idle for `idle` seconds.
    pub(super) fn publish(&self, vitals: &Vitals, drawn_bytes: u64, idle: u32, now: Seconds) {
        self.publish_bytes(vitals.charged_bytes);
        self.publish_evicted(vitals.evicted_bytes);
        self.items.store(vitals.items, Ordering::Relaxed);
        self.drawn_bytes.store(drawn_bytes, Ordering::Relaxed);
        self.hits.store(vitals.hits, Ordering::Relaxed);
        // A page that was last used in a second has been idle since the end of that second.
        let idle_since = match idle {
            IDLE_FOR_EVER => FREE,
            idle => now.0.saturating_sub(idle) + 1,
        };
        self.idle_since.store(idle_since, Ordering::Relaxed);
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    pub(super) fn done(&self) -> Done {
        let evicted_bytes = self.evicted_bytes.load(Ordering::Relaxed);
        Done {
            needed_bytes: evicted_bytes + self.drawn_bytes.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            rounds: self.rounds.load(Ordering::Relaxed),
        }
    }
}
