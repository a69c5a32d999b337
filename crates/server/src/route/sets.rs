//! The shards for which a router has something to do.

use super::peers::PeerSet;

/// The shards for which there is something to do, one set for each thing.
pub(super) struct Sets {
    /// Shards whose outbox is not empty.
    pub(super) loaded: PeerSet,
    /// Shards whose batches have been run here: they are owed a bell.
    pub(super) owed: PeerSet,
    /// Shards that have not been told of reads of their items.
    pub(super) noted: PeerSet,
    /// Shards to which batches of ours are on their way.
    pub(super) awaited: PeerSet,
    /// A scratch set: the shards that are being served in this turn.
    pub(super) now: PeerSet,
}

impl Sets {
    /// Empty sets, with room for so many shards.
    pub(super) fn new(shards: usize) -> Sets {
        let none = || PeerSet::new(shards);
        Sets {
            loaded: none(),
            owed: none(),
            noted: none(),
            awaited: none(),
            now: none(),
        }
    }
}
