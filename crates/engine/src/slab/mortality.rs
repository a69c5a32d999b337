//! How many items of a page are dead at a time, without looking at them.
//!
//! Each item with a deadline is counted in the slot of its remaining life, from when the page was last gone through. As
//! in an HDR histogram a power of two has eight slots, so a slot is at most an eighth of the lives in it:
//!
//! ```text
//! row 0      0      1      2   ...   7      seconds left
//! row 1      8      9     10   ...  15
//! row 2     16-    18-    20-  ...  30-31
//! row 13 32768- 36864- 40960-  ...  61440 and more
//! ```
//!
//! All lives of a slot count as ended when the slot begins. So dead items are found in the second in which they die, at
//! the price of visits to pages that come too early: the rest of a life then falls into a slot a ninth as long, and
//! after four such visits a life of a day is known to the second. A deleted item stays counted: the number of dead
//! items is an upper estimate.

use serde::{Deserialize, Serialize};

/// Slots of a power of two, and of a row.
const ROW: u32 = 8;
const ROWS: usize = 14;

/// How many items of a page die at which time, in a few bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Mortality {
    /// When the counting began.
    since: u32,
    counts: [[u16; ROW as usize]; ROWS],
}

/// Row of the slot for a life of so many seconds, and the place of the slot in the row.
#[inline]
fn slot_of(life: u32) -> (usize, usize) {
    let row = (life | (ROW - 1)).ilog2() - (ROW - 1).ilog2();
    if row as usize >= ROWS {
        return (ROWS - 1, ROW as usize - 1);
    }
    (
        row as usize,
        ((life >> row.saturating_sub(1)) % ROW) as usize,
    )
}

impl Mortality {
    pub(crate) const EMPTY: Self = Self {
        since: 0,
        counts: [[0; ROW as usize]; ROWS],
    };

    /// No item is counted yet; the counting begins at `now`.
    pub(crate) fn begin(now: u32) -> Self {
        Self {
            since: now,
            ..Self::EMPTY
        }
    }

    /// Counts an item that dies at `deadline`.
    #[inline]
    pub(crate) fn note(&mut self, deadline: u32) {
        let (row, column) = slot_of(deadline.saturating_sub(self.since));
        let count = &mut self.counts[row][column];
        *count = count.saturating_add(1);
    }

    /// How many of the counted items are probably dead at `now`.
    pub(crate) fn dead_at(&self, now: u32) -> u32 {
        let (row, column) = slot_of(now.saturating_sub(self.since));
        let whole = self.counts[..row].as_flattened();
        let begun = &self.counts[row][..=column];
        whole
            .iter()
            .chain(begun)
            .map(|&count| u32::from(count))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_each_other() {
        let number = |life| {
            let (row, column) = slot_of(life);
            row * ROW as usize + column
        };
        for life in 0..=61_440 {
            let step = number(life + 1) - number(life);
            assert!(step <= 1, "slot after that of {life}");
            assert!(step == 1 || life >= 16, "{life} has a slot of its own");
        }
        assert_eq!(number(61_440), ROWS * ROW as usize - 1);
        assert_eq!(number(u32::MAX), ROWS * ROW as usize - 1);
    }

    #[test]
    fn the_dead_are_never_missed_and_expected_little_too_early() {
        let mut mortality = Mortality::begin(1000);
        for life in 0..4096 {
            mortality.note(1000 + life);
        }
        for passed in [0, 1, 2, 3, 10, 100, 1000, 4095, 100_000] {
            let dead = mortality.dead_at(1000 + passed);
            let exact = (passed + 1).min(4096);
            assert!(dead >= exact, "{dead} after {passed} seconds");
            assert!(dead <= exact + passed / 8, "{dead} after {passed} seconds");
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

    /// The dead items are found whatever lives longer beside them, and however soon it dies after them.
    #[test]
    fn lives_that_end_together_are_expected_in_time() {
        for life in (2..60_000).step_by(7) {
            let mut mortality = Mortality::begin(1000);
            for number in 0..1000 {
                let later = if number % 5 == 0 { 0 } else { life / 3 };
                mortality.note(1000 + life + later);
            }
            assert_eq!(mortality.dead_at(1000 + life - life / 8 - 1), 0);
            let dead = mortality.dead_at(1000 + life);
            assert!(dead == 200 || life < 3, "{dead} for a life of {life}");
        }
    }
}
