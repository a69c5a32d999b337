//! What is counted in order to decide: how much work a call has done, how much is asked of each class, what had to go.
//!
//! Nobody outside can set these back: `stats reset` moves the point from which some of them are shown, and nothing else. What is
//! counted for statistics only (stats.rs) decides nothing.

use crate::engine::Engine;
use crate::telemetry::Vitals;

/// Counts since the start.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    /// See effort.rs.
    pub(crate) work: u64,
    /// Pages that could not be emptied because of half-received values, or that nobody could name.
    pub(crate) busy_pages: u64,
    pub(crate) evictions: u64,
    /// Bytes of evicted items, but for those whose page went to another shard.
    pub(crate) evicted_bytes: u64,
    /// Values that are no longer being sent or received.
    pub(crate) unguarded: u64,
    /// Allocations for which there was no memory.
    pub(crate) chunks_refused: u64,
    /// By class: items found by a get.
    pub(crate) hits: Vec<u64>,
    /// By class: items evicted.
    pub(crate) evicted: Vec<u64>,
}

impl Meters {
    /// For so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            work: 0,
            busy_pages: 0,
            evictions: 0,
            evicted_bytes: 0,
            unguarded: 0,
            chunks_refused: 0,
            hits: vec![0; classes],
            evicted: vec![0; classes],
        }
    }
}

impl Engine {
    /// How the shard stands beside others. Unlike statistics, the counts are those since its start.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        Vitals {
            items: self.stats.curr_items,
            charged_bytes: self.items.slabs.held_bytes(),
            hits: self.meters.hits.iter().sum(),
            evictions: self.meters.evictions,
            evicted_bytes: self.meters.evicted_bytes,
            chunks_refused: self.meters.chunks_refused,
        }
    }

    /// Bytes of the items evicted since the start, at next to no cost.
    #[inline]
    pub fn evicted_bytes(&self) -> u64 {
        self.meters.evicted_bytes
    }
}
