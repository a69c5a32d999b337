//! Compares eviction policies; see the crate's documentation and docs/design/002-eviction.md.

use std::process::ExitCode;

use clap::Parser;
use corecached_eviction::estimate;
use corecached_eviction::run::{Options, run};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.estimate {
        true => estimate::run(&options),
        false => run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corecached-eviction: {error}");
            ExitCode::FAILURE
        }
    }
}
