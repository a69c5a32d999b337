//! The reads of other shards' items that one shard has made, in the order in which they were made.
//!
//! ```text
//!   read, read, read --> log --sorted by shard--> notes for each shard (notes.rs) --> its engine
//! ```
//!
//! A read adds one entry to one list. Lists for each other shard would be as many cold cache lines as there are shards.

use corecached_engine::ReadNote;
use corecached_insight::Access as Sample;

use crate::ids::ShardId;

/// Most reads in a log; it is sorted out when it is full.
const READS_MAX: usize = 512;
/// Most samples in a log; it is sorted out when it has so many.
const SAMPLES_MAX: usize = 128;

/// A read of another shard's item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedRead {
    /// The shard that owns the item.
    pub(crate) owner: ShardId,
    /// The class of the item.
    pub(crate) class: u8,
    /// The note for the owner, if the item is to be marked as used.
    pub(crate) note: Option<ReadNote>,
}

/// The reads since the log was last sorted out.
#[derive(Debug)]
pub(crate) struct ReadLog {
    reads: Vec<LoggedRead>,
    samples: Vec<(ShardId, Sample)>,
}

impl ReadLog {
    /// An empty log.
    pub(crate) fn new() -> ReadLog {
        ReadLog {
            reads: Vec::with_capacity(READS_MAX),
            samples: Vec::new(),
        }
    }

    /// Adds a read. The log must not be full.
    #[inline]
    pub(crate) fn add(&mut self, read: LoggedRead) {
        debug_assert!(self.reads.len() < READS_MAX, "full logs are sorted out");
        self.reads.push(read);
    }

    /// Adds a sample for a shard. The log must not be full.
    pub(crate) fn add_sample(&mut self, owner: ShardId, sample: Sample) {
        debug_assert!(self.samples.len() < SAMPLES_MAX, "full logs are sorted out");
        self.samples.push((owner, sample));
    }

    /// Whether there is no room for a further read.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.reads.len() >= READS_MAX || self.samples.len() >= SAMPLES_MAX
    }

    /// Whether there is a sample.
    #[inline]
    pub(crate) fn has_samples(&self) -> bool {
        !self.samples.is_empty()
    }

    /// Takes all reads out.
    pub(crate) fn drain_reads(&mut self) -> impl Iterator<Item = LoggedRead> {
        self.reads.drain(..)
    }

    /// Takes all samples out, with the shards that they are for.
    pub(crate) fn drain_samples(&mut self) -> impl Iterator<Item = (ShardId, Sample)> {
        self.samples.drain(..)
    }

    /// Bytes of heap memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.reads.capacity() * size_of::<LoggedRead>()
            + self.samples.capacity() * size_of::<(ShardId, Sample)>()
    }
}
