//! The open loop's schedule: the times at which requests are due, which no reply ever delays.

use clap::ValueEnum;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Exp1};

/// How the times between requests are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArrivalKind {
    /// Exponential gaps, as many independent users make.
    Poisson,
    /// Equal gaps.
    Uniform,
}

impl ArrivalKind {
    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Uniform => "uniform",
        }
    }
}

/// One worker's part of the schedule.
#[derive(Debug)]
pub struct Arrivals {
    kind: ArrivalKind,
    gap_ns: f64,
    /// Due time of the next request, after `start_ns`; a float, so that gaps of a fraction of a nanosecond add up.
    next_ns: f64,
    start_ns: u64,
    rng: SmallRng,
}

impl Arrivals {
    /// The part of worker `worker` of `workers` of a schedule of `rate` requests per second that begins at `start_ns`.
    /// Uniform parts interleave: together they are uniform again.
    #[must_use]
    pub fn new(
        kind: ArrivalKind,
        rate: f64,
        worker: usize,
        workers: usize,
        start_ns: u64,
        seed: u64,
    ) -> Self {
        let gap_ns = 1e9 * workers as f64 / rate;
        let mut rng =
            SmallRng::seed_from_u64(seed ^ (worker as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        let next_ns = match kind {
            ArrivalKind::Uniform => gap_ns * worker as f64 / workers as f64,
            ArrivalKind::Poisson => gap_ns * exponential(&mut rng),
        };
        Self {
            kind,
            gap_ns,
            next_ns,
            start_ns,
            rng,
        }
    }

    /// How the times between requests are distributed.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> ArrivalKind {
        self.kind
    }

    /// The mean time between requests.
    #[must_use]
    pub fn gap_ns(&self) -> f64 {
        self.gap_ns
    }

    /// When the next request is due.
    #[inline]
    #[must_use]
    pub fn next_due_ns(&self) -> u64 {
        self.start_ns + self.next_ns as u64
    }

    /// Goes on to the next request.
    #[inline]
    pub fn advance(&mut self) {
        self.next_ns += match self.kind {
            ArrivalKind::Uniform => self.gap_ns,
            ArrivalKind::Poisson => self.gap_ns * exponential(&mut self.rng),
        };
    }

    /// How many requests are due before `end_ns`, by the mean time between them.
    #[must_use]
    pub fn expected_before(&self, end_ns: u64) -> u64 {
        let left_ns = end_ns.saturating_sub(self.start_ns) as f64 - self.next_ns;
        (left_ns / self.gap_ns).ceil().max(0.0) as u64
    }

    /// Goes on by `count` requests (at least one). All gaps between them are taken to be the mean gap. Returns when the
    /// last of them was due, in nanoseconds.
    pub fn advance_many(&mut self, count: u64) -> u64 {
        self.next_ns += self.gap_ns * (count - 1) as f64;
        let last_due_ns = self.next_due_ns();
        self.advance();
        last_due_ns
    }
}

#[inline]
fn exponential(rng: &mut SmallRng) -> f64 {
    Exp1.sample(rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_times(
        kind: ArrivalKind,
        rate: f64,
        worker: usize,
        workers: usize,
        count: usize,
    ) -> Vec<u64> {
        let mut arrivals = Arrivals::new(kind, rate, worker, workers, 1_000, 42);
        (0..count)
            .map(|_| {
                let due = arrivals.next_due_ns();
                arrivals.advance();
                due
            })
            .collect()
    }

    #[test]
    fn uniform_workers_interleave_without_drift() {
        let mut all: Vec<u64> = (0..3)
            .flat_map(|worker| due_times(ArrivalKind::Uniform, 300_000.0, worker, 3, 10_000))
            .collect();
        all.sort_unstable();
        assert!(
            all.windows(2)
                .all(|pair| (3_332..=3_334).contains(&(pair[1] - pair[0])))
        );
        let span_ns = (all[all.len() - 1] - all[0]) as f64;
        assert!((span_ns - 29_999.0 * 1e9 / 300_000.0).abs() < 10.0);
    }

    #[test]
    fn many_at_once_are_as_many_as_one_by_one() {
        for kind in [ArrivalKind::Uniform, ArrivalKind::Poisson] {
            let mut arrivals = Arrivals::new(kind, 1e6, 0, 1, 1_000, 42);
            let end_ns = 1_000 + 1_000_000_000;
            let mut counted = 0;
            while arrivals.next_due_ns() < end_ns {
                let count = arrivals.expected_before(end_ns).clamp(1, 100);
                let last_due_ns = arrivals.advance_many(count);
                assert!(last_due_ns < end_ns, "{kind:?}: due within the time");
                counted += count;
            }
            let off = (counted as f64 - 1e6).abs();
            // The gaps drawn are one in a hundred: their sum scatters by 100 gaps.
            assert!(off < 600.0, "{kind:?}: {counted}");
        }
    }

    /// Kolmogorov-Smirnov against the exponential distribution, and the index of dispersion of counts.
    #[test]
    fn poisson_arrivals_fit() {
        let count = 50_000;
        let due = due_times(ArrivalKind::Poisson, 100_000.0, 0, 1, count);
        let mut gaps: Vec<f64> = due
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / 10_000.0)
            .collect();
        gaps.sort_by(f64::total_cmp);
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(index, gap)| {
                ((1.0 - (-gap).exp()) - (index as f64 + 0.5) / gaps.len() as f64).abs()
            })
            .fold(0.0, f64::max);
        // The 0.1% critical value of the Kolmogorov-Smirnov statistic.
        assert!(distance < 1.95 / (gaps.len() as f64).sqrt(), "{distance}");

        let mut counts = vec![0.0f64; (due[due.len() - 1] / 1_000_000) as usize];
        for time in &due {
            if let Some(cell) = counts.get_mut((time / 1_000_000) as usize) {
                *cell += 1.0;
            }
        }
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let variance =
            counts.iter().map(|cell| (cell - mean).powi(2)).sum::<f64>() / counts.len() as f64;
        assert!(
            (variance / mean - 1.0).abs() < 0.25,
            "dispersion {}",
            variance / mean
        );
    }
}
