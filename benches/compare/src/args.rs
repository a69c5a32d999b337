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
    /// One key in a share `--hot-share` of all gets; in all other gets and in sets every key equally often.
    Hot,
}

/// Commands of which protocol are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// `get` and `set`.
    Text,
    /// `mg` and `ms`.
    Meta,
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
    /// Keys in one get; more than one is for the text protocol only.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) multiget: u32,
    /// Commands of which protocol are sent.
    #[arg(long, value_enum, default_value_t = Protocol::Text)]
    pub(crate) protocol: Protocol,
    /// Share of requests that are gets; the rest are sets.
    #[arg(long, default_value_t = 0.95, value_parser = share)]
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
    /// Share of gets that ask for the one key of `--distribution hot`.
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub(crate) hot_share: f64,
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

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err("a share lies between 0 and 1".to_owned())
}
