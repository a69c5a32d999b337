//! The report as data: what `--json` writes, and what the text and HTML reports are made from.
//!
//! `docs/json.md` describes it for readers of the files. A field may be added without notice; a removed or changed one
//! raises [`SCHEMA_VERSION`].

use crate::measurement::Point;
use crate::record::NoReply;
use crate::server_process::ProcessUsage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the JSON schema.
pub const SCHEMA_VERSION: u32 = 2;

/// A whole report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The circumstances of the measurement.
    pub context: Context,
    /// The workload.
    pub workload: WorkloadSummary,
    /// The sentence that answers the question.
    pub headline: String,
    /// The command's result.
    #[serde(flatten)]
    pub body: Body,
}

/// One of the commands' results.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Body {
    /// `loadgen run`.
    Run {
        /// The measurement.
        run: Box<RunResult>,
    },
    /// `loadgen search`.
    Search {
        /// The search.
        search: Box<SearchResult>,
    },
    /// `loadgen scan`.
    Scan {
        /// The curve.
        scan: Box<ScanResult>,
    },
    /// `loadgen compare`.
    Compare {
        /// The comparison.
        compare: Box<CompareResult>,
    },
}

/// The circumstances of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Context {
    /// The command line as typed.
    pub command_line: String,
    /// loadgen's version.
    pub version: String,
    /// The kernel of the client's machine.
    pub kernel: String,
    /// The CPU of the client's machine.
    pub cpu: String,
    /// When the command began, seconds since 1970.
    pub started_unix_s: u64,
    /// Servers, with what each said of its version.
    pub servers: Vec<Server>,
    /// Protocol.
    pub protocol: String,
    /// Connections in all.
    pub connections: usize,
    /// CPUs of the workers.
    pub worker_cpus: Vec<usize>,
    /// How workers wait.
    pub wait: String,
    /// How keys find their connections: `single`, `ketama` or `shards`.
    pub routing: String,
}

/// A server under test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// The server's address.
    pub address: String,
    /// The server's answer to `version`.
    pub version: String,
}

/// The workload in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkloadSummary {
    /// Operations by weight.
    pub mix: String,
    /// Number of keys.
    pub keys: u64,
    /// The distribution of requests over the keys.
    pub key_distribution: String,
    /// The length of every key in bytes.
    pub key_bytes: usize,
    /// Value sizes.
    pub value_size: String,
    /// Mean over keys.
    pub value_bytes_mean: f64,
    /// Lifetimes.
    pub ttl: String,
    /// Whether misses are followed by sets.
    pub look_aside: bool,
    /// Whether values are checked.
    pub verify: bool,
    /// The seed.
    pub seed: u64,
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunResult {
    /// `open` or `closed`; latencies of a closed loop hide queueing.
    pub mode: String,
    /// `poisson` or `uniform`.
    pub arrivals: String,
    /// Requests per second asked for (open loop).
    pub rate: Option<f64>,
    /// Replies per second.
    pub achieved: f64,
    /// Seconds measured.
    pub seconds: f64,
    /// The judgement of the measurement.
    pub verdict: Verdict,
    /// All verbs together.
    pub all: ClassResult,
    /// Each verb.
    pub classes: Vec<ClassResult>,
    /// Response times without what is known to be the client's own part of each.
    pub net: Latency,
    /// The time series.
    pub series: Vec<Point>,
    /// How requests spread over the connections to each server or shard.
    pub connections: Vec<ConnectionShares>,
    /// The client's side.
    pub client: ClientUsage,
    /// The server's process, with `--server-pid`.
    pub server: Option<ProcessUsage>,
    /// The changes of the server's statistics.
    pub server_stats: Vec<ServerStats>,
    /// The preload, if there was one.
    pub preload: Option<Preload>,
}

/// How requests spread over the connections to a server or shard, follow-ups left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionShares {
    /// The server or shard.
    pub server: String,
    /// How many connections lead there.
    pub connections: usize,
    /// Requests on the connection with the fewest.
    pub lowest: u64,
    /// Requests on an average one.
    pub mean: f64,
    /// Requests on the connection with the most.
    pub highest: u64,
}

/// Connections to a server or shard to which the same thing happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentReport {
    /// The server or shard.
    pub server: String,
    /// `closed`, `failed`, `malformed reply`, `shifted replies` or `not open`.
    pub kind: String,
    /// The first time in words.
    pub example: String,
    /// When the first of these incidents happened, in seconds since measuring began.
    pub first_s: f64,
    /// When the last of them happened.
    pub last_s: f64,
    /// The number of incidents.
    pub count: u64,
    /// Requests on these connections that had no reply.
    pub requests: u64,
    /// How many of the connections were opened again.
    pub reopened: u64,
    /// The longest time until a connection was open again.
    pub reopened_s_max: Option<f64>,
}

/// The judgement of a measurement, worst first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// How much of each percentile can be the client's.
    pub client: ClientVerdict,
    /// The client was a limit: why. Empty with the better grades.
    pub client_limited: Vec<String>,
    /// Requests without a reply by reason: `lost`, `unconnected`, `overdue` and `unsent`.
    pub no_reply: BTreeMap<String, u64>,
    /// Connections that closed or were opened anew.
    pub incidents: Vec<IncidentReport>,
    /// The load was not sustained: why.
    pub overloaded: Option<String>,
    /// Violations by class.
    pub violations: BTreeMap<String, u64>,
    /// The first violations in words.
    pub violation_examples: Vec<String>,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// Texts the server sent.
    pub error_examples: Vec<String>,
    /// Failed, unanswered and never sent requests as a share of those due.
    pub error_share: f64,
    /// The objective, if one was given.
    pub slo: Option<String>,
    /// The conditions of the objective that did not hold.
    pub slo_missed: Vec<String>,
    /// Things worth knowing that are no verdict.
    pub notes: Vec<String>,
}

/// Grades of the client's part of the shown figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientGrade {
    /// The client's part is too small to matter.
    #[default]
    Ok,
    /// The client's part is worth knowing.
    Shows,
    /// The client's part is most of a figure, or the client was busy all the time: the figures describe the client.
    Limited,
}

/// The judgement of the client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClientVerdict {
    /// The grade.
    pub grade: ClientGrade,
    /// The client's part of each percentile; empty if there was no reply.
    pub shares: Vec<ClientShare>,
    /// The causes, and their remedies.
    pub causes: Vec<String>,
}

/// The client's part of a percentile.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClientShare {
    /// The percentile as a share of 1; 1 is the maximum.
    pub quantile: f64,
    /// The shown percentile, in nanoseconds.
    pub shown_ns: u64,
    /// At most this much of the percentile is the client's part, in nanoseconds.
    pub ours_ns: u64,
}

impl Verdict {
    /// Violations of all classes.
    #[must_use]
    pub fn violations_total(&self) -> u64 {
        self.violations.values().sum()
    }

    /// Requests whose reply was lost, or that had no connection to be sent on.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        let count = |reason: NoReply| self.no_reply.get(reason.name()).copied().unwrap_or(0);
        count(NoReply::Lost) + count(NoReply::Unconnected)
    }

    /// Whether replies or connections were lost.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        self.lost_total() > 0 || !self.incidents.is_empty()
    }

    /// Whether the numbers can be relied on.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.client_limited.is_empty()
            && self.no_reply.is_empty()
            && self.incidents.is_empty()
            && self.overloaded.is_none()
            && self.violations_total() == 0
            && self.errors.is_empty()
            && self.slo_missed.is_empty()
    }
}

/// Results of one verb, or of all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClassResult {
    /// The verb, or `all`.
    pub verb: String,
    /// Replies counted.
    pub completed: u64,
    /// Replies counted per second.
    pub rate: f64,
    /// Keys found.
    pub hits: u64,
    /// Keys not found.
    pub misses: u64,
    /// Legal answers that changed nothing.
    pub refused: u64,
    /// Errors.
    pub errors: u64,
    /// Requests without a reply: in the response times with the time they had waited at the end.
    pub no_reply: u64,
    /// Reply minus due time.
    pub response: Latency,
    /// Reply minus send time.
    pub service: Latency,
    /// Send time minus the time the request was due and a connection was free.
    pub slip: Latency,
}

impl ClassResult {
    /// Keys found as a share of keys asked for, if any were.
    #[must_use]
    pub fn hit_share(&self) -> Option<f64> {
        let asked = self.hits + self.misses;
        (asked > 0).then(|| self.hits as f64 / asked as f64)
    }
}

/// A latency distribution in nanoseconds. A percentile of no requests is `None`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latency {
    /// The number of requests in the distribution.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_ns: Option<f64>,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th percentile.
    pub p90_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// 99.99th percentile.
    pub p9999_ns: Option<u64>,
    /// Maximum.
    pub max_ns: Option<u64>,
    /// Quantile and value pairs, denser towards the tail, for plots.
    pub curve: Vec<(f64, u64)>,
}

/// The resources that the client used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClientUsage {
    /// CPU microseconds per request, spinning left out.
    pub cpu_us_per_request: f64,
    /// The busiest worker's share of its time, spinning left out.
    pub busiest_worker: f64,
    /// Share of CPU time spent spinning until requests were due.
    pub spin_share: f64,
    /// Share of their time that the workers waited for their CPUs while other threads had them; nothing if the kernel
    /// does not say.
    pub delayed_share: Option<f64>,
    /// Share of their time that the hypervisor took from the workers' CPUs; nothing if the kernel does not say.
    pub stolen_share: Option<f64>,
    /// Share of their time that was taken from workers while they spun, for whatever reason.
    pub taken_share: f64,
    /// Bytes sent per reply.
    pub sent_bytes_per_request: f64,
    /// Bytes received per reply.
    pub received_bytes_per_request: f64,
}

/// Differences of one server's `stats` over the measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerStats {
    /// The server's address.
    pub address: String,
    /// `get_hits / cmd_get` of the time measured.
    pub hit_share: Option<f64>,
    /// Counters that changed.
    pub changes: BTreeMap<String, i64>,
    /// Items held at the end.
    pub items: Option<u64>,
    /// Bytes of the items, as the server counts.
    pub item_bytes: Option<u64>,
    /// The memory limit.
    pub limit_bytes: Option<u64>,
}

/// The setting of all keys before a run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Preload {
    /// Keys set.
    pub keys: u64,
    /// Seconds that the preload took.
    pub seconds: f64,
    /// Sets that the server refused.
    pub errors: u64,
    /// Items that the server evicted meanwhile, if it says.
    pub evictions: u64,
}

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
    /// See [`Verdict::error_share`].
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
    /// The interval of the ratio, without an upper end if there was one pair only; the intervals of all metrics together
    /// hold with 95%.
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
