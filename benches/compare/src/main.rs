//! Closed-loop client for comparing memcached-compatible servers.
//!
//! One thread, one epoll: each connection sends a batch of `--depth` requests, waits for all of
//! its replies and sends the next batch. The figure it is made for is the server's CPU time per
//! request (the kernel's nanosecond account of every thread of the server, divided by requests):
//! it holds still on a noisy machine where throughput does not.
//!
//! Every reply is checked (kind, key, length, first and last bytes of the value), so a server
//! cannot look cheap by answering wrongly. A closed loop hides queueing: latency under a given
//! load is the business of `loadgen`, the latencies here are those of this loop only.
//!
//! ```text
//! args -> preload (one connection, noreply sets) -> idle | closed loop -> one line of results
//! ```
#![forbid(unsafe_code)]

mod args;
mod choice;
mod cpu;
mod driver;
mod keyspace;
mod preload;
mod replies;
mod report;
mod requests;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    match run(&args) {
        Ok(report) => {
            println!("{report}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corecached-compare: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(args: &args::Args) -> std::io::Result<report::Report> {
    if let Some(cpu) = args.cpu {
        cpu::pin_this_thread(cpu)?;
    }
    if args.preload {
        preload::run(args)?;
    }
    match args.mode {
        args::Mode::Preload => Ok(report::Report::default()),
        args::Mode::Idle => driver::idle(args),
        args::Mode::Load => driver::closed_loop(args),
    }
}
