//! What other threads have read of a shard by themselves, as its engine and theirs learn of it.
//!
//! ```text
//! thread with the connection             thread with the item
//!   Reader::read     hit    ----note---->  Engine::note_reads     it was used: frequency, last access
//!   Engine::count_reads (its own)                                 hits of its classes
//!     hits and misses, as shown
//! ```
//!
//! Each hit is counted once in what is shown, by the engine of whoever has read: at once, so that the sum over all shards is
//! right at any time. Where memory is needed is decided by what the shard with the item is told.

use crate::engine::Engine;
use crate::evict::policy;
use crate::reader::{ReadCounts, ReadNote, SharedReader};
use crate::slab::ChunkRef;
use crate::types::Seconds;

impl Engine {
    /// What reads this shard from other threads; `None` for a shard in a file, whose pages may vanish under a reader.
    #[must_use]
    pub fn reader(&self) -> Option<SharedReader> {
        let slabs = &self.items.slabs;
        (!slabs.segment.is_file()).then(|| SharedReader {
            segment: slabs.segment.view(),
            index: self.index.view(),
            clock: self.clock.view(),
            classes: slabs.class_view(),
            granule_shift: slabs.granule_shift(),
            page_shift: slabs.page_bytes().trailing_zeros(),
            cas_bytes: self.items.cas_bytes,
        })
    }

    /// Counts what this thread has read of other shards.
    pub fn count_reads(&mut self, counts: &ReadCounts) {
        self.stats.cmd_get += counts.hits + counts.misses;
        self.stats.get_hits += counts.hits;
        self.stats.get_misses += counts.misses;
    }

    /// Does to the items of notes what the lookups would have done that others have made by themselves: they were used.
    pub fn note_reads(&mut self, notes: &[ReadNote], now: Seconds) {
        self.clock.advance(now);
        for note in notes {
            if let Some(chunk) = self.index.noted(&self.items.slabs, note) {
                self.note_read(chunk);
            }
        }
    }

    fn note_read(&mut self, chunk: ChunkRef) {
        let head = self.items.head(chunk);
        // A dead item would live again if it were used.
        if !head.is_linked() || self.death(&self.items.item(chunk)).is_some() {
            return;
        }
        let used = head
            .with_frequency(policy::accessed(head.frequency()))
            .with_last_access(self.clock.stamp());
        if used != head {
            self.items.set_head(chunk, used);
        }
    }
}

/// Whether one more access changes the frequency of an item.
pub(crate) fn is_worth_a_note(frequency: u8) -> bool {
    policy::accessed(frequency) != frequency
}
