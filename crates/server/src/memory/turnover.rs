//! How soon items are evicted in each shard and how often they are asked for, counted over the same time for all
//! shards.
//!
//! ```text
//! all shards together need   |--- a 16th of the memory ---|--- a 16th ---|---> under way
//! what counts                |  the lap before            |  and the lap under way     |
//! ```
//!
//! A shard needs the bytes that it evicts and those that it draws from free memory: a shard that has just got pages
//! from another needs no less than before. Laps end by the bytes needed and not by the clock. A machine that stands
//! still, or has too much to do, makes laps long for all shards alike; and if a shard does less than others, this is
//! seen as soon as it matters to them.

use std::time::Duration;

/// The turnover of a shard that needs no memory, in milliseconds.
pub(crate) const NEVER: u64 = u64::MAX;

/// Number of laps that pass while as many bytes are needed as there is memory. It is lower if laps would be shorter
/// than [`LAP_MIN`].
const LAPS: u64 = 16;
/// Shortest lap: published numbers are as old as the last round of their shard.
const LAP_MIN: Duration = Duration::from_millis(400);

/// The work of a shard since its start, or in a lap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// Bytes evicted, and bytes drawn from free memory.
    pub(super) needed_bytes: u64,
    pub(super) hits: u64,
    /// Number of times that the shard has published its numbers.
    pub(super) rounds: u64,
}

impl Done {
    fn since(self, before: Done) -> Done {
        // The numbers are published one by one, so one of them may seem to lag behind.
        Done {
            needed_bytes: self.needed_bytes.saturating_sub(before.needed_bytes),
            hits: self.hits.saturating_sub(before.hits),
            rounds: self.rounds.saturating_sub(before.rounds),
        }
    }

    fn add(&mut self, other: Done) {
        self.needed_bytes += other.needed_bytes;
        self.hits += other.hits;
        self.rounds += other.rounds;
    }
}

/// A lap: how long it took, and the work of each shard in it.
#[derive(Clone, Debug)]
struct Lap {
    time: Duration,
    shards: Vec<Done>,
}

/// The needs and hits of every shard in the lap under way and in the one before it.
#[derive(Debug)]
pub(super) struct Laps {
    before: Lap,
    under_way: Lap,
    /// The totals of all shards at the last [`Laps::note`].
    totals: Vec<Done>,
}

impl Laps {
    /// Laps of `shards` shards that have done nothing.
    pub(super) fn new(shards: usize) -> Laps {
        let lap = Lap {
            time: Duration::ZERO,
            shards: vec![Done::default(); shards],
        };
        Laps {
            before: lap.clone(),
            under_way: lap,
            totals: vec![Done::default(); shards],
        }
    }

    /// Notes the totals of the shards after `elapsed` more time, with this much memory in all.
    pub(super) fn note(
        &mut self,
        elapsed: Duration,
        totals: impl Iterator<Item = Done>,
        memory_bytes: u64,
    ) {
        let lap = &mut self.under_way;
        lap.time += elapsed;
        let mut needed_bytes = 0;
        for ((total, before), done) in totals.zip(&mut self.totals).zip(&mut lap.shards) {
            done.add(total.since(std::mem::replace(before, total)));
            needed_bytes += done.needed_bytes;
        }
        if needed_bytes.saturating_mul(LAPS) >= memory_bytes && lap.time >= LAP_MIN {
            std::mem::swap(&mut self.before, &mut self.under_way);
            self.under_way.time = Duration::ZERO;
            self.under_way.shards.fill(Done::default());
        }
    }

    fn done(&self, shard: usize) -> Done {
        let mut done = self.before.shards[shard];
        done.add(self.under_way.shards[shard]);
        done
    }

    fn milliseconds(&self) -> f64 {
        (self.before.time + self.under_way.time).as_secs_f64() * 1000.0
    }

    /// Whether the shard has published anything; it may be asleep, or wait for its CPU.
    pub(super) fn has_heard_of(&self, shard: usize) -> bool {
        self.done(shard).rounds > 0
    }

    /// Milliseconds in which a shard needs as much as the `bytes` that it holds.
    pub(super) fn turnover_ms(&self, shard: usize, bytes: u64) -> u64 {
        match self.done(shard).needed_bytes {
            0 => NEVER,
            needed => (self.milliseconds() * bytes as f64 / needed as f64) as u64,
        }
    }

    /// Milliseconds between two hits of the same item in a shard of `items` items; infinite without hits.
    pub(super) fn hit_interval_ms(&self, shard: usize, items: u64) -> f64 {
        match self.done(shard).hits {
            0 => f64::INFINITY,
            hits => self.milliseconds() * items as f64 / hits as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(100);
    const MEMORY: u64 = 16_000;

    /// Lets two shards work, of which the first needs `needed_bytes` in each of `rounds` rounds, and is hit `hits`
    /// times.
    fn go_on(laps: &mut Laps, total: &mut Done, rounds: u32, needed_bytes: u64, hits: u64) {
        for _ in 0..rounds {
            total.add(Done {
                needed_bytes,
                hits,
                rounds: 1,
            });
            let idle = Done::default();
            laps.note(ROUND, [*total, idle].into_iter(), MEMORY);
        }
    }

    #[test]
    fn a_turnover_is_that_of_one_or_two_laps() {
        let (mut laps, mut total) = (Laps::new(2), Done::default());
        assert_eq!(laps.turnover_ms(0, 8000), NEVER);
        go_on(&mut laps, &mut total, 10, 100, 5);
        assert_eq!(laps.turnover_ms(0, 8000), 8000);
        assert_eq!(laps.hit_interval_ms(0, 100), 2000.0);
        assert!(laps.has_heard_of(0) && !laps.has_heard_of(1));
        assert_eq!(laps.turnover_ms(1, 8000), NEVER);
        assert_eq!(laps.hit_interval_ms(1, 100), f64::INFINITY);
        // A lap is 1,000 bytes: after two more laps, no earlier one counts.
        go_on(&mut laps, &mut total, 10, 200, 0);
        assert_eq!(laps.turnover_ms(0, 8000), 4000);
        assert_eq!(laps.hit_interval_ms(0, 100), f64::INFINITY);
    }

    #[test]
    fn it_grows_while_nothing_is_needed() {
        let (mut laps, mut total) = (Laps::new(2), Done::default());
        go_on(&mut laps, &mut total, 10, 100, 1);
        go_on(&mut laps, &mut total, 90, 0, 1);
        assert_eq!(laps.turnover_ms(0, 8000), 80_000);
        assert_eq!(laps.hit_interval_ms(0, 100), 10_000.0);
    }

    #[test]
    fn a_burst_is_no_lap() {
        let (mut laps, mut total) = (Laps::new(2), Done::default());
        go_on(&mut laps, &mut total, 1, MEMORY, 0);
        go_on(&mut laps, &mut total, 3, 0, 0);
        assert_eq!(laps.turnover_ms(0, MEMORY), 400);
        go_on(&mut laps, &mut total, 1, 0, 0);
        assert_eq!(laps.turnover_ms(0, MEMORY), 500);
    }
}
