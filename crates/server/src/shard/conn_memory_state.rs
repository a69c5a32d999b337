//! The memory of a shard's connections as last published, and the output limit that follows from it; `conn_memory.rs`
//! uses both.

use crate::conn::{OUTPUT_BYTES_MAX, Totals};

/// Bytes of replies that a connection may have queued when memory is short.
const OUTPUT_BYTES_SHORT: usize = 16 * 1024;

/// The memory of a shard's connections as last published, and the output limit that follows from it.
#[derive(Debug)]
pub(super) struct ConnMemoryState {
    published: Totals,
    /// The shard's part of the sum over all shards.
    added: u64,
    output_bytes_max: usize,
    is_above_share: bool,
}

impl Default for ConnMemoryState {
    fn default() -> ConnMemoryState {
        ConnMemoryState {
            published: Totals::default(),
            added: 0,
            output_bytes_max: OUTPUT_BYTES_MAX,
            is_above_share: false,
        }
    }
}

impl ConnMemoryState {
    /// Notes the memory that the connections hold now; returns false if it is the same as last time.
    pub(super) fn update(&mut self, totals: Totals) -> bool {
        let is_new = totals != self.published;
        self.published = totals;
        is_new
    }

    /// The memory that was published last.
    pub(super) fn published(&self) -> Totals {
        self.published
    }

    /// What the sum over all shards lacks of the memory that was published last; the caller adds it now.
    pub(super) fn take_unadded(&mut self) -> i64 {
        let all = self.published.all();
        let before = std::mem::replace(&mut self.added, all);
        all.wrapping_sub(before) as i64
    }

    /// Notes whether the connections hold more than the shard's share of the limit.
    pub(super) fn note_share(&mut self, is_above: bool) {
        self.is_above_share = is_above;
    }

    /// Whether the connections hold more than the shard's share of the limit.
    #[inline]
    pub(super) fn is_above_share(&self) -> bool {
        self.is_above_share
    }

    /// Whether the connections hold so much that they may soon exceed the shard's share of the limit.
    #[inline]
    pub(super) fn is_near_share(&self) -> bool {
        self.output_bytes_max == OUTPUT_BYTES_SHORT
    }

    /// Sets the limit on queued replies: the short one if memory is short, else the usual one.
    pub(super) fn shorten_output(&mut self, is_short: bool) {
        self.output_bytes_max = match is_short {
            true => OUTPUT_BYTES_SHORT,
            false => OUTPUT_BYTES_MAX,
        };
    }

    /// A connection with this many bytes to send executes nothing further.
    #[inline]
    pub(super) fn output_bytes_max(&self) -> usize {
        self.output_bytes_max
    }
}
