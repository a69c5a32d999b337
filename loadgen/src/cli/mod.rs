//! The command line: what can be asked for, and its help.

pub mod commands;
pub mod options;

use clap::Parser;
use commands::Command;

const AFTER_HELP: &str = "\
Examples:
  loadgen run                                   ten seconds against 127.0.0.1:11211
  loadgen run -s 10.0.0.5 --rate 200k --preset etc --html report.html
  loadgen search --slo 'p99<500us,errors<0.01%' the highest rate that keeps the objective
  loadgen scan 10%..110% --html curve.html      the latency-throughput curve
  loadgen compare 10.0.0.5 10.0.0.6             is B faster than A, and how sure is that
  loadgen plan --peak 5M --capacity 900k        how many nodes

Exit codes: 0 measured; 1 this machine refused; 2 wrong options; 3 no server, or not this protocol;
4 connections or replies were lost; 5 values came back wrong; 6 the objective was missed; 7 most
requests were refused, or --strict and the client was the limit, the load was not sustained, or any
request failed; 8 compare: B is worse than A; 130 or 143 a signal cut the command short.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    about = "An open-loop load generator and capacity planner for memcached-compatible servers",
    long_about = "An open-loop load generator and capacity planner for memcached-compatible servers.\n\n\
        Requests are sent on a schedule that no slow reply delays, and latency counts from the time a request was\n\
        due. Each report begins with a verdict on whether the client itself was the limit.",
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}
