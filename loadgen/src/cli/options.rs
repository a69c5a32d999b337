//! Options shared by the commands, in groups: where, what, how fast, and what to write.

use crate::error::LoadError;
use crate::units::{parse_interval, parse_length, parse_load_rate, parse_pause};
use crate::wire::protocol::Protocol;
use crate::worker::arrivals::ArrivalKind;
use crate::worker::phase::WaitPolicy;
use crate::workload::keys::{KeyDistribution, parse_key_count};
use crate::workload::mix::Mix;
use crate::workload::preset::Preset;
use crate::workload::sizes::SizeDistribution;
use crate::workload::ttl::TtlDistribution;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Where the load goes, and from where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetOptions {
    /// Server: HOST, HOST:PORT, unix:PATH or, with TLS, tls://HOST:PORT; several, separated by commas, are hashed over
    /// with ketama
    #[arg(short, long, value_delimiter = ',', default_value = "127.0.0.1:11211")]
    pub server: Vec<String>,
    /// The client.
    #[command(flatten)]
    pub client: ClientOptions,
}

/// The client's side, the same for all servers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub struct ClientOptions {
    /// Protocol of all connections
    #[arg(short, long, value_enum, default_value_t = Protocol::Text)]
    pub protocol: Protocol,
    /// Connections in all (rounded up so that workers and servers have equally many)
    #[arg(short, long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub connections: u32,
    /// CPUs for the workers, one each: 1 or 2,3 or 4-7 (the last CPU this process may use)
    #[arg(long)]
    pub cpus: Option<String>,
    /// Send each key on a connection to the shard that owns it (servers with `stats shards`)
    #[arg(long)]
    pub shard_aware: bool,
    /// How workers wait for the next due request
    #[arg(long, value_enum, default_value_t = WaitPolicy::Hybrid)]
    pub wait: WaitPolicy,
    /// Process id of the server, if it is on this machine: adds its CPU per request and memory
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsOptions,
}

/// How TLS is spoken, where it is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TlsOptions {
    /// Speak TLS (1.2 or 1.3) to all servers, as tls:// before an address does to one
    #[arg(long)]
    pub tls: bool,
    /// Trust servers with a certificate of an authority in this PEM file [default: the system's authorities]
    #[arg(long, value_name = "FILE", conflicts_with = "tls_insecure")]
    pub tls_ca: Option<PathBuf>,
    /// Trust any server: its certificate is not verified
    #[arg(long)]
    pub tls_insecure: bool,
    /// Client certificate (PEM), for servers that want one
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM) [default: in the file of the certificate]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The name in the server's certificate [default: the host of the address]
    #[arg(long, value_name = "NAME")]
    pub tls_name: Option<String>,
}

impl TlsOptions {
    /// An error if an option says how to speak TLS and none of `servers` is spoken to by TLS: what was meant to be
    /// encrypted would not be.
    pub fn check(&self, servers: &[String]) -> Result<(), LoadError> {
        let named = [
            (self.tls_ca.is_some(), "--tls-ca"),
            (self.tls_insecure, "--tls-insecure"),
            (self.tls_cert.is_some(), "--tls-cert"),
            (self.tls_name.is_some(), "--tls-name"),
        ];
        let speaks_tls = self.tls || servers.iter().any(|text| text.starts_with("tls://"));
        match named.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) if !speaks_tls => Err(LoadError::usage(format!(
                "{option} is given, and no server is spoken to by TLS: write tls://HOST:PORT, or give --tls"
            ))),
            _ => Ok(()),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadOptions {
    /// A named workload; the options below override its parts
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// Operations by weight: get, multiget:N, set, add, replace, append, prepend, cas, incr, decr, delete, touch, gat,
    /// mg, ms, md, ma [default: get=90,set=10]
    #[arg(long)]
    pub mix: Option<Mix>,
    /// Number of keys [default: 100k]
    #[arg(long, value_parser = parse_key_count)]
    pub keys: Option<u64>,
    /// uniform, zipf:EXPONENT, sequential, or hotspot:KEYS:REQUESTS (hotspot:1%:50%) [default: zipf:0.99]
    #[arg(long)]
    pub key_dist: Option<KeyDistribution>,
    /// Length of keys [default: 24]
    #[arg(long)]
    pub key_bytes: Option<usize>,
    /// What keys begin with [default: lg:]
    #[arg(long)]
    pub key_prefix: Option<String>,
    /// 100, 10-1000, lognormal:MEDIAN:SIGMA:MAX, pareto:MIN:SHAPE:MAX, or 100=70,1k=30 [default: 100]
    #[arg(long)]
    pub value_size: Option<SizeDistribution>,
    /// Lifetime of items: 60s, 30s-5m, or a weighted list; 0 is forever [default: 0]
    #[arg(long)]
    pub ttl: Option<TtlDistribution>,
    /// A get that misses is followed by a set
    #[arg(long)]
    pub look_aside: bool,
    /// Do not set every key before the run
    #[arg(long)]
    pub no_preload: bool,
    /// Do not check values
    #[arg(long)]
    pub no_verify: bool,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Timing shared by all measuring commands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub struct PaceOptions {
    /// Gaps between requests
    #[arg(long, value_enum, default_value_t = ArrivalKind::Poisson)]
    pub arrivals: ArrivalKind,
    /// Requests outstanding per connection at most [default: 64; closed loop: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub depth: Option<u32>,
    /// Requests outstanding in all at most, those that wait for their connection included; beyond it requests stay due
    /// and the run says OVERLOADED
    #[arg(long, default_value_t = 10_000, value_parser = parse_in_flight)]
    pub max_in_flight: usize,
    /// Load before measuring begins
    #[arg(long, value_parser = parse_pause, default_value = "1s")]
    pub warmup: Duration,
    /// Length of a time-series window [default: 500ms; longer if there would be more than 10,000 of them]
    #[arg(long, value_parser = parse_interval)]
    pub interval: Option<Duration>,
}

/// The rate of a single measurement.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub struct RateOptions {
    /// Requests per second (open loop)
    #[arg(short, long, value_parser = parse_load_rate, default_value = "10k", conflicts_with = "closed")]
    pub rate: f64,
    /// Closed loop: as fast as replies come; for peak throughput, its latencies hide queueing
    #[arg(long)]
    pub closed: bool,
    /// Time measured
    #[arg(short, long, value_parser = parse_length, default_value = "8s")]
    pub duration: Duration,
}

/// What is written besides the summary.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Write the report as JSON (docs/json.md describes it); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write one self-contained page with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the time series, or the steps of a search or scan, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// No status line and no progress messages
    #[arg(short, long)]
    pub quiet: bool,
    /// Fail (exit code 7) if the client was the limit, the load was not sustained, or requests failed
    #[arg(long)]
    pub strict: bool,
}

/// What fails a command besides wrong replies, losses and missed objectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Most requests have failed.
    Lenient,
    /// `--strict`: also a client that was the limit, a load that was not sustained, or a request that failed.
    Strict,
}

impl OutputOptions {
    /// What `--strict`, or its absence, asks for.
    #[must_use]
    pub fn strictness(&self) -> Strictness {
        match self.strict {
            true => Strictness::Strict,
            false => Strictness::Lenient,
        }
    }
}

/// `--max-in-flight`: at least one request.
fn parse_in_flight(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(requests) => Ok(requests),
        Err(_) => Err("a whole number of requests is wanted, at least 1".to_owned()),
    }
}
