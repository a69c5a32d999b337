//! One measurement.

use super::verdict::Verdict;
use crate::measurement::Point;
use crate::server_process::ProcessUsage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

impl Latency {
    /// The figures that a table shows of a distribution: its percentiles from the median on, and its maximum.
    #[must_use]
    pub fn columns(&self) -> [Option<u64>; 6] {
        [
            self.p50_ns,
            self.p90_ns,
            self.p99_ns,
            self.p999_ns,
            self.p9999_ns,
            self.max_ns,
        ]
    }
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
