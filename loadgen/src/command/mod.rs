//! The commands: each turns its options into measurements and these into a report.

pub mod compare;
pub mod plan;
pub mod run;
pub mod scan;
pub mod search;

use crate::cli::commands::Command;
use crate::cli::options::OutputOptions;
use crate::error::{Exit, LoadError, Result};
use crate::report::model::{Body, Context, Report, SCHEMA_VERSION, Verdict, WorkloadSummary};
use std::collections::BTreeMap;
use std::path::Path;

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

/// Puts a report together.
fn report(context: Context, workload: WorkloadSummary, headline: String, body: Body) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        context,
        workload,
        headline,
        body,
    }
}

/// A report in its forms other than JSON.
struct Answer {
    text: String,
    csv: String,
    html: String,
}

/// Writes the files that the options ask for, and the text to standard output (unless JSON goes there).
fn publish(report: &Report, answer: &Answer, output: &OutputOptions) -> Result<()> {
    let json_to_stdout = output.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &output.json {
        let json = serde_json::to_string_pretty(report)
            .map_err(|error| LoadError::new(Exit::Failed, format!("writing JSON: {error}")))?;
        if json_to_stdout {
            println!("{json}");
        } else {
            write_file(path, &json)?;
        }
    }
    if let Some(path) = &output.csv {
        write_file(path, &answer.csv)?;
    }
    if let Some(path) = &output.html {
        write_file(path, &answer.html)?;
    }
    if !json_to_stdout {
        print!("{}", answer.text);
    }
    Ok(())
}

/// Writes a file that an option named.
fn write_file(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, contents)
        .map_err(|error| LoadError::failed(&format!("writing {}", path.display()), &error))
}

/// The exit code of wrong data, if there was any.
fn violations_exit(violations: &BTreeMap<String, u64>) -> Option<Exit> {
    (violations.values().sum::<u64>() > 0).then_some(Exit::Violations)
}

/// A run in which more requests than this were refused has failed, strict or not.
const MOSTLY_FAILED: f64 = 0.5;

/// The exit code that a verdict calls for.
fn exit_code(verdict: &Verdict, strict: bool) -> Exit {
    if verdict.violations_total() > 0 {
        return Exit::Violations;
    }
    if !verdict.errors.is_empty() && verdict.error_share > MOSTLY_FAILED {
        return Exit::Strict;
    }
    if strict
        && (!verdict.client_limited.is_empty()
            || verdict.overloaded.is_some()
            || verdict.error_share > 0.0)
    {
        return Exit::Strict;
    }
    if verdict.slo_missed.is_empty() {
        Exit::Ok
    } else {
        Exit::SloMissed
    }
}
