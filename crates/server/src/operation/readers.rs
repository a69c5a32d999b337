//! Readers of all shards' memory, shared by all shards: nobody writes to them, so one copy serves every CPU.

use corecached_engine::{Engine, KeyHash, SharedReader};

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

    /// Prefetches the leaf of a key that `owner` owns.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, owner: ShardId, hash: KeyHash) {
        if let Some(reader) = self.of(owner) {
            reader.prefetch_leaf(hash);
        }
    }

    /// Prefetches the bucket of a key whose leaf has been prefetched. `own` is the caller's shard: its engine serves
    /// where there is no reader (`-e`).
    #[inline]
    pub(crate) fn prefetch_bucket(&self, owner: ShardId, hash: KeyHash, own: (ShardId, &Engine)) {
        match self.of(owner) {
            Some(reader) => reader.prefetch(hash),
            None if owner == own.0 => own.1.prefetch(hash),
            None => {}
        }
    }

    /// Prefetches the item of a key whose bucket has been prefetched.
    #[inline]
    pub(crate) fn prefetch_item(&self, owner: ShardId, hash: KeyHash, own: (ShardId, &Engine)) {
        match self.of(owner) {
            Some(reader) => reader.prefetch_item(hash),
            None if owner == own.0 => own.1.prefetch_item(hash),
            None => {}
        }
    }
}
