//! Walks over all items of all shards: `lru_crawler`'s dumps and crawls, `stats sizes`, `stats cachedump`. In the same way,
//! step by step, connections are gone through (`stats conns`), and prefixes (`stats detail dump`).
//!
//! ```text
//!   connection (conn/crawl.rs)          shard being walked (cell/walk.rs)
//!   Walk { cursor } ------------------> some 64 items shown, in its own turn or under a loan
//!   bytes, next cursor <--------------- (nothing is remembered there between two steps)
//! ```
//!
//! The connection that asked drives its walk, one step a tick, and only while its output has room: a slow reader stops
//! its walk and nothing else, and a closed connection has none. A crawl for dead items is done by the shards' upkeep.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What all shards know of crawls and dumps, of which there is one at a time.
#[derive(Debug, Default)]
pub(crate) struct Crawler {
    running: AtomicBool,
    starts: AtomicU64,
    /// Shards that have not ended a crawl for dead items.
    sweeping: AtomicUsize,
}

impl Crawler {
    /// Begins a dump, unless something is running. Whoever gets true calls [`Self::end`].
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        let begun = !self.running.swap(true, Ordering::Relaxed);
        if begun {
            self.starts.fetch_add(1, Ordering::Relaxed);
        }
        begun
    }

    /// Ends a dump.
    pub(crate) fn end(&self) {
        self.running.store(false, Ordering::Relaxed);
    }

    /// Has each of so many shards look at all its memory for dead items, soon: `call` tells them. False if something is running.
    pub(crate) fn crawl(&self, shards: usize, call: impl FnOnce()) -> bool {
        if !self.begin() {
            return false;
        }
        self.sweeping.store(shards, Ordering::Relaxed);
        call();
        true
    }

    /// A shard has ended the crawl it was asked for.
    pub(crate) fn crawled(&self) {
        if self.sweeping.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end();
        }
    }

    /// Whether a crawl or dump is running.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Crawls and dumps begun.
    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// `stats reset`.
    pub(crate) fn reset(&self) {
        self.starts.store(0, Ordering::Relaxed);
    }
}
