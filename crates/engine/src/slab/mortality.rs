//! How many items of a page will be dead at a time, without looking at them.
//!
//! Each item with a deadline is counted in the slot of its remaining life, in powers of two from when the page was last
//! gone through. Deletions are not taken back, so it is an upper estimate until the page is gone through again.
//!
//! ```text
//! slot            0    1    2     3      4   ...  15
//! seconds left    0-1  2-3  4-7   8-15   16-31    32768 and more
//! ```

use serde::{Deserialize, Serialize};

/// Slots of lives.
const SLOTS: usize = 16;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Mortality {
    /// When the counting began.
    since: u32,
    counts: [u16; SLOTS],
}

impl Mortality {
    pub(crate) const EMPTY: Self = Self {
        since: 0,
        counts: [0; SLOTS],
    };

    /// Nothing counted yet, at `now`.
    pub(crate) fn begin(now: u32) -> Self {
        Self {
            since: now,
            ..Self::EMPTY
        }
    }

    /// Counts an item that dies at `deadline`.
    #[inline]
    pub(crate) fn note(&mut self, deadline: u32) {
        let life = deadline.saturating_sub(self.since);
        let slot = ((life | 1).ilog2() as usize).min(SLOTS - 1);
        self.counts[slot] = self.counts[slot].saturating_add(1);
    }

    /// How many of those counted are dead at `now`, taking the lives in a slot as evenly spread.
    pub(crate) fn dead_at(&self, now: u32) -> u32 {
        let passed = u64::from(now.saturating_sub(self.since));
        let mut dead = 0;
        for (slot, &count) in self.counts.iter().enumerate() {
            let (from, span) = if slot == 0 {
                (0, 2)
            } else {
                (1 << slot, 1u64 << slot)
            };
            if passed < from {
                break;
            }
            dead += u64::from(count) * (passed - from + 1).min(span) / span;
        }
        dead as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_estimated_from_their_lives() {
        let mut mortality = Mortality::begin(1000);
        for life in 0..4096 {
            mortality.note(1000 + life);
        }
        for passed in [0, 1, 2, 3, 10, 100, 1000, 4095, 100_000] {
            let dead = mortality.dead_at(1000 + passed);
            assert_eq!(dead, (passed + 1).min(4096), "after {passed} seconds");
        }
    }

    #[test]
    fn deadlines_of_the_past_and_far_ones_are_counted() {
        let mut mortality = Mortality::begin(1000);
        mortality.note(10);
        mortality.note(u32::MAX);
        assert_eq!(mortality.dead_at(1001), 1);
        for _ in 0..70_000 {
            mortality.note(1000);
        }
        assert_eq!(mortality.dead_at(1001), 65_535);
    }
}
