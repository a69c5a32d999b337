//! corecached: a memcached-compatible cache server, one glommio executor per core.

mod batch;
mod cli;
mod clock;
mod config;
mod conn;
mod control;
mod error;
mod execute;
mod listen;
mod op;
mod process;
mod replies;
mod run;
mod shard;
mod shared;
mod stats;

use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match cli::parse_or_exit() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corecached: {error}");
            ExitCode::FAILURE
        }
    }
}
