//! The commands and the options only they have.

use super::options::{
    ClientOptions, OutputOptions, PaceOptions, RateOptions, TargetOptions, WorkloadOptions,
};
use crate::slo::Slo;
use crate::units::{parse_bytes, parse_count, parse_duration, parse_rate, parse_share};
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
    #[arg(long, value_parser = parse_rate, default_value = "10k", help_heading = "Load")]
    pub start: f64,
    /// Highest rate to try
    #[arg(long, value_parser = parse_rate, default_value = "20M", help_heading = "Load")]
    pub rate_max: f64,
    /// Time of each probe
    #[arg(long, value_parser = parse_duration, default_value = "3s", help_heading = "Load")]
    pub probe: Duration,
    /// Stop when the answer is known to this share
    #[arg(long, value_parser = parse_share, default_value = "2%", help_heading = "Load")]
    pub precision: f64,
    /// Near the edge, a rate passes if this many ...
    #[arg(long, default_value_t = 2, help_heading = "Load")]
    pub pass: usize,
    /// ... of this many repeats keep the objective
    #[arg(long, default_value_t = 3, help_heading = "Load")]
    pub repeats: usize,
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
    #[arg(long, value_parser = parse_duration, default_value = "3s", help_heading = "Load")]
    pub step: Duration,
}

/// `loadgen compare`.
#[derive(Debug, Args)]
pub struct CompareCommand {
    /// The first server: HOST, HOST:PORT or unix:PATH
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
    /// Process id of server B (--server-pid is A's)
    #[arg(long, value_name = "PID", help_heading = "Target")]
    pub server_pid_b: Option<u32>,
}

/// `loadgen plan`.
#[derive(Debug, Args)]
pub struct PlanCommand {
    /// Requests per second of all users at the peak
    #[arg(long, value_parser = parse_rate)]
    pub peak: f64,
    /// Requests per second one node serves within the objective
    #[arg(long, value_parser = parse_rate, required_unless_present = "from")]
    pub capacity: Option<f64>,
    /// Take capacity, bytes per request and bytes per item from this JSON report of `search`
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Share of a node's capacity that stays unused at the peak
    #[arg(long, value_parser = parse_share, default_value = "30%")]
    pub headroom: f64,
    /// Nodes that may be lost at the peak
    #[arg(long, default_value_t = 1)]
    pub losses: u32,
    /// Growth of the peak to plan for
    #[arg(long, value_parser = parse_share, default_value = "0%")]
    pub growth: f64,
    /// Items to hold
    #[arg(long, value_parser = parse_count)]
    pub items: Option<u64>,
    /// Bytes of an item: key and value
    #[arg(long, value_parser = parse_bytes)]
    pub item_bytes: Option<u64>,
    /// Bytes per item that the server adds
    #[arg(long, value_parser = parse_bytes, default_value = "60")]
    pub item_overhead: u64,
    /// Memory of a node for items
    #[arg(long, value_parser = parse_bytes)]
    pub node_memory: Option<u64>,
    /// Network of a node, bits per second
    #[arg(long, value_parser = parse_rate, default_value = "10G")]
    pub node_network: f64,
    /// Write the plan as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
