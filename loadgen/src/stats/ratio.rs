//! The confidence interval of a ratio: Student's t interval of the logarithms of paired ratios.
//!
//! Each round measures A and B close in time, so the round's ratio is free of the machine's slow drift. Logarithms make
//! doubling and halving the same distance; the t interval allows for a scatter that a few rounds know badly.

use super::student::two_sided;

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Geometric mean of the rounds' ratios.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The confidence that each of `rows` intervals needs so that all of them together hold with 95% (Bonferroni).
#[must_use]
pub fn joint_confidence(rows: usize) -> f64 {
    1.0 - 0.05 / rows.max(1) as f64
}

/// The ratio `b / a` over paired rounds. All figures must be positive.
#[must_use]
pub fn paired_ratio(a: &[f64], b: &[f64], confidence: f64) -> Ratio {
    let logs: Vec<f64> = a
        .iter()
        .zip(b)
        .filter(|(a, b)| **a > 0.0 && **b > 0.0)
        .map(|(a, b)| (b / a).ln())
        .collect();
    let center = mean(&logs);
    if logs.len() < 2 {
        return Ratio {
            ratio: center.exp(),
            low: 0.0,
            high: f64::INFINITY,
        };
    }
    let count = logs.len() as f64;
    let variance = logs.iter().map(|log| (log - center).powi(2)).sum::<f64>() / (count - 1.0);
    let half = two_sided(confidence, logs.len() - 1) * (variance / count).sqrt();
    Ratio {
        ratio: center.exp(),
        low: (center - half).exp(),
        high: (center + half).exp(),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The geometric mean of positive figures.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> f64 {
    let logs: Vec<f64> = values
        .iter()
        .filter(|value| **value > 0.0)
        .map(|value| value.ln())
        .collect();
    if logs.is_empty() {
        0.0
    } else {
        mean(&logs).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn a_clear_difference_is_found() {
        let (a, b) = ([100.0, 130.0, 90.0, 110.0], [120.0, 157.0, 109.0, 131.0]);
        let ratio = paired_ratio(&a, &b, joint_confidence(5));
        assert!((ratio.ratio - 1.2).abs() < 0.01);
        assert!(ratio.low > 1.1 && ratio.high < 1.3, "{ratio:?}");
    }

    #[test]
    fn intervals_hold_as_often_as_they_say() {
        let mut rng = SmallRng::seed_from_u64(5);
        let noise = Normal::new(0.0, 0.1).unwrap();
        for (confidence, told_apart_max) in [(0.95, 130), (0.99, 34)] {
            let mut told_apart = 0;
            for _ in 0..2000 {
                let mut draw = || {
                    (0..6)
                        .map(|_| f64::exp(noise.sample(&mut rng)))
                        .collect::<Vec<f64>>()
                };
                let ratio = paired_ratio(&draw(), &draw(), confidence);
                told_apart += usize::from(ratio.low > 1.0 || ratio.high < 1.0);
            }
            assert!(
                told_apart <= told_apart_max,
                "{told_apart} of 2000 at {confidence}"
            );
            assert!(told_apart > 0);
        }
    }

    #[test]
    fn one_round_says_nothing() {
        let ratio = paired_ratio(&[1.0], &[2.0], 0.95);
        assert_eq!((ratio.low, ratio.high), (0.0, f64::INFINITY));
        assert!((geometric_mean(&[1.0, 4.0]) - 2.0).abs() < 1e-12);
    }
}
