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
const LAP_MIN: Duration = Duration::from_millis(100);
/// Laps that are kept.
const LAPS_KEPT: usize = 4;

/// What a shard holds, and what it has done since its start or since somebody has reset the counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Bytes evicted.
    pub(super) evicted_bytes: u64,
    /// Bytes and number of its items.
    pub(super) bytes: u64,
    pub(super) items: u64,
    /// Hits since this was last noted.
    pub(super) hits: u64,
}

/// A lap, in terms of a whole turnover.
#[derive(Clone, Copy, Debug)]
struct Lap {
    milliseconds: u64,
    /// Hits of an item.
    hits: f32,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Turnover {
    /// The last laps.
    laps: [Lap; LAPS_KEPT],
    next: usize,
    /// The lap under way.
    elapsed: Duration,
    evicted_bytes: u64,
    hits: u64,
    /// All that was ever evicted, when it was last noted.
    total_bytes: u64,
}

impl Turnover {
    /// Of a shard that has not evicted anything.
    pub(super) fn new() -> Turnover {
        let lap = Lap {
            milliseconds: NEVER,
            hits: 0.0,
        };
        Turnover {
            laps: [lap; LAPS_KEPT],
            next: 0,
            elapsed: Duration::ZERO,
            evicted_bytes: 0,
            hits: 0,
            total_bytes: 0,
        }
    }

    /// `elapsed` has passed. Returns how many bytes were evicted meanwhile.
    pub(super) fn note(&mut self, elapsed: Duration, held: &Held) -> u64 {
        let before = std::mem::replace(&mut self.total_bytes, held.evicted_bytes);
        let evicted = held.evicted_bytes.checked_sub(before);
        let evicted = evicted.unwrap_or(held.evicted_bytes);
        self.elapsed += elapsed;
        self.evicted_bytes += evicted;
        self.hits += held.hits;
        let is_lap = self.evicted_bytes.saturating_mul(LAPS) >= held.bytes;
        if evicted > 0 && is_lap && self.elapsed >= LAP_MIN {
            let laps = held.bytes as f64 / self.evicted_bytes as f64;
            self.laps[self.next] = Lap {
                milliseconds: (self.elapsed.as_millis() as f64 * laps) as u64,
                hits: (self.hits as f64 * laps / held.items.max(1) as f64) as f32,
            };
            self.next = (self.next + 1) % LAPS_KEPT;
            self.elapsed = Duration::ZERO;
            self.evicted_bytes = 0;
            self.hits = 0;
        }
        evicted
    }

    /// Milliseconds of a turnover as the laps say together; the lap under way is one of them once it is slower.
    pub(super) fn mean_ms(&self) -> u64 {
        let laps = self.laps.iter().map(|lap| lap.milliseconds);
        let sum = laps.fold(0, u64::saturating_add);
        if sum == NEVER {
            return NEVER;
        }
        let laps = LAPS_KEPT as u64;
        let under_way = LAPS * self.elapsed.as_millis() as u64;
        if under_way > sum / laps {
            sum.saturating_add(under_way) / (laps + 1)
        } else {
            sum / laps
        }
    }

    /// Hits of an item in a turnover.
    pub(super) fn hits(&self) -> f32 {
        self.laps.iter().map(|lap| lap.hits).sum::<f32>() / LAPS_KEPT as f32
    }

    /// Milliseconds that a turnover certainly takes: the lap under way has not even come to a sixteenth of one.
    pub(super) fn shortest_ms(&self) -> u64 {
        let laps = self.laps.iter().map(|lap| lap.milliseconds);
        laps.fold(NEVER, u64::min)
            .max(self.elapsed.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(300);
    const HELD: u64 = 16_000;

    fn held(evicted_bytes: u64, bytes: u64) -> Held {
        Held {
            evicted_bytes,
            bytes,
            items: bytes / 100,
            hits: 20,
        }
    }

    /// So many rounds in each of which so many bytes are evicted.
    fn evict(turnover: &mut Turnover, total: &mut u64, rounds: u32, bytes: u64) {
        for _ in 0..rounds {
            *total += bytes;
            assert_eq!(turnover.note(ROUND, &held(*total, HELD)), bytes);
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
    fn hits_are_those_of_an_item_in_a_turnover() {
        let (mut turnover, mut total) = (Turnover::new(), 0);
        evict(&mut turnover, &mut total, 4, 1000);
        // 20 in a sixteenth, for 160 items.
        assert_eq!(turnover.hits(), 2.0);
        evict(&mut turnover, &mut total, 4, 2000);
        assert_eq!(turnover.hits(), 1.0);
    }

    #[test]
    fn a_burst_is_no_lap() {
        let mut turnover = Turnover::new();
        assert_eq!(turnover.note(LAP_MIN / 2, &held(HELD, HELD)), HELD);
        assert_eq!(turnover.shortest_ms(), NEVER);
        assert_eq!(turnover.note(LAP_MIN / 2, &held(HELD + 10, HELD)), 10);
        assert!(turnover.shortest_ms() <= 250);
    }

    #[test]
    fn a_counter_that_was_reset_counts_from_there() {
        let mut turnover = Turnover::new();
        assert_eq!(turnover.note(ROUND, &held(5000, HELD)), 5000);
        assert_eq!(turnover.note(ROUND, &held(300, HELD)), 300);
        // A shard that holds nothing keeps nothing.
        assert_eq!(turnover.note(ROUND, &held(301, 0)), 1);
    }
}
