//! How sure a ratio is: the percentile bootstrap over paired rounds.
//!
//! Each round measures A and B close in time, so the round's ratio is free of the machine's slow drift. The interval
//! comes from resampling rounds; with few rounds the bootstrap is too narrow, which the half-width factor of Student's
//! t over the normal distribution corrects.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// A ratio with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Geometric mean of the rounds' ratios.
    pub ratio: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

const RESAMPLES: usize = 4000;

/// Two-sided 97.5% quantiles of Student's t by degrees of freedom (1 to 10), over the normal's 1.96.
const T_OVER_NORMAL: [f64; 10] = [
    6.48, 2.195, 1.624, 1.417, 1.312, 1.248, 1.207, 1.177, 1.154, 1.137,
];

/// The ratio `b / a` over paired rounds. All figures must be positive.
#[must_use]
pub fn paired_ratio(a: &[f64], b: &[f64]) -> Ratio {
    let logs: Vec<f64> = a
        .iter()
        .zip(b)
        .filter(|(a, b)| **a > 0.0 && **b > 0.0)
        .map(|(a, b)| (b / a).ln())
        .collect();
    if logs.is_empty() {
        return Ratio {
            ratio: f64::NAN,
            low: 0.0,
            high: f64::INFINITY,
        };
    }
    let center = mean(&logs);
    if logs.len() < 2 {
        return Ratio {
            ratio: center.exp(),
            low: 0.0,
            high: f64::INFINITY,
        };
    }
    let mut rng = SmallRng::seed_from_u64(0xb007);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            (0..logs.len())
                .map(|_| logs[rng.random_range(0..logs.len())])
                .sum::<f64>()
                / logs.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    // Resampling n values understates their variance by (n - 1) / n.
    let n = logs.len() as f64;
    let factor = T_OVER_NORMAL.get(logs.len() - 2).copied().unwrap_or(1.1) * (n / (n - 1.0)).sqrt();
    let at = |quantile: f64| means[((RESAMPLES - 1) as f64 * quantile) as usize];
    Ratio {
        ratio: center.exp(),
        low: (center - (center - at(0.025)) * factor).exp(),
        high: (center + (at(0.975) - center) * factor).exp(),
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
    use rand_distr::{Distribution, Normal};

    #[test]
    fn a_clear_difference_is_found() {
        let ratio = paired_ratio(&[100.0, 130.0, 90.0, 110.0], &[120.0, 157.0, 109.0, 131.0]);
        assert!((ratio.ratio - 1.2).abs() < 0.01);
        assert!(ratio.low > 1.1 && ratio.high < 1.3, "{ratio:?}");
    }

    #[test]
    fn equal_servers_are_rarely_told_apart() {
        let mut rng = SmallRng::seed_from_u64(5);
        let noise = Normal::new(0.0, 0.1).unwrap();
        let mut told_apart = 0;
        for _ in 0..200 {
            let mut draw = || {
                (0..6)
                    .map(|_| f64::exp(noise.sample(&mut rng)))
                    .collect::<Vec<f64>>()
            };
            let ratio = paired_ratio(&draw(), &draw());
            told_apart += usize::from(ratio.low > 1.0 || ratio.high < 1.0);
        }
        assert!(told_apart <= 20, "{told_apart} of 200 at 5%");
    }

    #[test]
    fn one_round_says_nothing() {
        let ratio = paired_ratio(&[1.0], &[2.0]);
        assert_eq!((ratio.low, ratio.high), (0.0, f64::INFINITY));
        assert!((geometric_mean(&[1.0, 4.0]) - 2.0).abs() < 1e-12);
    }
}
