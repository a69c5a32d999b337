//! The commands: each turns its options into measurements and these into a report.

pub mod compare;
pub mod plan;
pub mod run;
pub mod scan;
pub mod search;

use crate::cli::commands::Command;
use crate::cli::options::{OutputOptions, Strictness};
use crate::error::{Exit, LoadError, Result};
use crate::live;
use crate::report::model::{
    Body, Context, Preload, Report, SCHEMA_VERSION, Step, Verdict, WorkloadSummary,
};
use crate::units::format_count;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

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

/// Notes on the measurements that follow from a preload.
fn preload_notes(preload: Option<&Preload>) -> Vec<String> {
    preload
        .filter(|preload| preload.evictions > 0)
        .map(|preload| {
            format!(
                "the server evicted {} items while {} keys were set: not all of them fit in its memory, and gets of the others miss",
                format_count(preload.evictions as f64),
                format_count(preload.keys as f64)
            )
        })
        .into_iter()
        .collect()
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

/// Writes the text to standard output (unless JSON goes there), and the files that the options ask for. An output that
/// cannot be written does not keep the others from being written.
fn publish(report: &Report, answer: &Answer, output: &OutputOptions) -> Result<()> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| LoadError::new(Exit::Failed, format!("writing JSON: {error}")));
    let json_to_stdout = output.json.as_deref() == Some(Path::new("-"));
    let mut written = Vec::new();
    if json_to_stdout {
        written.push(json.and_then(|json| print(&format!("{json}\n"))));
    } else {
        written.push(print(&answer.text));
        if let Some(path) = &output.json {
            written.push(json.and_then(|json| write_file(path, json)));
        }
    }
    if let Some(path) = &output.csv {
        written.push(write_file(path, &answer.csv));
    }
    if let Some(path) = &output.html {
        written.push(write_file(path, &answer.html));
    }
    all_written(written)
}

/// The first failure, after all have been named.
fn all_written(written: Vec<Result<()>>) -> Result<()> {
    let mut failures = written.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else {
        return Ok(());
    };
    failures.for_each(|error| live::note(&format!("loadgen: {error}")));
    Err(first)
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| LoadError::failed("writing to standard output", &error))
}

/// Writes a file that an option named.
fn write_file(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, contents).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::failed(&format!("cannot write {}", path.display()), error)
}

/// Room that a report must find on its disk before the run; most are smaller.
const TRIAL_BYTES: usize = 64 * 1024;

/// Tries whether all files that the options name can be written, before anything is measured. The contents of the files
/// stay.
fn check_outputs(output: &OutputOptions, more: Option<&Path>) -> Result<()> {
    let named = [&output.json, &output.csv, &output.html];
    let paths = named.into_iter().flatten().map(PathBuf::as_path);
    for path in paths.chain(more) {
        if path != Path::new("-") {
            try_writing(path).map_err(|error| cannot_write(path, &error))?;
        }
    }
    Ok(())
}

fn try_writing(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        // A device or pipe would keep the trial bytes; one that is always full refuses even a write of no bytes.
        return file.write(&[]).map(drop);
    }
    let tried = file.write_all(&[b' '; TRIAL_BYTES]);
    file.set_len(metadata.len())?;
    tried
}

/// The exit code that several measurements call for, if they call for one.
fn steps_exit(violations: &BTreeMap<String, u64>, steps: &[Step]) -> Option<Exit> {
    let is_lossy = |step: &Step| step.lost > 0 || !step.incidents.is_empty();
    violations_exit(violations).or_else(|| steps.iter().any(is_lossy).then_some(Exit::ServerLost))
}

/// Measurements without a single reply in a row after which a command does not go on.
const SILENT_MAX: usize = 2;

/// An error if the servers do not answer any more.
fn check_answered(steps: &[Step]) -> Result<()> {
    let silent = steps.iter().rev().take_while(|step| step.achieved == 0.0);
    if silent.count() >= SILENT_MAX {
        return Err(LoadError::new(
            Exit::ServerLost,
            format!("{SILENT_MAX} measurements in a row had no reply"),
        ));
    }
    Ok(())
}

/// Lets a command of several measurements that ended early report the measurements it has, say that it ended early, and
/// fail.
fn cut_short(error: &LoadError, headline: &mut String, exit: &mut Exit) {
    *headline = format!("CUT SHORT ({error}): {headline}");
    if *exit == Exit::Ok {
        *exit = error.exit();
    }
}

/// The exit code of wrong data, if there was any.
fn violations_exit(violations: &BTreeMap<String, u64>) -> Option<Exit> {
    (violations.values().sum::<u64>() > 0).then_some(Exit::Violations)
}

/// A run in which more requests than this were refused has failed, strict or not.
const MOSTLY_FAILED: f64 = 0.5;

/// The exit code that a verdict calls for.
fn exit_code(verdict: &Verdict, strictness: Strictness) -> Exit {
    if verdict.violations_total() > 0 {
        return Exit::Violations;
    }
    if !verdict.errors.is_empty() && verdict.error_share > MOSTLY_FAILED {
        return Exit::Strict;
    }
    if strictness == Strictness::Strict
        && (!verdict.client_limited.is_empty()
            || verdict.overloaded.is_some()
            || verdict.error_share > 0.0)
    {
        return Exit::Strict;
    }
    match (verdict.slo_missed.is_empty(), verdict.has_losses()) {
        (false, _) => Exit::SloMissed,
        (true, true) => Exit::ServerLost,
        (true, false) => Exit::Ok,
    }
}
