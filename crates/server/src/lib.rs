//! corecached: a memcached-compatible cache server, one glommio executor per core.
//!
//! The program is [`main`], and nothing else is public but for fuzzing: `main.rs` only calls it. `docs/architecture.md` has the map of the
//! modules.

mod auth;
mod batch;
mod cell;
mod cli;
mod clock;
mod config;
mod conn;
mod control;
mod crawler;
mod dialogue;
mod engines;
mod error;
mod execute;
mod listen;
mod memory_file;
mod op;
mod prefault;
mod process;
mod replies;
mod run;
mod shard;
mod shared;
mod stats;
mod threads;
mod tls;
mod tuning;
#[cfg(any(test, fuzzing))]
pub mod unplugged;
mod uploads;
mod watch;

use std::process::ExitCode;

/// Reads the command line and serves until a signal ends the process.
#[must_use]
pub fn main() -> ExitCode {
    process::end_on_panic();
    let config = match cli::parse_or_exit() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(format_args!("corecached: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
