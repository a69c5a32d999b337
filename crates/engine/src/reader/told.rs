//! How engines learn of reads that bypass them: the engine of the item, and the engine of the reading thread.
//!
//! ```text
//! thread with the connection             thread with the item
//!   Reader::read     hit    ----note---->  Engine::note_reads     it was used: frequency, last access
//!   Engine::count_read_hit, _miss                                 hits of its classes
//!     of its own shard, as shown
//! ```
//!
//! Each hit is counted once in the statistics, by the engine of the thread that has read: at once, so that the sum over
//! all shards is right at any time. The notes to the shard with the item decide which class there needs memory.

use crate::contents::Contents;
use crate::engine::Engine;
use crate::reader::{ReadNotes, SharedReader};
use crate::slab::ChunkRef;
use crate::types::Seconds;

/// Notes whose items are prefetched together.
const NOTES_AHEAD: usize = 16;

impl Engine {
    /// A reader of this shard for other threads; `None` for a shard in a file, whose pages may vanish under a reader.
    #[must_use]
    pub fn reader(&self) -> Option<SharedReader> {
        let slabs = &self.contents.items.slabs;
        (!slabs.segment.is_file()).then(|| SharedReader {
            segment: slabs.segment.view(),
            index: self.contents.index.view(),
            clock: self.contents.clock.view(),
            classes: slabs.class_view(),
            granule_shift: slabs.granule_shift(),
            page_shift: slabs.page_bytes().trailing_zeros(),
            cas_bytes: self.contents.items.cas_bytes,
        })
    }

    /// Counts an item that this thread has found in another shard by itself.
    #[inline]
    pub fn count_read_hit(&mut self, class: u8) {
        self.telemetry.found_elsewhere(class);
    }

    /// Counts a key for which this thread has found no item in another shard by itself.
    #[inline]
    pub fn count_read_miss(&mut self) {
        self.telemetry.get_miss();
    }

    /// Marks items of this shard as used that other threads have read by themselves, as lookups of this engine would
    /// have done. The statistics show these reads with the shards of the reading threads.
    pub fn note_reads(&mut self, notes: &ReadNotes, now: Seconds) {
        self.contents.clock.advance(now);
        for ahead in notes.used.chunks(NOTES_AHEAD) {
            for note in ahead {
                self.prefetch(note.hash());
            }
            for note in ahead {
                self.prefetch_item(note.hash());
            }
            for note in ahead {
                let slabs = &self.contents.items.slabs;
                if let Some(chunk) = self.contents.index.noted(slabs, note) {
                    self.contents.note_read(chunk);
                }
            }
        }
        for (class, &hits) in notes.hits.iter().enumerate().filter(|(_, hits)| **hits > 0) {
            let (class, hits) = (class as u8, u64::from(hits));
            self.placement.balance.note_hits(class, hits);
            self.telemetry.found_from_elsewhere(class, hits);
        }
    }
}

impl Contents {
    fn note_read(&mut self, chunk: ChunkRef) {
        // A dead item would live again if it were used.
        if self.items.head(chunk).is_linked() && !self.is_dead(chunk) {
            self.mark_used(chunk);
        }
    }
}
