//! The stage of its life that a shard has reached, for the report about shards that do not end.

use std::sync::atomic::{AtomicU8, Ordering};

/// A stage of a shard's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Its loop runs, or waits in its own ring.
    Serving,
    /// It is parked in the executor.
    Parked,
    /// It knows that the process ends.
    Ending,
    /// Its loop is over; its ring and its executor are taken down.
    Leaving,
    /// Its thread has nothing left to do.
    Ended,
}

const STAGES: [Stage; 5] = [
    Stage::Serving,
    Stage::Parked,
    Stage::Ending,
    Stage::Leaving,
    Stage::Ended,
];

/// The stage of one shard, written by its thread and read by anyone.
#[derive(Debug)]
pub(super) struct StageCell(AtomicU8);

impl StageCell {
    pub(super) fn new() -> StageCell {
        StageCell(AtomicU8::new(Stage::Serving as u8))
    }

    pub(super) fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Stage {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        STAGES.get(number).copied().unwrap_or(Stage::Serving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_read_as_it_was_written() {
        let cell = StageCell::new();
        assert_eq!(cell.get(), Stage::Serving);
        for stage in STAGES {
            cell.set(stage);
            assert_eq!(cell.get(), stage);
        }
    }
}
