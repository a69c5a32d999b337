//! How long items stay in a shard that evicts: the time in which it evicts as many bytes as it holds.
//!
//! Measured over laps of a sixteenth of that, and the last four laps are kept. A shard compares the mean of its own with
//! the shortest of another's: what differs by chance, or because one of them has only begun to evict, is then no
//! difference. Where evictions have slowed down or ended, the lap under way shows it.
//!
//! ```text
//! evicted  |--lap--|-----lap-----|--lap--|--lap--|---> under way
//! time        3           5          3       3       mean 3.5, shortest 3, in sixteenths of a turnover
//! ```

use std::time::Duration;

/// The turnover of a shard that evicts nothing, in milliseconds.
pub(crate) const NEVER: u64 = u64::MAX;

/// Laps of a turnover.
const LAPS: u64 = 16;
/// A lap takes this long at least: traffic comes in bursts.
const LAP_MIN: Duration = Duration::from_millis(250);
/// Laps that are kept.
const LAPS_KEPT: usize = 4;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Turnover {
    /// Milliseconds of a turnover by each of the last laps.
    laps: [u64; LAPS_KEPT],
    next: usize,
    /// The lap under way.
    elapsed: Duration,
    evicted_bytes: u64,
    /// All that was ever evicted, when it was last noted.
    total_bytes: u64,
}

impl Turnover {
    /// Of a shard that has not evicted anything.
    pub(super) fn new() -> Turnover {
        Turnover {
            laps: [NEVER; LAPS_KEPT],
            next: 0,
            elapsed: Duration::ZERO,
            evicted_bytes: 0,
            total_bytes: 0,
        }
    }

    /// After `elapsed` the shard has evicted `total_bytes` since its start, or since somebody has reset the counter, and
    /// holds items of `held_bytes`. Returns what it has evicted meanwhile.
    pub(super) fn note(&mut self, elapsed: Duration, total_bytes: u64, held_bytes: u64) -> u64 {
        let before = std::mem::replace(&mut self.total_bytes, total_bytes);
        let evicted = total_bytes.checked_sub(before).unwrap_or(total_bytes);
        self.elapsed += elapsed;
        self.evicted_bytes += evicted;
        let is_lap = self.evicted_bytes.saturating_mul(LAPS) >= held_bytes;
        if evicted > 0 && is_lap && self.elapsed >= LAP_MIN {
            let lap = self.elapsed.as_millis() * u128::from(held_bytes);
            let turnover = lap / u128::from(self.evicted_bytes);
            self.laps[self.next] = u64::try_from(turnover).unwrap_or(NEVER);
            self.next = (self.next + 1) % LAPS_KEPT;
            self.elapsed = Duration::ZERO;
            self.evicted_bytes = 0;
        }
        evicted
    }

    /// Milliseconds of a turnover as the laps say together; the lap under way is one of them once it is slower.
    pub(super) fn mean_ms(&self) -> u64 {
        if self.laps.contains(&NEVER) {
            return NEVER;
        }
        let laps = LAPS_KEPT as u64;
        let sum = self.laps.into_iter().fold(0, u64::saturating_add);
        let under_way = LAPS * self.elapsed.as_millis() as u64;
        if under_way > sum / laps {
            sum.saturating_add(under_way) / (laps + 1)
        } else {
            sum / laps
        }
    }

    /// Milliseconds that a turnover certainly takes: the lap under way has not even come to a sixteenth of one.
    pub(super) fn shortest_ms(&self) -> u64 {
        let shortest = self.laps.into_iter().fold(NEVER, u64::min);
        shortest.max(self.elapsed.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(300);
    const HELD: u64 = 16_000;

    /// So many rounds in each of which so many bytes are evicted.
    fn evict(turnover: &mut Turnover, total: &mut u64, rounds: u32, bytes: u64) {
        for _ in 0..rounds {
            *total += bytes;
            assert_eq!(turnover.note(ROUND, *total, HELD), bytes);
        }
    }

    #[test]
    fn it_is_known_after_four_laps_and_follows() {
        let (mut turnover, mut total) = (Turnover::new(), 0);
        evict(&mut turnover, &mut total, 3, 1000);
        assert_eq!(turnover.mean_ms(), NEVER);
        assert_eq!(turnover.shortest_ms(), 4800);
        evict(&mut turnover, &mut total, 1, 1000);
        assert_eq!(turnover.mean_ms(), 4800);
        evict(&mut turnover, &mut total, 1, 2000);
        assert_eq!(turnover.mean_ms(), 4200);
        assert_eq!(turnover.shortest_ms(), 2400);
        evict(&mut turnover, &mut total, 3, 2000);
        assert_eq!(turnover.mean_ms(), 2400);
    }

    #[test]
    fn it_grows_while_nothing_is_evicted() {
        let (mut turnover, mut total) = (Turnover::new(), 0);
        evict(&mut turnover, &mut total, 4, 1000);
        evict(&mut turnover, &mut total, 20, 0);
        assert_eq!(turnover.shortest_ms(), 6_000);
        assert_eq!(turnover.mean_ms(), (4 * 4800 + 96_000) / 5);
        // Very little counts as it should, too: a lap of 30 rounds.
        evict(&mut turnover, &mut total, 10, 100);
        assert_eq!(turnover.mean_ms(), (3 * 4800 + 144_000) / 4);
    }

    #[test]
    fn a_burst_is_no_lap() {
        let mut turnover = Turnover::new();
        assert_eq!(turnover.note(LAP_MIN / 2, HELD, HELD), HELD);
        assert_eq!(turnover.shortest_ms(), NEVER);
        assert_eq!(turnover.note(LAP_MIN / 2, HELD + 10, HELD), 10);
        assert!(turnover.shortest_ms() <= 250);
    }

    #[test]
    fn a_counter_that_was_reset_counts_from_there() {
        let mut turnover = Turnover::new();
        assert_eq!(turnover.note(ROUND, 5000, HELD), 5000);
        assert_eq!(turnover.note(ROUND, 300, HELD), 300);
        // A shard that holds nothing keeps nothing.
        assert_eq!(turnover.note(ROUND, 301, 0), 1);
    }
}
