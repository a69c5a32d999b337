//! corecached: a memcached-compatible cache server, one executor per core.
//!
//! The program is [`main`], which `main.rs` calls. Apart from it, items are public only for fuzzing and for the manual.
//! `docs/architecture.md` has the map of the modules.

mod admission;
mod auth;
mod base;
mod cli;
mod conn;
mod crawler;
mod error;
#[cfg(any(test, fuzzing))]
pub mod harness;
mod ids;
mod insight;
mod latency;
mod lending;
mod listen;
mod memory;
mod memory_file;
mod metrics;
mod operation;
mod process;
mod replies;
mod route;
mod run;
mod shard;
mod shared;
#[cfg(feature = "simulate")]
pub mod simulated;
mod stats;
mod tls;
mod verbose;
mod watch;
mod wire;

use std::process::ExitCode;

/// The command line, for the manual and the completions of shells (`examples/manual.rs`).
#[doc(hidden)]
#[must_use]
pub fn command_line() -> clap::Command {
    cli::command()
}

/// The part of `-h` about `-o`, for the manual.
#[doc(hidden)]
#[must_use]
pub fn extended_options() -> &'static str {
    cli::extended_options()
}

/// Reads the command line and serves until a signal ends the process. With `top` as its first word, which is no
/// option of memcached's, it shows what servers are doing instead.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == "top") {
        return corecached_top::main(arguments);
    }
    process::end_on_panic();
    let config = match cli::parse_or_exit() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say_error(format_args!("corecached: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
