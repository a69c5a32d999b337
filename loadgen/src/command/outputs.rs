//! The outputs of a command: standard output, and the files that its options name.

use crate::cli::options::OutputOptions;
use crate::error::{Exit, LoadError, Result};
use crate::live;
use crate::report::model::Report;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A report in its forms other than JSON.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) csv: String,
    pub(super) html: String,
}

/// Writes the text to standard output (unless JSON goes there), and the files that the options ask for. An output that
/// cannot be written does not keep the others from being written.
pub(super) fn publish(report: &Report, answer: &Answer, output: &OutputOptions) -> Result<()> {
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
pub(super) fn all_written(written: Vec<Result<()>>) -> Result<()> {
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
pub(super) fn write_file(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, contents).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::failed(&format!("cannot write {}", path.display()), error)
}

/// Room that a report must find on its disk before the run; most are smaller.
const TRIAL_BYTES: usize = 64 * 1024;

/// Tries whether all files that the options name can be written, before anything is measured. The contents of the files
/// stay.
pub(super) fn check_outputs(output: &OutputOptions, more: Option<&Path>) -> Result<()> {
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
