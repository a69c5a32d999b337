//! A self-checking random load: it says whether a server ever gave back something else than it was told to keep.
//!
//! Rounds follow each other until the time is up. Each starts a server with other options, lets clients of all three
//! protocols change and read keys while others read slowly, break off in the middle of a value, flush, change the
//! memory limit, stop and continue the process, and checks every reply to the byte.
//!
//! ```text
//!   seed -> Setup -> server -+-> owner threads      every verb on keys of their own, checked against a model
//!                            +-> slow readers       multi-gets of values that say themselves what they must be
//!                            +-> broken uploads     half of a value, then a reset or the rest
//!                            +-> operator           flush_all, cache_memlimit, stats reset, dumps, SIGSTOP and SIGCONT
//!   at the end: what vanished was evicted, the memory is bounded, the server ends with status 0
//! ```
//!
//! The first wrong reply ends the run with the seed, the round's setup, the request and both values.
#![forbid(unsafe_code)]

mod answer;
mod client;
mod disturb;
mod operator;
mod owner;
mod round;
mod server;
mod setup;
mod state;
mod tally;
mod value;
mod verb;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

/// A self-checking random load against a memcached-compatible server, which it starts by itself.
#[derive(Debug, Parser)]
struct Args {
    /// The server's binary.
    #[arg(long, default_value = "target/release/corecached")]
    binary: PathBuf,
    /// How long to go on, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long a round lasts, in seconds.
    #[arg(long, default_value_t = 15)]
    round_seconds: u64,
    /// Seed of the first round; the one after it has the next number.
    #[arg(long)]
    seed: Option<u64>,
    /// Memory that the server may take beside -m and its shards, in MiB. Sanitizers need more.
    #[arg(long, default_value_t = 300)]
    beside_mb: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut seed = args.seed.unwrap_or_else(rand::random);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut total = tally::Totals::default();
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let length = left.min(Duration::from_secs(args.round_seconds.max(1)));
        match round::run(&args.binary, seed, length, args.beside_mb) {
            Ok(totals) => total.add(&totals),
            Err(fault) => {
                eprintln!("WRONG: {fault}");
                eprintln!("again with: --seed {seed} --seconds {}", args.round_seconds);
                return ExitCode::FAILURE;
            }
        }
        seed = seed.wrapping_add(1);
    }
    println!("all right: {total}");
    ExitCode::SUCCESS
}
