//! The keys that are asked for most.
//!
//! ```text
//! samples --> HotKeys of a shard (summary.rs) --- keys() --+
//! samples --> HotKeys of a shard ------------- keys() --+--+--> merge --> Shares: keys of the server, hottest first
//! ```
//!
//! A shard counts the requests that it has executed, on whichever shard the key lies, so a key may be counted by many.

mod key;
mod merge;
mod summary;

pub use key::HotKey;
pub use merge::{KeyShare, Shares, merge};
pub use summary::KEY_BYTES_MAX;

use summary::Summary;

/// All counts are halved when so many seconds have passed, so that yesterday's keys fade.
const HALVED_AFTER_SECONDS: u32 = 60;
/// After so many halvings nothing is left of a count.
const HALVINGS_MAX: u32 = 63;

/// The hot keys of one shard.
#[derive(Debug, Default)]
pub struct HotKeys {
    summary: Summary,
    /// Requests counted.
    requests: u64,
    /// The minute of the last request.
    minute: u32,
}

impl HotKeys {
    /// Counts a request that stands for `weight` requests.
    pub(crate) fn add(&mut self, key: &[u8], hash: u64, weight: u32, changes: bool, now: u32) {
        self.fade(now);
        self.requests += u64::from(weight);
        self.summary.add(key, hash, u64::from(weight), changes);
    }

    /// Halves all counts once for each minute that has passed.
    fn fade(&mut self, now: u32) {
        let minute = now / HALVED_AFTER_SECONDS;
        let halvings = minute.saturating_sub(self.minute).min(HALVINGS_MAX);
        if halvings > 0 {
            self.minute = minute;
            self.requests >>= halvings;
            self.summary.halve(halvings);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.requests = 0;
        self.summary.clear();
    }

    /// Requests counted, as far as they have not faded.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Most requests that a key without a counter can have had.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.summary.unseen()
    }

    /// All keys that have a counter now, in no order.
    #[must_use]
    pub fn keys(&mut self, now: u32) -> Vec<HotKey> {
        self.fade(now);
        self.summary.keys()
    }

    /// Bytes of heap memory, its own included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of::<HotKeys>() + self.summary.held_bytes()
    }
}
