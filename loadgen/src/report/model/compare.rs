//! The comparison of two servers.

use super::steps::Step;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `loadgen compare`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareResult {
    /// `open` or `closed`.
    pub mode: String,
    /// The names of A and B.
    pub labels: (String, String),
    /// Things worth knowing.
    pub notes: Vec<String>,
    /// Each metric.
    pub metrics: Vec<Comparison>,
    /// Steps of A, in order.
    pub a: Vec<Step>,
    /// Steps of B, in order.
    pub b: Vec<Step>,
    /// Violations by class, over all steps.
    pub violations: BTreeMap<String, u64>,
}

/// One metric of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The metric that is compared.
    pub metric: String,
    /// Geometric mean over A's steps.
    pub a: f64,
    /// Geometric mean over B's steps.
    pub b: f64,
    /// B over A.
    pub ratio: f64,
    /// The interval of the ratio, without an upper end if there was one pair only; the intervals of all metrics
    /// together hold with 95%.
    pub interval: (f64, Option<f64>),
    /// Whether more is better.
    pub more_is_better: bool,
    /// The result of the comparison.
    pub answer: Difference,
}

/// The result of the comparison of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference {
    /// The interval lies on the better side of 1.
    #[serde(rename = "B is better")]
    Better,
    /// The interval lies on the worse side of 1.
    #[serde(rename = "B is worse")]
    Worse,
    /// The interval holds 1.
    #[serde(rename = "no difference shown")]
    NotShown,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Better => "B is better",
            Self::Worse => "B is worse",
            Self::NotShown => "no difference shown",
        })
    }
}
