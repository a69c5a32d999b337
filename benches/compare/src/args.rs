//! The command line.

use clap::{Parser, ValueEnum};

/// What to do after the optional preload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Requests in a closed loop.
    Load,
    /// Open the connections, send nothing, account the server's CPU time.
    Idle,
    /// Nothing: fill the server and stop.
    Preload,
}

/// How keys are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// Every key equally often.
    Uniform,
    /// Zipf, exponent `--zipf-exponent`; ranks are scattered over the key space.
    Zipf,
}

/// Closed-loop memcached client that measures the server's CPU time per request.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Server address.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Server port.
    #[arg(long, default_value_t = 11211)]
    pub(crate) port: u16,
    /// Process id of the server, whose CPU time is read from /proc.
    #[arg(long)]
    pub(crate) server_pid: u32,
    /// What to do.
    #[arg(long, value_enum, default_value_t = Mode::Load)]
    pub(crate) mode: Mode,
    /// Write all keys first.
    #[arg(long)]
    pub(crate) preload: bool,
    /// Connections.
    #[arg(long, default_value_t = 50)]
    pub(crate) connections: usize,
    /// Requests in one batch: in flight on each connection.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) depth: u32,
    /// Keys in one get.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) multiget: u32,
    /// Share of requests that are gets; the rest are sets.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) get_ratio: f64,
    /// Number of keys.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keys: u32,
    /// Bytes in a key.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(14..=250))]
    pub(crate) key_bytes: u16,
    /// Bytes in a value.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..))]
    pub(crate) value_bytes: u32,
    /// How keys are drawn.
    #[arg(long, value_enum, default_value_t = Distribution::Uniform)]
    pub(crate) distribution: Distribution,
    /// Exponent of the Zipf distribution.
    #[arg(long, default_value_t = 0.99)]
    pub(crate) zipf_exponent: f64,
    /// Measured seconds.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Seconds before measuring begins.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) warmup_seconds: f64,
    /// Run this client on one CPU only.
    #[arg(long)]
    pub(crate) cpu: Option<usize>,
    /// Seed of the key choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
