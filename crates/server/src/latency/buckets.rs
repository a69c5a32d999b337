//! Durations in buckets: which bucket a duration is in, and what the buckets of many durations say about them.
//!
//! ```text
//!   bucket    0            1 .. 32         33 .. 64                  801 .. 832
//!   from      0            1.024 us        2.048 us                  34.4 s, the last to 68.7 s and beyond
//!   width     1.024 us     32 ns           64 ns       doubling      1.07 s
//! ```
//!
//! A bucket is as wide as 1/32 of the power of two that its octave begins with, and stands for its middle: a duration
//! is told with an error of at most 1.6%. Durations below 1.024 us are told as 0.5 us, those above 68.7 s as 68.2 s.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets in an octave, as a power of two.
const PARTS_BITS: u32 = 5;
const PARTS: usize = 1 << PARTS_BITS;
/// Durations from `1 << FIRST_OCTAVE` ns on have buckets of their own.
const FIRST_OCTAVE: u32 = 10;
/// Octaves: from 1.024 us up to 68.7 s.
const OCTAVES: usize = 26;
/// Number of buckets.
const BUCKETS: usize = 1 + OCTAVES * PARTS;
/// The longest duration that is told as it is.
const LONGEST_NS: u64 = (1 << (FIRST_OCTAVE as usize + OCTAVES)) - 1;

/// The bucket of a duration.
#[inline]
fn bucket_of(ns: u64) -> usize {
    let ns = ns.min(LONGEST_NS);
    let Some(octave) = ns.checked_ilog2().filter(|&octave| octave >= FIRST_OCTAVE) else {
        return 0;
    };
    let parts = (ns >> (octave - PARTS_BITS)) as usize;
    1 + ((octave - FIRST_OCTAVE) as usize) * PARTS + parts - PARTS
}

/// The shortest duration of a bucket, and the shortest that is too long for it.
fn bounds(bucket: usize) -> (u64, u64) {
    let Some(place) = bucket.checked_sub(1) else {
        return (0, 1 << FIRST_OCTAVE);
    };
    let octave = FIRST_OCTAVE as usize + place / PARTS;
    let width = 1 << (octave - PARTS_BITS as usize);
    let from = (1 << octave) + (place % PARTS) as u64 * width;
    (from, from + width)
}

/// Buckets that one thread counts in, while any thread may read them.
#[derive(Debug)]
pub(super) struct Live {
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

impl Live {
    /// Bytes of heap memory of the buckets.
    pub(super) const BYTES: usize = BUCKETS * size_of::<AtomicU64>();

    /// Empty buckets.
    pub(super) fn new() -> Live {
        Live {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum_ns: AtomicU64::new(0),
        }
    }

    /// Counts `n` durations of `ns`; only the owning shard may do so.
    #[inline]
    pub(super) fn add(&self, ns: u64, n: u64) {
        change(&self.counts[bucket_of(ns)], n);
        change(&self.sum_ns, ns.wrapping_mul(n));
    }

    /// Counts `n` durations that were counted as `was` as `is` instead; only the owning shard may do so. If they are
    /// counted no more, since there was a reset, nothing happens.
    pub(super) fn replace(&self, was: u64, is: u64, n: u64) {
        let old = &self.counts[bucket_of(was)];
        if old.load(Ordering::Relaxed) < n {
            return;
        }
        change(old, n.wrapping_neg());
        change(&self.counts[bucket_of(is)], n);
        change(&self.sum_ns, is.wrapping_sub(was).wrapping_mul(n));
    }

    /// Sets all counts to zero; only the owning shard may do so.
    pub(super) fn clear(&self) {
        for count in self.counts.iter().chain([&self.sum_ns]) {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// Changes a count that has one writer.
#[inline]
fn change(count: &AtomicU64, by: u64) {
    let is = count.load(Ordering::Relaxed);
    count.store(is.wrapping_add(by), Ordering::Relaxed);
}

/// The durations of several shards together, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Durations {
    counts: Vec<u64>,
    sum_ns: u64,
}

impl Default for Durations {
    fn default() -> Durations {
        Durations {
            counts: vec![0; BUCKETS],
            sum_ns: 0,
        }
    }
}

impl Durations {
    /// Adds what a shard has counted.
    pub(super) fn merge(&mut self, live: &Live) {
        for (count, more) in self.counts.iter_mut().zip(&live.counts) {
            *count += more.load(Ordering::Relaxed);
        }
        let sum_ns = live.sum_ns.load(Ordering::Relaxed);
        self.sum_ns = self.sum_ns.wrapping_add(sum_ns);
    }

    /// Number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in nanoseconds.
    pub(crate) fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Number of durations that are not longer than `ns`, as far as buckets tell: a bucket belongs to them if its
    /// middle does.
    pub(crate) fn up_to(&self, ns: u64) -> u64 {
        let within = self.counts.iter().enumerate();
        let within = within.take_while(|(bucket, _)| middle(*bucket) <= ns);
        within.map(|(_, count)| count).sum()
    }

    /// The duration, in nanoseconds, that a part of `part` of all durations do not exceed, for example 0.99. `None` if
    /// there are no durations.
    pub(crate) fn percentile_ns(&self, part: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((count as f64 * part).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += count;
            seen >= rank
        })?;
        Some(middle(bucket))
    }

    /// The longest duration, in nanoseconds.
    pub(crate) fn longest_ns(&self) -> Option<u64> {
        let bucket = self.counts.iter().rposition(|&count| count > 0)?;
        Some(middle(bucket))
    }
}

/// The duration that a bucket stands for.
fn middle(bucket: usize) -> u64 {
    let (from, to) = bounds(bucket);
    from.midpoint(to)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn durations(all: &[u64]) -> Durations {
        let live = Live::new();
        all.iter().for_each(|&ns| live.add(ns, 1));
        let mut durations = Durations::default();
        durations.merge(&live);
        durations
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for bucket in 0..BUCKETS {
            let (from, to) = bounds(bucket);
            assert_eq!((bucket_of(from), bucket_of(to - 1)), (bucket, bucket));
            assert_eq!(bucket_of(to), (bucket + 1).min(BUCKETS - 1));
            if bucket > 0 {
                let error = (to - from) as f64 / 2.0 / from as f64;
                assert!(error <= 1.0 / 64.0, "{from} to {to}");
            }
        }
        assert_eq!(bounds(BUCKETS - 1).1, LONGEST_NS + 1);
        const { assert!(LONGEST_NS > 60_000_000_000) };
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut random = StdRng::seed_from_u64(42);
        for count in [1, 2, 10, 999, 20_000] {
            // From 1.1 us to 60 s, each order of magnitude as often.
            let mut all: Vec<u64> = (0..count)
                .map(|_| 10f64.powf(random.random_range(3.05..10.77)) as u64)
                .collect();
            let told = durations(&all);
            all.sort_unstable();
            assert_eq!(told.count(), all.len() as u64);
            for part in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let rank = ((all.len() as f64 * part).ceil() as usize).max(1);
                let (is, wanted) = (told.percentile_ns(part).unwrap(), all[rank - 1]);
                let error = is.abs_diff(wanted) as f64 / wanted as f64;
                assert!(error < 0.016, "{part} of {count}: {is}, not {wanted}");
            }
            assert_eq!(told.longest_ns(), told.percentile_ns(1.0));
            assert_eq!(told.sum_ns, all.iter().sum::<u64>());
        }
        assert_eq!(Durations::default().percentile_ns(0.5), None);
        assert_eq!(Durations::default().longest_ns(), None);
    }

    #[test]
    fn shards_are_merged_and_what_is_taken_back_is_gone() {
        let (one, other) = (Live::new(), Live::new());
        one.add(5_000, 10);
        other.add(5_000, 3);
        other.add(7_000_000, 2);
        let mut all = Durations::default();
        all.merge(&one);
        all.merge(&other);
        assert_eq!((all.count(), all.sum_ns), (15, 14_065_000));
        other.replace(7_000_000, 9_000_000, 1);
        one.clear();
        one.replace(5_000, 9_000_000, 10);
        let mut all = Durations::default();
        all.merge(&one);
        all.merge(&other);
        assert_eq!((all.count(), all.sum_ns), (5, 16_015_000));
        let longest = all.longest_ns().unwrap();
        assert!(longest.abs_diff(9_000_000) < 150_000, "{longest}");
    }
}
