//! The `loadgen` binary: parses the command line, runs the command, exits with its code.

use clap::Parser;
use loadgen::cli::Cli;
use loadgen::{command, live};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::execute(&cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            live::note(&format!("loadgen: {error}"));
            error.exit().into()
        }
    }
}
