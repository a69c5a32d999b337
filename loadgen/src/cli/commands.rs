//! The commands and the options only they have.

use super::options::{
    ClientOptions, OutputOptions, PaceOptions, RateOptions, TargetOptions, WorkloadOptions,
};
use crate::slo::Slo;
use crate::units::{
    parse_bytes, parse_count, parse_length, parse_load_rate, parse_positive, parse_precision,
    parse_share, parse_share_below_all,
};
use crate::workload::keys::KeyDistribution;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure at one rate: preload, warm up, measure, report
    Run(RunCommand),
    /// Find the highest rate that keeps a service level objective
    Search(SearchCommand),
    /// Measure at rising rates: the latency-throughput curve, its knee, where it crosses the objective
    Scan(ScanCommand),
    /// Measure two servers in turns and say which is better, and how sure that is
    Compare(CompareCommand),
    /// From a capacity per node to a number of nodes, memory and network
    Plan(PlanCommand),
}

/// `loadgen run`.
#[derive(Debug, Args)]
pub struct RunCommand {
    /// Where.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What.
    #[command(flatten)]
    pub workload: WorkloadOptions,
    /// How fast.
    #[command(flatten)]
    pub rate: RateOptions,
    /// Timing.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// What to write.
    #[command(flatten)]
    pub output: OutputOptions,
    /// Judge the run by an objective: 'p99<500us,errors<0.01%'
    #[arg(long, help_heading = "Load")]
    pub slo: Option<Slo>,
    /// Write an interval log of response times (HdrHistogram's format)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub hdr: Option<PathBuf>,
}

/// `loadgen search`.
#[derive(Debug, Args)]
pub struct SearchCommand {
    /// Where.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What.
    #[command(flatten)]
    pub workload: WorkloadOptions,
    /// Timing.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// What to write.
    #[command(flatten)]
    pub output: OutputOptions,
    /// The objective: conditions on p50 p90 p99 p99.9 p99.99 max mean errors misses, all of which must hold
    #[arg(long, default_value = "p99<1ms,errors<0.01%")]
    pub slo: Slo,
    /// Rate of the first probe
    #[arg(long, value_parser = parse_load_rate, default_value = "10k", help_heading = "Load")]
    pub start: f64,
    /// Highest rate to try
    #[arg(long, value_parser = parse_load_rate, default_value = "20M", help_heading = "Load")]
    pub rate_max: f64,
    /// Time of each probe at least; near the edge as long as the objective's percentile needs (25,000 requests for a
    /// p99)
    #[arg(long, value_parser = parse_length, default_value = "3s", help_heading = "Load")]
    pub probe: Duration,
    /// Stop when the 95% interval of the answer reaches no farther than this to either side
    #[arg(long, value_parser = parse_precision, default_value = "2%", help_heading = "Load")]
    pub precision: f64,
    /// Probes near the edge at least
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(6..=1000), help_heading = "Load")]
    pub repeats: u32,
    /// Probes near the edge at most, if the answer is not as precise as asked before
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(6..=1000), help_heading = "Load")]
    pub repeats_max: u32,
}

/// `loadgen scan`.
#[derive(Debug, Args)]
pub struct ScanCommand {
    /// Rates: 10%..110% of the closed-loop peak (measured first), or 10k..500k
    #[arg(default_value = "10%..110%")]
    pub range: String,
    /// Where.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What.
    #[command(flatten)]
    pub workload: WorkloadOptions,
    /// Timing.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// What to write.
    #[command(flatten)]
    pub output: OutputOptions,
    /// Draw the objective's line and say at which rate the curve crosses it
    #[arg(long)]
    pub slo: Option<Slo>,
    /// Number of rates
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(2..=200), help_heading = "Load")]
    pub steps: u32,
    /// Time of each step
    #[arg(long, value_parser = parse_length, default_value = "3s", help_heading = "Load")]
    pub step: Duration,
}

/// `loadgen compare`.
#[derive(Debug, Args)]
pub struct CompareCommand {
    /// The first server: HOST, HOST:PORT, unix:PATH or, with TLS, tls://HOST:PORT
    pub a: String,
    /// The second server
    pub b: String,
    /// The client.
    #[command(flatten)]
    pub client: ClientOptions,
    /// What.
    #[command(flatten)]
    pub workload: WorkloadOptions,
    /// How fast.
    #[command(flatten)]
    pub rate: RateOptions,
    /// Timing.
    #[command(flatten)]
    pub pace: PaceOptions,
    /// What to write.
    #[command(flatten)]
    pub output: OutputOptions,
    /// Rounds of A B B A; each half of a pair measures for --duration
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub rounds: u32,
    /// What to call A in the report [default: its address]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub label_a: Option<String>,
    /// What to call B
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub label_b: Option<String>,
    /// Process id of server B (--server-pid is A's)
    #[arg(long, value_name = "PID", help_heading = "Target")]
    pub server_pid_b: Option<u32>,
}

/// `loadgen plan`.
#[derive(Debug, Args)]
pub struct PlanCommand {
    /// Requests per second of all users at the peak
    #[arg(long, value_parser = parse_positive)]
    pub peak: f64,
    /// Growth of the peak to plan for
    #[arg(long, value_parser = parse_share, default_value = "0%")]
    pub growth: f64,
    /// Requests per second one node serves within the objective
    #[arg(long, value_parser = parse_positive, required_unless_present = "from")]
    pub capacity: Option<f64>,
    /// Take the capacity (the lower end of its interval), keys and their distribution, bytes per request and memory per
    /// item from this JSON report of `search`
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Plan with a capacity that the search itself doubts: the client was the limit, values were wrong, or no end was
    /// found
    #[arg(long)]
    pub accept_doubtful: bool,
    /// Share of a node's capacity that stays unused at the peak
    #[arg(long, value_parser = parse_share_below_all, default_value = "30%")]
    pub headroom: f64,
    /// Nodes that may be lost at the peak
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub losses: u32,
    /// Zones the nodes are spread over evenly, of which one may be lost at the peak; 1: no zone is lost
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub zones: u32,
    /// How requests spread over the keys: uniform, zipf:EXPONENT or hotspot:KEYS:REQUESTS
    #[arg(long)]
    pub key_dist: Option<KeyDistribution>,
    /// The most asked-for keys that clients keep themselves or that are served elsewhere
    #[arg(long, value_parser = parse_count, default_value = "0", value_name = "KEYS")]
    pub without_hottest: u64,
    /// Items to hold
    #[arg(long, value_parser = parse_count)]
    pub items: Option<u64>,
    /// Bytes of an item: key and value
    #[arg(long, value_parser = parse_bytes)]
    pub item_bytes: Option<u64>,
    /// Bytes per item that the server adds (with --item-bytes)
    #[arg(long, value_parser = parse_bytes, default_value = "60")]
    pub item_overhead: u64,
    /// Memory of a node
    #[arg(long, value_parser = parse_bytes)]
    pub node_memory: Option<u64>,
    /// Share of a node's memory that stays unused
    #[arg(long, value_parser = parse_share_below_all, default_value = "10%")]
    pub memory_headroom: f64,
    /// Connections of all clients to one node
    #[arg(long, value_parser = parse_count)]
    pub connections: Option<u64>,
    /// Memory that the server and the kernel need for one connection
    #[arg(long, value_parser = parse_bytes, default_value = "32k")]
    pub connection_bytes: u64,
    /// Bytes of a request and its reply, the larger of the two
    #[arg(long, value_parser = parse_bytes)]
    pub request_bytes: Option<u64>,
    /// Network of a node, bits per second [default: 10G if the bytes of a request are known]
    #[arg(long, value_parser = parse_positive)]
    pub node_network: Option<f64>,
    /// Write the plan as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
