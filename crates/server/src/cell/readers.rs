//! Readers of all shards' memory, shared by all shards: nobody writes to them, so one copy serves every CPU.

use corecached_engine::SharedReader;

use crate::ids::ShardId;

/// A reader for each shard, by its id.
#[derive(Debug)]
pub(crate) struct Readers(Box<[Option<SharedReader>]>);

impl Readers {
    /// Takes the readers in the order of their shards; `None` for a shard that others cannot read.
    pub(crate) fn new(readers: impl IntoIterator<Item = Option<SharedReader>>) -> Readers {
        Readers(readers.into_iter().collect())
    }

    /// The reader of a shard's memory; `None` if others cannot read it.
    #[inline]
    pub(crate) fn of(&self, shard: ShardId) -> Option<&SharedReader> {
        self.0[usize::from(shard.0)].as_ref()
    }
}
