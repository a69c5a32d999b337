//! From records to report: percentiles, shares, sums.

use super::model::{
    Body, ClassResult, ClientUsage, ConnectionShares, Context, IncidentReport, Latency, Preload,
    Report, RunResult, SCHEMA_VERSION, ServerStats, Step, Verdict, WorkloadSummary,
};
use crate::control::Stats;
use crate::measurement::Measurement;
use crate::record::{ClassRecord, Interval};
use crate::server_process::ProcessUsage;
use crate::worker::arrivals::ArrivalKind;
use crate::worker::incident::Incident;
use crate::workload::verb::Verb;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Quantiles per halving of the distance to 1, in the plotted curve.
const CURVE_POINTS_PER_HALVING: u32 = 5;

/// The percentiles of a histogram.
#[must_use]
pub fn latency(histogram: &Histogram<u64>) -> Latency {
    let is_some = !histogram.is_empty();
    let at = |quantile| is_some.then(|| histogram.value_at_quantile(quantile));
    Latency {
        count: histogram.len(),
        mean_ns: is_some.then(|| histogram.mean()),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        p9999_ns: at(0.9999),
        max_ns: is_some.then(|| histogram.max()),
        curve: histogram
            .iter_quantiles(CURVE_POINTS_PER_HALVING)
            .map(|value| (value.quantile_iterated_to(), value.value_iterated_to()))
            .collect(),
    }
}

/// One verb's results over `seconds`.
#[must_use]
pub fn class(name: &str, record: &ClassRecord, seconds: f64) -> ClassResult {
    ClassResult {
        verb: name.to_owned(),
        completed: record.counts.completed,
        rate: record.counts.completed as f64 / seconds.max(1e-9),
        hits: record.counts.hits,
        misses: record.counts.misses,
        refused: record.counts.refused,
        errors: record.counts.errors_total(),
        no_reply: record.counts.no_reply_total(),
        response: latency(&record.response),
        service: latency(&record.service),
        slip: latency(&record.slip),
    }
}

/// The verbs that were used, in the order of [`Verb::ALL`].
#[must_use]
pub fn classes(total: &Interval, seconds: f64) -> Vec<ClassResult> {
    Verb::ALL
        .iter()
        .zip(&total.classes)
        .filter_map(|(verb, record)| record.as_ref().map(|record| (verb, record)))
        .filter(|(_, record)| record.counts.completed + record.counts.no_reply_total() > 0)
        .map(|(verb, record)| class(verb.name(), record, seconds))
        .collect()
}

/// The resources that the client used.
#[must_use]
pub fn client_usage(measurement: &Measurement) -> ClientUsage {
    let totals = &measurement.measured;
    let per_request = |bytes: u64| bytes as f64 / totals.completed.max(1) as f64;
    ClientUsage {
        cpu_us_per_request: measurement.client_cpu_ns() / 1e3,
        busiest_worker: measurement.busiest(),
        spin_share: totals.spin_ns.min(totals.cpu_ns) as f64 / totals.cpu_ns.max(1) as f64,
        delayed_share: measurement.delayed(),
        stolen_share: measurement
            .stolen_ns
            .map(|ns| ns as f64 / totals.wall_ns.max(1) as f64),
        taken_share: totals.taken_ns as f64 / totals.wall_ns.max(1) as f64,
        sent_bytes_per_request: per_request(totals.bytes_sent),
        received_bytes_per_request: per_request(totals.bytes_received),
    }
}

/// Everything around a measurement that its report needs.
#[derive(Debug)]
pub struct Surroundings {
    /// The judgement.
    pub verdict: Verdict,
    /// The distribution of gaps.
    pub arrivals: ArrivalKind,
    /// The server's process.
    pub server: Option<ProcessUsage>,
    /// The server's statistics.
    pub server_stats: Vec<ServerStats>,
    /// The preload.
    pub preload: Option<Preload>,
}

/// The result of one measurement.
#[must_use]
pub fn run_result(measurement: &Measurement, around: Surroundings) -> RunResult {
    let all = measurement.total.all_verbs();
    RunResult {
        mode: if measurement.rate.is_some() {
            "open"
        } else {
            "closed"
        }
        .to_owned(),
        arrivals: around.arrivals.name().to_owned(),
        rate: measurement.rate,
        achieved: measurement.achieved(),
        seconds: measurement.seconds,
        verdict: around.verdict,
        all: class("all", &all, measurement.seconds),
        classes: classes(&measurement.total, measurement.seconds),
        net: latency(&measurement.total.net),
        series: measurement.points(),
        connections: connection_shares(measurement),
        client: client_usage(measurement),
        server: around.server,
        server_stats: around.server_stats,
        preload: around.preload,
    }
}

/// How requests spread over connections.
fn connection_shares(measurement: &Measurement) -> Vec<ConnectionShares> {
    let of_group = |(group, server): (usize, &String)| {
        let loads = measurement.end.connections.iter();
        let requests: Vec<u64> = loads
            .filter(|load| load.group.0 == group)
            .map(|load| load.requests)
            .collect();
        Some(ConnectionShares {
            server: server.clone(),
            connections: requests.len(),
            lowest: *requests.iter().min()?,
            mean: requests.iter().sum::<u64>() as f64 / requests.len() as f64,
            highest: *requests.iter().max()?,
        })
    };
    measurement
        .groups
        .iter()
        .enumerate()
        .filter_map(of_group)
        .collect()
}

/// The incidents of connections, with servers by name and times since measuring began.
#[must_use]
pub fn incidents(measurement: &Measurement) -> Vec<IncidentReport> {
    let since_s = |ns: u64| (ns as f64 - measurement.start_ns as f64) / 1e9;
    let name = |incident: &Incident| {
        let name = measurement.groups.get(incident.group.0);
        name.cloned().unwrap_or_else(|| "the server".to_owned())
    };
    let mut reports: Vec<IncidentReport> = measurement
        .end
        .incidents
        .iter()
        .map(|incident| IncidentReport {
            server: name(incident),
            kind: incident.kind.name().to_owned(),
            example: incident.example.clone(),
            first_s: since_s(incident.first_ns),
            last_s: since_s(incident.last_ns),
            count: incident.count,
            requests: incident.requests,
            reopened: incident.reopened,
            reopened_s_max: (incident.reopened > 0).then(|| incident.reopened_ns_max as f64 / 1e9),
        })
        .collect();
    reports.sort_by(|a, b| a.first_s.total_cmp(&b.first_s));
    reports
}

/// One step of a search, scan or comparison.
#[must_use]
pub fn step(measurement: &Measurement, verdict: &Verdict, server: Option<ProcessUsage>) -> Step {
    let all = measurement.total.all_verbs();
    let service = latency(&all.service);
    let reasons = verdict
        .client_limited
        .iter()
        .chain(verdict.overloaded.iter())
        .chain(&verdict.slo_missed);
    Step {
        rate: measurement.rate.unwrap_or_else(|| measurement.achieved()),
        achieved: measurement.achieved(),
        seconds: measurement.seconds,
        overloaded: verdict.overloaded.is_some(),
        response: latency(&all.response),
        service_p50_ns: service.p50_ns,
        service_p99_ns: service.p99_ns,
        error_share: verdict.error_share,
        lost: verdict.lost_total(),
        incidents: verdict.incidents.clone(),
        kept: verdict
            .slo
            .is_some()
            .then(|| verdict.slo_missed.is_empty() && verdict.overloaded.is_none()),
        reasons: reasons.cloned().collect(),
        client_limited: !verdict.client_limited.is_empty(),
        client_busy: measurement.busiest(),
        client_cpu_us_per_request: measurement.client_cpu_ns() / 1e3,
        server,
    }
}

/// Counters worth showing when they change.
const COUNTERS: [&str; 14] = [
    "cmd_get",
    "cmd_set",
    "cmd_touch",
    "get_hits",
    "get_misses",
    "get_expired",
    "delete_hits",
    "cas_badval",
    "evictions",
    "expired_unfetched",
    "evicted_unfetched",
    "conn_yields",
    "store_no_memory",
    "store_too_large",
];

/// The changes between two answers of `stats`.
#[must_use]
pub fn server_stats(address: &str, before: &Stats, after: &Stats) -> ServerStats {
    let number =
        |stats: &Stats, name: &str| stats.get(name).and_then(|value| value.parse::<i64>().ok());
    let change = |name: &str| Some(number(after, name)? - number(before, name)?);
    let changes: BTreeMap<String, i64> = COUNTERS
        .iter()
        .filter_map(|&name| {
            change(name)
                .filter(|&change| change != 0)
                .map(|change| (name.to_owned(), change))
        })
        .collect();
    let gets = change("cmd_get").filter(|&gets| gets > 0);
    let level = |name: &str| number(after, name).and_then(|value| u64::try_from(value).ok());
    ServerStats {
        address: address.to_owned(),
        hit_share: gets.and_then(|gets| Some(change("get_hits")? as f64 / gets as f64)),
        changes,
        items: level("curr_items"),
        item_bytes: level("bytes"),
        limit_bytes: level("limit_maxbytes"),
    }
}

/// Adds counts by name.
pub fn add_counts(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, count) in from {
        *into.entry(name.clone()).or_default() += count;
    }
}

/// Puts a report together.
#[must_use]
pub fn report(context: Context, workload: WorkloadSummary, headline: String, body: Body) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        context,
        workload,
        headline,
        body,
    }
}
