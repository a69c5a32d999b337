//! Walks over all items of all shards: `lru_crawler`'s dumps and crawls, `stats sizes`, `stats cachedump`. Walks over
//! connections (`stats conns`) and prefixes (`stats detail dump`) go step by step in the same way.
//!
//! ```text
//!   connection (conn/walk_state.rs)          shard being walked (operation/walk.rs)
//!   Walk { cursor } ------------------> some 64 items shown, in its own turn or under a loan
//!   bytes, next cursor <--------------- (nothing is remembered there between two steps)
//! ```
//!
//! The connection that asked drives its walk, one step a tick, and only while its output has room. So a slow reader
//! delays its own walk and nothing else, and a closed connection has no walk. A crawl for dead items is done by the
//! shards' upkeep.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// State of crawls and dumps, shared by all shards. At most one of them runs at a time.
#[derive(Debug, Default)]
pub(crate) struct Crawler {
    running: AtomicBool,
    starts: AtomicU64,
    /// Shards that have not ended a crawl for dead items.
    sweeping: AtomicUsize,
}

impl Crawler {
    /// Begins a dump, unless something is running. A caller that gets true has to call [`Self::end`].
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

    /// Makes each of `shards` shards look at all its memory for dead items soon; `call` tells them. Returns false if
    /// something is running.
    pub(crate) fn crawl(&self, shards: usize, call: impl FnOnce()) -> bool {
        if !self.begin() {
            return false;
        }
        self.sweeping.store(shards, Ordering::Relaxed);
        call();
        true
    }

    /// Notes that a shard has ended its crawl.
    pub(crate) fn crawled(&self) {
        if self.sweeping.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end();
        }
    }

    /// Whether a crawl or dump is running.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Number of crawls and dumps begun.
    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// `stats reset`: sets the number to zero.
    pub(crate) fn reset(&self) {
        self.starts.store(0, Ordering::Relaxed);
    }
}
