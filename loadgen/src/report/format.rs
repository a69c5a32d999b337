//! Results in words, as the text and the page both show them.

use super::model::{Comparison, Preload, SearchResult};
use crate::units::{format_count, format_ns};

/// The 95% interval of a capacity, as the reports show it.
#[must_use]
pub fn format_capacity_interval(result: &SearchResult) -> String {
    let low = result.capacity_low.map_or("0".to_owned(), format_count);
    match result.capacity_high {
        Some(high) => format!("95% interval {low} .. {}", format_count(high)),
        None => format!("at least {low}"),
    }
}

/// A metric's value with its unit.
#[must_use]
pub fn format_metric(metric: &Comparison, value: f64) -> String {
    if metric.more_is_better {
        format_count(value)
    } else {
        format_ns(value)
    }
}

/// The interval of a ratio.
#[must_use]
pub fn format_ratio_interval(metric: &Comparison) -> String {
    match metric.interval {
        (low, Some(high)) => format!("{low:.3} .. {high:.3}"),
        (_, None) => "one pair: unknown".to_owned(),
    }
}

/// Notes on the measurements that follow from a preload.
#[must_use]
pub fn preload_notes(preload: Option<&Preload>) -> Vec<String> {
    preload
        .filter(|preload| preload.evictions > 0)
        .map(|preload| {
            format!(
                "the server evicted {} items while {} keys were set: not all of them fit in its memory, and gets of the others miss",
                format_count(preload.evictions as f64),
                format_count(preload.keys as f64)
            )
        })
        .into_iter()
        .collect()
}
