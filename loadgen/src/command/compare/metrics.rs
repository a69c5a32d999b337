//! The figures that two servers are compared by, and how sure the comparison is.

use crate::report::model::{Comparison, Difference, Step};
use crate::stats::ratio::{geometric_mean, joint_confidence, paired_ratio};

/// A percentile with fewer requests above it than this is the luck of a few requests, and is not compared.
const REQUESTS_ABOVE_MIN: f64 = 10.0;

/// A metric that steps are compared by.
struct Metric {
    name: &'static str,
    more_is_better: bool,
    /// The value, unless the step does not know it or too few requests tell it.
    of: fn(&Step) -> Option<f64>,
}

fn percentile(step: &Step, quantile: f64, ns: Option<u64>) -> Option<f64> {
    let above = step.response.count as f64 * (1.0 - quantile);
    ns.filter(|_| above >= REQUESTS_ABOVE_MIN)
        .map(|ns| ns as f64)
}

/// Requests per second are a result of a closed loop only: an open loop answers what is due.
const RATE: Metric = Metric {
    name: "requests/s",
    more_is_better: true,
    of: |step| Some(step.achieved),
};

const METRICS: [Metric; 4] = [
    Metric {
        name: "response p50",
        more_is_better: false,
        of: |step| percentile(step, 0.5, step.response.p50_ns),
    },
    Metric {
        name: "response p99",
        more_is_better: false,
        of: |step| percentile(step, 0.99, step.response.p99_ns),
    },
    Metric {
        name: "response p99.9",
        more_is_better: false,
        of: |step| percentile(step, 0.999, step.response.p999_ns),
    },
    Metric {
        name: "server CPU ns/request",
        more_is_better: false,
        of: |step| step.server.map(|usage| usage.us_per_request() * 1e3),
    },
];

/// A metric's values, of A and of B, in the order of the pairs: the first A with the first B, the second B with the
/// second A.
struct Row {
    name: &'static str,
    more_is_better: bool,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Row {
    fn of(metric: &Metric, a: &[Step], b: &[Step]) -> Option<Self> {
        let values = |steps: &[Step]| {
            let all = steps.iter().map(metric.of).collect::<Option<Vec<f64>>>()?;
            all.iter().all(|value| *value > 0.0).then_some(all)
        };
        Some(Self {
            name: metric.name,
            more_is_better: metric.more_is_better,
            a: values(a)?,
            b: values(b)?,
        })
    }

    fn compared(&self, confidence: f64) -> Comparison {
        let pairs = self.a.len().min(self.b.len());
        let ratio = paired_ratio(&self.a[..pairs], &self.b[..pairs], confidence);
        let answer = match (ratio.low > 1.0, ratio.high < 1.0) {
            (true, _) if self.more_is_better => Difference::Better,
            (_, true) if !self.more_is_better => Difference::Better,
            (true, _) | (_, true) => Difference::Worse,
            _ => Difference::NotShown,
        };
        Comparison {
            metric: self.name.to_owned(),
            a: geometric_mean(&self.a),
            b: geometric_mean(&self.b),
            ratio: ratio.ratio,
            interval: (ratio.low, Some(ratio.high).filter(|high| high.is_finite())),
            more_is_better: self.more_is_better,
            answer,
        }
    }
}

/// Compares the steps of two servers in all metrics that both have; in a closed loop also their rates.
pub(super) fn compare_steps(is_closed: bool, a: &[Step], b: &[Step]) -> Vec<Comparison> {
    let metrics = is_closed.then_some(&RATE).into_iter().chain(&METRICS);
    let rows: Vec<Row> = metrics.filter_map(|metric| Row::of(metric, a, b)).collect();
    compare(&rows)
}

/// Compares all rows so that their answers together are wrong in at most one report of twenty.
fn compare(rows: &[Row]) -> Vec<Comparison> {
    let confidence = joint_confidence(rows.len());
    rows.iter().map(|row| row.compared(confidence)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::format::format_ratio_interval;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use rand_distr::{Distribution, Normal};

    /// Six pairs of five metrics of two servers of which B is `factor` times A. The machine's drift moves all metrics
    /// of a measurement together, tails scatter most, and some measurements are disturbed.
    fn rows(rng: &mut SmallRng, factor: f64) -> Vec<Row> {
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut rows: Vec<Row> = [("p50", 0.03), ("p99", 0.15), ("p99.9", 0.4), ("cpu", 0.01)]
            .into_iter()
            .map(|(name, _)| Row {
                name,
                more_is_better: false,
                a: Vec::new(),
                b: Vec::new(),
            })
            .collect();
        let scatters = [0.03, 0.15, 0.4, 0.01];
        let mut drift = 0.0;
        for index in 0..12 {
            drift += 0.02 * normal.sample(rng);
            let shared = normal.sample(rng);
            let is_a = matches!(index % 4, 0 | 3);
            for (row, scatter) in rows.iter_mut().zip(scatters) {
                let own: f64 = normal.sample(rng);
                let disturbed = if normal.sample(rng) > 2.0 { 3.0 } else { 1.0 };
                let value = f64::exp(drift + scatter * (0.6 * shared + 0.8 * own * disturbed));
                if is_a {
                    row.a.push(value);
                } else {
                    row.b.push(value * factor);
                }
            }
        }
        rows
    }

    fn claims(factor: f64, reports: usize, answers: &[Difference]) -> usize {
        let mut rng = SmallRng::seed_from_u64(11);
        (0..reports)
            .filter(|_| {
                let comparisons = compare(&rows(&mut rng, factor));
                comparisons.iter().any(|row| answers.contains(&row.answer))
            })
            .count()
    }

    #[test]
    fn a_against_a_shows_no_difference_in_19_of_20_reports() {
        let claimed = claims(1.0, 400, &[Difference::Better, Difference::Worse]);
        assert!(claimed <= 20, "{claimed} of 400");
    }

    #[test]
    fn a_server_that_is_worse_is_found() {
        assert!(claims(1.3, 100, &[Difference::Worse]) > 95);
        assert!(claims(0.7, 100, &[Difference::Better]) > 95);
    }

    #[test]
    fn more_may_be_better_or_worse() {
        let row = |more_is_better| Row {
            name: "requests/s",
            more_is_better,
            a: vec![100.0, 101.0, 99.0, 100.0],
            b: vec![120.0, 121.0, 119.0, 121.0],
        };
        assert_eq!(row(true).compared(0.99).answer, Difference::Better);
        assert_eq!(row(false).compared(0.99).answer, Difference::Worse);
        let once = Row {
            a: vec![1.0],
            b: vec![9.0],
            ..row(true)
        };
        let comparison = once.compared(0.99);
        assert_eq!(comparison.answer, Difference::NotShown);
        assert_eq!(format_ratio_interval(&comparison), "one pair: unknown");
    }
}
