//! Comma-separated values: the time series of a run, the steps of a search or scan, the metrics of a comparison.

use super::model::{CompareResult, RunResult, Step};
use std::fmt::Write as _;

/// A percentile of nothing is an empty cell.
fn cell(ns: Option<u64>) -> String {
    ns.map_or_else(String::new, |ns| ns.to_string())
}

/// The time series of a run.
#[must_use]
pub fn series(run: &RunResult) -> String {
    let mut out = "start_s,length_s,offered_per_s,achieved_per_s,p50_ns,p99_ns,p999_ns,max_ns,hits,misses,errors,in_flight,client_busy,responses,no_reply\n".to_owned();
    for point in &run.series {
        let _ = writeln!(
            out,
            "{:.3},{:.3},{:.1},{:.1},{},{},{},{},{},{},{},{},{:.4},{},{}",
            point.start_s,
            point.length_s,
            point.offered,
            point.achieved,
            cell(point.p50_ns),
            cell(point.p99_ns),
            cell(point.p999_ns),
            cell(point.max_ns),
            point.hits,
            point.misses,
            point.errors,
            point.in_flight,
            point.client_busy,
            point.responses,
            point.no_reply
        );
    }
    out
}

/// Steps of a search or scan.
#[must_use]
pub fn steps(steps: &[Step]) -> String {
    let mut out = "rate_per_s,achieved_per_s,p50_ns,p90_ns,p99_ns,p999_ns,p9999_ns,max_ns,service_p50_ns,service_p99_ns,error_share,kept,client_limited,client_busy,client_cpu_us_per_request,server_cpu_us_per_request\n".to_owned();
    for step in steps {
        let response = &step.response;
        let _ = writeln!(
            out,
            "{:.1},{:.1},{},{},{},{},{},{},{},{},{},{},{},{:.4},{:.4},{}",
            step.rate,
            step.achieved,
            cell(response.p50_ns),
            cell(response.p90_ns),
            cell(response.p99_ns),
            cell(response.p999_ns),
            cell(response.p9999_ns),
            cell(response.max_ns),
            cell(step.service_p50_ns),
            cell(step.service_p99_ns),
            step.error_share,
            step.kept
                .map_or("", |kept| if kept { "true" } else { "false" }),
            step.client_limited,
            step.client_busy,
            step.client_cpu_us_per_request,
            step.server.map_or(String::new(), |usage| format!(
                "{:.4}",
                usage.us_per_request()
            ))
        );
    }
    out
}

/// Metrics of a comparison.
#[must_use]
pub fn compare(compare: &CompareResult) -> String {
    let mut out = "metric,a,b,ratio,low,high,answer\n".to_owned();
    for metric in &compare.metrics {
        let _ = writeln!(
            out,
            "{},{:.3},{:.3},{:.4},{:.4},{},{}",
            metric.metric,
            metric.a,
            metric.b,
            metric.ratio,
            metric.interval.0,
            metric
                .interval
                .1
                .map_or(String::new(), |high| format!("{high:.4}")),
            metric.answer
        );
    }
    out
}
