//! What a shard tells the others of its memory: numbers that they read when they like.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use corecached_engine::{IDLE_FOR_EVER, Seconds, Vitals};

use super::turnover::{Done, NEVER};

/// Since when free pages were not used.
const FREE: u32 = 0;

/// What one shard says of its memory: numbers that it writes and all others read.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Bytes charged to the budget.
    bytes: AtomicU64,
    items: AtomicU64,
    /// Totals of what it has evicted, of what it has taken of free memory, and of its hits.
    evicted_bytes: AtomicU64,
    drawn_bytes: AtomicU64,
    hits: AtomicU64,
    /// Times that it has told all of this.
    rounds: AtomicU64,
    /// Milliseconds in which it needs as much as it holds; [`NEVER`] if it does not.
    turnover_ms: AtomicU64,
    /// Its oldest pages were last used before this second; [`FREE`] if they hold nothing.
    idle_since: AtomicU32,
}

impl Notice {
    pub(crate) fn new() -> Notice {
        Notice {
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

    /// For how long its oldest pages were certainly not used, `now_ms` being the time; very long if they are free.
    pub(crate) fn idle_ms(&self, now_ms: u64) -> u64 {
        match self.idle_since.load(Ordering::Relaxed) {
            FREE => u64::MAX,
            since => now_ms.saturating_sub(1000 * u64::from(since)),
        }
    }

    /// Notes that its pages turn out not to be as old as it has said.
    pub(super) fn note_young(&self, now: Seconds) {
        self.idle_since.store(now.0, Ordering::Relaxed);
    }

    /// In each turn: what is counted for all shards alike must not be late because a shard has no time for its rounds.
    #[inline]
    pub(crate) fn tell_evicted(&self, bytes: u64) {
        self.evicted_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn tell_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn tell_turnover(&self, turnover_ms: u64) {
        self.turnover_ms.store(turnover_ms, Ordering::Relaxed);
    }

    /// In each round: all else. The oldest pages are idle for so many seconds.
    pub(super) fn tell(&self, vitals: &Vitals, drawn_bytes: u64, idle: u32, now: Seconds) {
        self.tell_bytes(vitals.charged_bytes);
        self.tell_evicted(vitals.evicted_bytes);
        self.items.store(vitals.items, Ordering::Relaxed);
        self.drawn_bytes.store(drawn_bytes, Ordering::Relaxed);
        self.hits.store(vitals.hits, Ordering::Relaxed);
        // What was last used in a second has been idle since the end of that second.
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
