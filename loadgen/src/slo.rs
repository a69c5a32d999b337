//! Service level objectives: `p99<500us,errors<0.01%`.

use crate::stats::edge::EXCESS_MAX;
use crate::units::{format_ns, format_share, parse_duration, parse_share};
use hdrhistogram::Histogram;
use std::fmt;
use std::str::FromStr;

/// The share of requests that may fail where an objective does not say.
pub const ERRORS_LIMIT: f64 = 0.001;
/// Requests above a quantile's limit that a measurement needs. Such requests come in bursts, some dozens each time a
/// queue builds up: with this many the share above the limit is known to about a quarter.
const REQUESTS_ABOVE_NEEDED: f64 = 250.0;

/// The metric of a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A quantile of response times, as a share of 1.
    Quantile(f64),
    /// The mean response time.
    Mean,
    /// Failed requests, unanswered and never sent ones included, as a share of all that were due.
    Errors,
    /// Keys not found as a share of keys asked for.
    Misses,
}

/// One condition: the metric must be below the limit (nanoseconds, or a share).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The metric.
    pub metric: Metric,
    /// The limit that the metric must stay below.
    pub limit: f64,
}

/// An objective: all of its conditions must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    conditions: Vec<Condition>,
    /// The user has set no limit on errors: then no reply may be lost, either.
    errors_by_default: bool,
}

/// The facts that an objective is checked against.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Response times of all verbs.
    pub response: &'a Histogram<u64>,
    /// See [`Metric::Errors`].
    pub errors: f64,
    /// Requests whose reply was lost, or that had no connection to be sent on.
    pub lost: u64,
    /// See [`Metric::Misses`]; nothing if no key was asked for.
    pub misses: Option<f64>,
}

impl Metric {
    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "mean" | "avg" => Ok(Self::Mean),
            "max" => Ok(Self::Quantile(1.0)),
            "errors" => Ok(Self::Errors),
            "misses" => Ok(Self::Misses),
            _ => name
                .strip_prefix('p')
                .and_then(|percent| percent.parse::<f64>().ok())
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(|percent| Self::Quantile(percent / 100.0))
                .ok_or_else(|| format!("unknown metric '{name}' in the objective (p50, p99, p99.9, max, mean, errors, misses)")),
        }
    }

    fn is_latency(self) -> bool {
        matches!(self, Self::Quantile(_) | Self::Mean)
    }

    /// The metric's value; `None` for a percentile of no requests.
    fn value(self, facts: &Facts<'_>) -> Option<f64> {
        let response = (!facts.response.is_empty()).then_some(facts.response);
        match self {
            Self::Quantile(quantile) => {
                response.map(|response| response.value_at_quantile(quantile) as f64)
            }
            Self::Mean => response.map(Histogram::mean),
            Self::Errors => Some(facts.errors),
            Self::Misses => facts.misses,
        }
    }

    fn format(self, value: f64) -> String {
        if self.is_latency() {
            format_ns(value)
        } else {
            format_share(value)
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(quantile) if *quantile >= 1.0 => f.write_str("max"),
            // Percentages such as 99.9 are not exact in binary: print what was meant.
            Self::Quantile(quantile) => write!(f, "p{}", (quantile * 1e8).round() / 1e6),
            Self::Mean => f.write_str("mean"),
            Self::Errors => f.write_str("errors"),
            Self::Misses => f.write_str("misses"),
        }
    }
}

impl Condition {
    /// The reason in words why the condition does not hold; `None` if it holds.
    fn missed(&self, facts: &Facts<'_>) -> Option<String> {
        let Self { metric, limit } = self;
        let Some(value) = metric.value(facts) else {
            return Some(format!("{metric} is -, of nothing"));
        };
        // "errors<0%" can only mean none.
        let holds = value < *limit || (value == 0.0 && *limit == 0.0);
        (!holds).then(|| {
            format!(
                "{metric} is {}, not below {}",
                metric.format(value),
                metric.format(*limit)
            )
        })
    }

    fn excess(&self, facts: &Facts<'_>) -> f64 {
        // No request was answered, so the objective was not kept.
        let Some(measured) = self.metric.value(facts) else {
            return EXCESS_MAX;
        };
        let step = |is_missed: bool| if is_missed { EXCESS_MAX } else { 0.0 };
        match self.metric {
            Metric::Quantile(quantile) if quantile < 1.0 => {
                let above = facts.response.count_between(self.limit as u64, u64::MAX) as f64;
                above / facts.response.len() as f64 / (1.0 - quantile)
            }
            // A limit on a single request, or a limit of zero, is kept or missed and has no degrees.
            Metric::Quantile(_) => step(measured >= self.limit),
            _ if self.limit <= 0.0 => step(measured > 0.0),
            _ => measured / self.limit,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} < {}", self.metric, self.metric.format(self.limit))
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        f.write_str(&conditions.join(", "))
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let conditions = text
            .split(',')
            .map(parse_condition)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            conditions,
            errors_by_default: false,
        })
    }
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    let (name, limit) = text
        .split_once("<=")
        .or_else(|| text.split_once('<'))
        .ok_or_else(|| format!("'{text}' is no condition: write METRIC<LIMIT, as in p99<500us"))?;
    let metric = Metric::parse(name.trim())?;
    let limit = if metric.is_latency() {
        parse_duration(limit)?.as_nanos() as f64
    } else {
        parse_share(limit)?
    };
    Ok(Condition { metric, limit })
}

impl Slo {
    /// The conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// An objective whose only condition is that requests do not fail.
    #[must_use]
    pub fn errors_only() -> Self {
        Self {
            conditions: Vec::new(),
            errors_by_default: false,
        }
        .with_errors_bounded()
    }

    /// Adds a limit on errors if the objective has none: a rate at which requests fail or stay unsent is no capacity.
    #[must_use]
    pub fn with_errors_bounded(mut self) -> Self {
        let has_one = self
            .conditions
            .iter()
            .any(|condition| condition.metric == Metric::Errors);
        if !has_one {
            self.conditions.push(Condition {
                metric: Metric::Errors,
                limit: ERRORS_LIMIT,
            });
            self.errors_by_default = true;
        }
        self
    }

    /// The conditions that do not hold, in words; none means that the objective is kept.
    #[must_use]
    pub fn missed(&self, facts: &Facts<'_>) -> Vec<String> {
        let mut missed: Vec<String> = self
            .conditions
            .iter()
            .filter_map(|condition| condition.missed(facts))
            .collect();
        if self.errors_by_default && facts.lost > 0 {
            missed.push(format!("{} requests had no reply", facts.lost));
        }
        missed
    }

    /// The measured figure over the allowed one, for the condition nearest to being missed: up to 1 the objective is
    /// kept. For a quantile the figure is the share of requests above the limit, which unlike the quantile itself is
    /// measured without bias.
    #[must_use]
    pub fn excess(&self, facts: &Facts<'_>) -> f64 {
        self.conditions
            .iter()
            .map(|condition| condition.excess(facts))
            .chain((self.errors_by_default && facts.lost > 0).then_some(EXCESS_MAX))
            .fold(0.0, f64::max)
    }

    /// Requests that a measurement needs for its excess to mean something: for a p99 25,000, of which 250 lie above.
    #[must_use]
    pub fn requests_needed(&self) -> f64 {
        self.conditions
            .iter()
            .filter_map(|condition| match condition.metric {
                Metric::Quantile(quantile) if quantile < 1.0 => {
                    Some(REQUESTS_ABOVE_NEEDED / (1.0 - quantile))
                }
                _ => None,
            })
            .fold(0.0, f64::max)
    }

    /// The first condition on a quantile, for plots: the quantile and its limit in nanoseconds.
    #[must_use]
    pub fn latency_limit(&self) -> Option<(f64, f64)> {
        self.conditions
            .iter()
            .find_map(|condition| match condition.metric {
                Metric::Quantile(quantile) => Some((quantile, condition.limit)),
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::latency_histogram;

    #[test]
    fn objectives_parse_and_print() {
        let slo: Slo = "p99<500us, p99.9<2ms,errors<0.01%".parse().unwrap();
        assert_eq!(
            slo.to_string(),
            "p99 < 500 us, p99.9 < 2.00 ms, errors < 0.0100%"
        );
        assert_eq!(slo.latency_limit(), Some((0.99, 500_000.0)));
        for text in ["p99", "p101<1ms", "latency<1ms", "p99<fast", "errors<x"] {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_judged_one_by_one() {
        let mut response = latency_histogram();
        (1..=100u64).for_each(|us| response.saturating_record(us * 1000));
        let facts = Facts {
            response: &response,
            errors: 0.02,
            lost: 0,
            misses: Some(0.5),
        };
        let slo: Slo = "p50<60us,p99<90us,errors<1%,misses<60%".parse().unwrap();
        let missed = slo.missed(&facts);
        assert_eq!(missed.len(), 2, "{missed:?}");
        assert!(missed[0].starts_with("p99 is 99.0 us"), "{missed:?}");
    }

    #[test]
    fn nothing_keeps_no_objective() {
        let facts = Facts {
            response: &latency_histogram(),
            errors: 0.0,
            lost: 0,
            misses: None,
        };
        let slo: Slo = "p99<1ms,mean<1ms,misses<1%".parse().unwrap();
        assert_eq!(slo.missed(&facts).len(), 3, "{:?}", slo.missed(&facts));
    }

    #[test]
    fn a_lost_reply_is_allowed_only_where_the_objective_allows_it() {
        let mut response = latency_histogram();
        response.saturating_record(1000);
        let facts = Facts {
            response: &response,
            errors: 0.000_01,
            lost: 1,
            misses: None,
        };
        let given: Slo = "p50<1ms,errors<0.1%".parse().unwrap();
        assert!(given.with_errors_bounded().missed(&facts).is_empty());
        let default: Slo = "p50<1ms".parse().unwrap();
        assert_eq!(default.with_errors_bounded().missed(&facts).len(), 1);
    }

    #[test]
    fn the_excess_is_1_at_the_limit() {
        let mut response = latency_histogram();
        (1..=1000u64).for_each(|us| response.saturating_record(us * 1000));
        let excess = |slo: &str, errors| {
            let facts = Facts {
                response: &response,
                errors,
                lost: 0,
                misses: None,
            };
            slo.parse::<Slo>().unwrap().excess(&facts)
        };
        assert!((excess("p99<990us", 0.0) - 1.0).abs() < 0.15);
        assert!((excess("p99<900us", 0.0) - 10.0).abs() < 0.3);
        assert!((excess("p99<2ms,errors<1%", 0.03) - 3.0).abs() < 1e-9);
        assert!(excess("max<900us", 0.0) > 1.0 && excess("max<2ms", 0.0) < 1.0);
        assert!(excess("errors<0%", 0.001) > 1.0 && excess("errors<0%", 0.0) < 1.0);
        assert!((excess("mean<250us", 0.0) - 2.0).abs() < 0.01);
        assert!(
            excess_of_nothing() > 1.0,
            "a server that answers nothing keeps no objective"
        );
    }

    fn excess_of_nothing() -> f64 {
        let facts = Facts {
            response: &latency_histogram(),
            errors: 0.0,
            lost: 0,
            misses: None,
        };
        "p99<1s".parse::<Slo>().unwrap().excess(&facts)
    }

    #[test]
    fn rarer_quantiles_need_more_requests() {
        let needed = |slo: &str| slo.parse::<Slo>().unwrap().requests_needed();
        assert!((needed("p50<1ms,p99<2ms") - 25_000.0).abs() < 1.0);
        assert!((needed("p99.9<2ms") - 250_000.0).abs() < 10.0);
        assert!(needed("max<1ms,errors<1%") < 1.0);
    }

    #[test]
    fn errors_are_always_bounded_in_a_search() {
        let slo: Slo = "p99<1ms".parse().unwrap();
        assert_eq!(slo.with_errors_bounded().conditions().len(), 2);
    }
}
