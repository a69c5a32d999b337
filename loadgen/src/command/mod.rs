//! The commands: each turns its options into measurements and these into a report.

pub mod compare;
mod endings;
mod outputs;
pub mod plan;
pub mod run;
pub mod scan;
pub mod search;

use crate::cli::commands::Command;
use crate::error::{Exit, Result};

/// Runs a command and returns the process's exit code.
pub fn execute(command: &Command) -> Result<Exit> {
    match command {
        Command::Run(options) => run::execute(options),
        Command::Search(options) => search::execute(options),
        Command::Scan(options) => scan::execute(options),
        Command::Compare(options) => compare::execute(options),
        Command::Plan(options) => plan::execute(options),
    }
}
