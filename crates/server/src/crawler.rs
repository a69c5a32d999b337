//! Walks over all items of all shards: `lru_crawler`'s dumps and crawls, `stats sizes`, `stats cachedump`. In the same way,
//! step by step, connections are gone through (`stats conns`), and prefixes (`stats detail dump`).
//!
//! ```text
//!   connection (conn/crawl.rs)          shard being walked (execute/walk.rs)
//!   Walk { cursor } ------------------> some 64 items shown, in its own turn or under a loan
//!   bytes, next cursor <--------------- (nothing is remembered there between two steps)
//! ```
//!
//! The connection that asked drives its walk, one step a tick, and only while its output has room: a slow reader stops
//! its walk and nothing else, and a closed connection has none. A crawl for dead items is done by the shards' upkeep.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use corecached_engine::{PageCursor, WalkCursor};

/// Items that one step looks at: some 10 to 30 us, which is what it adds to a request that comes at the same time
/// (docs/benchmarks.md).
pub(crate) const STEP_ITEMS: usize = 64;
/// Chunks that one step looks at when it goes through pages: fewer cache misses, and most of a class may be free.
pub(crate) const STEP_CHUNKS: usize = 128;

/// Where a walk is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Among all items of a shard.
    Items(WalkCursor),
    /// Among those of a few classes.
    Pages(PageCursor),
    /// Among what is numbered: connections, prefixes.
    Number(u32),
}

/// One step of a walk over one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkStep {
    /// Where the walk is.
    pub(crate) place: Place,
    /// The slab classes that are shown, a bit each.
    pub(crate) classes: u64,
    /// What is shown of an item.
    pub(crate) form: WalkForm,
    /// Unix time of the server's second 0.
    pub(crate) unix_origin: i64,
}

/// What a walk shows of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkForm {
    /// A line of `lru_crawler metadump`.
    Metadump,
    /// A line of `lru_crawler mgdump`.
    Mgdump,
    /// A line of `stats cachedump`.
    Cachedump {
        /// Lines wanted.
        limit: u32,
        /// Bytes that they may have.
        bytes_max: usize,
    },
    /// Its size, counted.
    Sizes,
}

/// Items by size: the multiple of 32 bytes that has room for them.
pub(crate) type Sizes = BTreeMap<usize, u64>;

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
