//! What a shard is to be told of gets of its keys that another shard has answered from its memory: uses of items, and
//! samples for the estimate of `stats mrc`.
//!
//! They are told before the operations of the same shard that come after them. So the estimate learns of a miss before
//! it learns of the store that the miss has led to.

use corecached_engine::{Engine, ReadNotes, Seconds};
use corecached_insight::Access as Sample;

use super::observer::Observer;

/// Most samples for one shard; further ones are lost until it has been told.
const SAMPLES_MAX: usize = 128;

/// Notes for one shard.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Uses of items.
    pub(crate) reads: ReadNotes,
    samples: Vec<Sample>,
}

impl Notes {
    /// Whether there is nothing to tell.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.samples.is_empty()
    }

    /// The longer of both lists.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        self.reads.used().max(self.samples.len())
    }

    /// Adds a sample; returns false if there is no room.
    pub(crate) fn add_sample(&mut self, sample: Sample) -> bool {
        let has_room = self.samples.len() < SAMPLES_MAX;
        if has_room {
            self.samples.push(sample);
        }
        has_room
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
        self.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.samples.clear();
    }

    /// Bytes of heap memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.reads.held_bytes() + self.samples.capacity() * size_of::<Sample>()
    }
}
