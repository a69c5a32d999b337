//! How many items of a page will be dead at a time, without looking at them.
//!
//! Each item with a deadline is counted in the slot of its remaining life, in powers of two from when the page was last
//! gone through. Deletions are not taken back, so it is an upper estimate until the page is gone through again.
//!
//! ```text
//! slot            0    1    2     3      4   ...  15
//! seconds left    0-1  2-3  4-7   8-15   16-31    32768 and more
//! ```
//!
//! Of the lives in a slot their mean is known, too. They are taken as evenly spread around it, as far as the nearer end of the slot: items
//! that all die at one moment are then never expected to die later than they do by more than a part of them.

use serde::{Deserialize, Serialize};

/// Slots of lives.
const SLOTS: usize = 16;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Mortality {
    /// When the counting began.
    since: u32,
    counts: [u16; SLOTS],
    /// Sums of the seconds by which lives exceed the shortest of their slot: below 2^15 each, below 2^31 together.
    sums: [u32; SLOTS],
}

/// The shortest life of a slot, and how many whole seconds it spans.
fn bounds(slot: usize) -> (u32, u32) {
    if slot == 0 {
        (0, 2)
    } else {
        (1 << slot, 1 << slot)
    }
}

impl Mortality {
    pub(crate) const EMPTY: Self = Self {
        since: 0,
        counts: [0; SLOTS],
        sums: [0; SLOTS],
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
        // The sum is that of as many lives as are counted.
        if self.counts[slot] < u16::MAX {
            let (shortest, span) = bounds(slot);
            self.counts[slot] += 1;
            self.sums[slot] += (life - shortest).min(span - 1);
        }
    }

    /// How many of those counted are probably dead at `now`.
    pub(crate) fn dead_at(&self, now: u32) -> u32 {
        let passed = now.saturating_sub(self.since);
        let mut dead = 0;
        for (slot, (&count, &sum)) in self.counts.iter().zip(&self.sums).enumerate() {
            let (shortest, span) = bounds(slot);
            let Some(passed) = passed.checked_sub(shortest) else {
                break;
            };
            dead += if passed >= span - 1 {
                u32::from(count)
            } else {
                dead_of_slot(count, sum, span, passed)
            };
        }
        dead
    }
}

/// How many of `count` lives in a slot of `span` seconds, whose sum is `sum`, have ended when `passed` seconds of it have.
fn dead_of_slot(count: u16, sum: u32, span: u32, passed: u32) -> u32 {
    if count == 0 {
        return 0;
    }
    let count = u64::from(count);
    // Twice the mean, and twice its distance from the nearer end, which is how many seconds they spread over, but for one.
    let mean = 2 * u64::from(sum) / count;
    let spread = mean.min(2 * u64::from(span - 1) - mean);
    let earliest = mean - spread;
    let ended = (2 * u64::from(passed) + 2).saturating_sub(earliest);
    (count * ended / (2 * (spread + 1))).min(count) as u32
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

    /// A fifth of a page is enough for a visit if one dead item in 16 is, so a third of those that die together has to be
    /// expected when they do.
    #[test]
    fn lives_that_end_together_are_expected_in_time() {
        for life in (2..40_000).step_by(7) {
            let mut mortality = Mortality::begin(1000);
            for _ in 0..1000 {
                mortality.note(1000 + life);
            }
            let slot_begins = 1 << life.ilog2().min(15);
            assert_eq!(mortality.dead_at(1000 + slot_begins - 1), 0);
            assert!(mortality.dead_at(1000 + life) > 450, "life of {life}");
            let end = (2 * slot_begins - 1).min(65_535);
            assert_eq!(mortality.dead_at(1000 + end), 1000);
        }
        for life in [4, 64, 1024, 32_768] {
            let mut mortality = Mortality::begin(0);
            mortality.note(life);
            assert_eq!(
                (mortality.dead_at(life - 1), mortality.dead_at(life)),
                (0, 1)
            );
        }
    }
}
