//! What a shard is to be told of gets of its keys that another shard has answered from its memory: uses of items, and
//! samples for the estimate of `stats mrc`.
//!
//! They are told before the operations of the same shard that come after them. So the estimate learns of a miss before
//! it learns of the store that the miss has led to.

use corecached_engine::{Engine, ReadNotes, Seconds};
use corecached_insight::Access as Sample;

use super::observer::Observer;

/// Most samples for one shard, twice as many as a log has; further ones are lost until the shard has been told.
const SAMPLES_MAX: usize = 256;

/// Notes for one shard.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Uses of items.
    pub(crate) reads: ReadNotes,
    samples: Vec<Sample>,
    /// Samples that found no room since the shard was last told.
    lost: u64,
}

impl Notes {
    /// Whether there is nothing to tell.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.samples.is_empty()
    }

    /// Adds a sample, or counts it as lost if there is no room.
    pub(crate) fn add_sample(&mut self, sample: Sample) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        } else {
            self.lost += 1;
        }
    }

    /// Tells the shard, and forgets.
    pub(crate) fn tell(&mut self, engine: &mut Engine, observer: &mut Observer, now: Seconds) {
        if self.is_empty() {
            return;
        }
        engine.note_reads(&self.reads, now);
        for &sample in &self.samples {
            observer.sampler.keep(sample);
        }
        observer.sampler.lose(self.lost);
        self.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.samples.clear();
        self.lost = 0;
    }

    /// Bytes of heap memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.reads.held_bytes() + self.samples.capacity() * size_of::<Sample>()
    }
}
