//! The shards to which operations of a connection were pushed, so that its gets do not overtake its own operations.
//!
//! ```text
//! connection   shards that it has pushed to (a bit for each, or for several), the epoch of the last push
//! peer         all that was pushed up to this epoch has been run
//! ```
//!
//! An epoch is one emptying of the outboxes. The bits err on one side only: a get may go to the owner needlessly,
//! though all operations before it have been run, but a get never overtakes an operation.

use crate::ids::ShardId;

/// The shards to which operations of one connection were pushed, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    shards: u64,
    epoch: u64,
}

impl Pushed {
    fn bit(shard: ShardId) -> u64 {
        1 << (shard.0 % u64::BITS as u16)
    }

    /// Notes that an operation is pushed to a shard in this epoch.
    #[inline]
    pub(crate) fn note(&mut self, shard: ShardId, epoch: u64) {
        self.shards |= Self::bit(shard);
        self.epoch = epoch;
    }

    /// Whether an operation may have been pushed to a shard in the epoch `run_before` or later, and so may not have
    /// been run.
    #[inline]
    pub(crate) fn is_after(&self, shard: ShardId, run_before: u64) -> bool {
        self.shards & Self::bit(shard) != 0 && self.epoch >= run_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_run_is_not_waited_for() {
        let mut pushed = Pushed::default();
        assert!(!pushed.is_after(ShardId(3), 0));
        pushed.note(ShardId(3), 7);
        assert!(pushed.is_after(ShardId(3), 7) && !pushed.is_after(ShardId(3), 8));
        assert!(!pushed.is_after(ShardId(4), 7));
        assert!(pushed.is_after(ShardId(67), 7), "two shards share a bit");
        pushed.note(ShardId(4), 9);
        assert!(pushed.is_after(ShardId(3), 8), "more is said than is so");
    }
}
