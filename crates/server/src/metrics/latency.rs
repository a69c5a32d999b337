//! How long commands take, by kind and stage: the durations of `stats latency` as histograms.
//!
//! Prometheus takes a count that has become smaller for that of a new process, and adds all of it to a rate. The counts
//! of durations may become smaller, since a send that the kernel has blocked is first counted as short, and then as
//! long as it was; and the buckets are read while a shard does so. So everything is told as what it was told before, if
//! that is more, until there was a reset.

use crate::latency::{Durations, Kind, Stage};
use crate::shared::Shared;

use super::families::{self, Families, Family, Label};

/// Durations of commands.
pub(super) const DURATIONS: Family = Family {
    name: "corecached_command_duration_seconds",
    kind: families::Kind::Histogram,
    help: "Time that commands took, by kind and stage.",
};

/// The longest durations of the buckets: in nanoseconds, and as they are told, in seconds.
const BOUNDS: [(u64, &str); 16] = [
    (5_000, "0.000005"),
    (10_000, "0.00001"),
    (20_000, "0.00002"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (200_000, "0.0002"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_000_000, "0.002"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (20_000_000, "0.02"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (1_000_000_000, "1.0"),
    (10_000_000_000, "10.0"),
];

/// What was told last of one kind and stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    count: u64,
    sum_ns: u64,
    buckets: [u64; BOUNDS.len()],
}

impl Told {
    /// What is to be told now.
    fn follow(&mut self, now: Told) -> Told {
        self.count = self.count.max(now.count);
        self.sum_ns = self.sum_ns.max(now.sum_ns);
        for (told, now) in self.buckets.iter_mut().zip(now.buckets) {
            *told = (*told).max(now);
        }
        *self
    }

    fn of(durations: &Durations) -> Told {
        Told {
            count: durations.count(),
            sum_ns: durations.sum_ns(),
            buckets: BOUNDS.map(|(ns, _)| durations.up_to(ns)),
        }
    }
}

/// The histograms, with what was told before.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    told: [[Told; Stage::ALL.len()]; Kind::ALL.len()],
    /// The number of resets at that time.
    resets: u64,
}

impl Histograms {
    /// Adds the histograms of the kinds of which commands have been executed.
    pub(super) fn tell(&mut self, families: &mut Families, shared: &Shared) {
        if !shared.latency.is_on() {
            return;
        }
        self.heed(shared.latency.resets());
        for (kind, told) in Kind::ALL.into_iter().zip(&mut self.told) {
            if shared.latency.durations(kind, Stage::Total).count() == 0 {
                continue;
            }
            for (stage, told) in Stage::ALL.into_iter().zip(told) {
                let durations = shared.latency.durations(kind, stage);
                let now = told.follow(Told::of(&durations));
                let names = (kind.name(), stage.name());
                histogram(families, names, &now);
            }
        }
    }

    /// Forgets what was told if there was a reset.
    fn heed(&mut self, resets: u64) {
        if resets != self.resets {
            *self = Histograms {
                resets,
                ..Histograms::default()
            };
        }
    }
}

fn histogram(families: &mut Families, (kind, stage): (&'static str, &'static str), told: &Told) {
    let bounds = BOUNDS.iter().map(|(_, bound)| *bound).zip(told.buckets);
    for (bound, count) in bounds.chain([("+Inf", told.count)]) {
        let labels: [Label<'_>; 3] = [("kind", &kind), ("stage", &stage), ("le", &bound)];
        families.add_suffixed(&DURATIONS, "_bucket", &labels, count);
    }
    let labels: [Label<'_>; 2] = [("kind", &kind), ("stage", &stage)];
    families.add_suffixed(&DURATIONS, "_count", &labels, told.count);
    let (seconds, ns) = (told.sum_ns / 1_000_000_000, told.sum_ns % 1_000_000_000);
    let sum = format_args!("{seconds}.{ns:09}");
    families.add_suffixed(&DURATIONS, "_sum", &labels, sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: u64, below: u64, above: u64) -> Told {
        let mut buckets = [above; BOUNDS.len()];
        buckets[0] = below;
        Told {
            count,
            sum_ns: count,
            buckets,
        }
    }

    #[test]
    fn nothing_becomes_smaller_before_a_reset() {
        let mut last = Told::default();
        assert_eq!(last.follow(told(10, 6, 10)), told(10, 6, 10));
        // Two of the short ones were long, and there are no new ones.
        assert_eq!(last.follow(told(10, 4, 10)), told(10, 6, 10));
        assert_eq!(last.follow(told(14, 8, 13)), told(14, 8, 13));
        // Four of them were read before they became long, and again when they were.
        assert_eq!(last.follow(told(10, 8, 9)), told(14, 8, 13));
    }

    #[test]
    fn a_reset_is_heeded_even_if_there_are_more_than_before() {
        let mut histograms = Histograms::default();
        histograms.told[0][0] = told(10, 6, 10);
        histograms.heed(0);
        assert_eq!(histograms.told[0][0], told(10, 6, 10));
        histograms.heed(1);
        assert_eq!(
            histograms.told[0][0].follow(told(12, 1, 12)),
            told(12, 1, 12)
        );
    }

    #[test]
    fn bounds_are_told_as_they_are() {
        for (ns, seconds) in BOUNDS {
            let told: f64 = seconds.parse().unwrap();
            assert!((told * 1e9 - ns as f64).abs() < 0.5, "{seconds}");
        }
        assert!(BOUNDS.is_sorted());
    }
}
