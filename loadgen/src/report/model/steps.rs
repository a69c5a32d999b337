//! The steps of a search or scan, and what they say together.

use super::run::Latency;
use super::verdict::IncidentReport;
use crate::server_process::ProcessUsage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One step of a search or scan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Requests per second asked for.
    pub rate: f64,
    /// Replies per second.
    pub achieved: f64,
    /// Seconds measured.
    pub seconds: f64,
    /// Whether the load was not sustained.
    pub overloaded: bool,
    /// Response times.
    pub response: Latency,
    /// Median service time.
    pub service_p50_ns: Option<u64>,
    /// 99th percentile of service times.
    pub service_p99_ns: Option<u64>,
    /// See [`Verdict::error_share`](super::Verdict::error_share).
    pub error_share: f64,
    /// Requests whose reply was lost, or that had no connection to be sent on.
    pub lost: u64,
    /// Connections that closed or were opened anew.
    pub incidents: Vec<IncidentReport>,
    /// Whether the objective was kept, if there is one.
    pub kept: Option<bool>,
    /// The reasons why the objective was missed, or why the step does not count.
    pub reasons: Vec<String>,
    /// Whether the client was the limit: then the step says nothing about the server.
    pub client_limited: bool,
    /// The busiest worker's share of its time.
    pub client_busy: f64,
    /// CPU microseconds of the client per request.
    pub client_cpu_us_per_request: f64,
    /// The server's process, with `--server-pid`.
    pub server: Option<ProcessUsage>,
}

/// The limit of the rate at the end of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The client: the server may do more.
    Client,
    /// The server had no CPU left.
    ServerCpu,
    /// The server, and it had CPU left.
    Server,
    /// The server's CPU was not looked at.
    Unknown,
    /// No limit was found: the highest rate that was tried kept the objective.
    Nothing,
}

impl Step {
    /// Replies in the time measured.
    #[must_use]
    pub fn answered(&self) -> f64 {
        self.achieved * self.seconds
    }

    /// The headroom of the client: how much more load its busiest worker could make.
    #[must_use]
    pub fn client_headroom(&self) -> f64 {
        (1.0 - self.client_busy).max(0.0)
    }
}

/// `loadgen search`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchResult {
    /// The objective.
    pub slo: String,
    /// The estimate of the highest rate that keeps the objective.
    pub capacity: Option<f64>,
    /// Lower end of the 95% interval of the capacity.
    pub capacity_low: Option<f64>,
    /// Upper end; nothing if no rate missed the objective.
    pub capacity_high: Option<f64>,
    /// Whether the interval is as narrow as was asked.
    pub settled: bool,
    /// The limit of the capacity.
    pub limited_by: LimitedBy,
    /// The limit of the capacity in words.
    pub limit: String,
    /// Things worth knowing.
    pub notes: Vec<String>,
    /// All probes in order.
    pub probes: Vec<Step>,
    /// The step at the capacity.
    pub best: Option<Step>,
    /// Bytes sent and received per request, for planning.
    pub bytes_per_request: (f64, f64),
    /// Items that the servers held at the end, if `stats` says.
    pub items: Option<u64>,
    /// Bytes of an item as the server counts them in `stats`.
    pub item_bytes: Option<f64>,
    /// Memory of the server's process per item, with `--server-pid`.
    pub resident_bytes_per_item: Option<f64>,
    /// Violations by class, over all probes.
    pub violations: BTreeMap<String, u64>,
}

/// `loadgen scan`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScanResult {
    /// The objective, if one was given.
    pub slo: Option<String>,
    /// Quantile and limit of its latency condition.
    pub slo_limit: Option<(f64, f64)>,
    /// Closed-loop peak, if the range was relative to it.
    pub peak: Option<f64>,
    /// The steps, by rising rate.
    pub steps: Vec<Step>,
    /// The rate at which the curve bends.
    pub knee: Option<f64>,
    /// The rate at which the curve crosses the objective.
    pub crossing: Option<f64>,
    /// Things worth knowing.
    pub notes: Vec<String>,
    /// Violations by class, over all steps.
    pub violations: BTreeMap<String, u64>,
}
