//! The pid file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::error::StartError;

/// Writes this process's id to `file`, by way of `file.tmp`, so that nobody reads half of it. Says so if the file names a
/// process that still runs.
pub(super) fn write_pidfile(file: &Path) -> Result<(), StartError> {
    warn_of_other(file);
    let mut draft = OsString::from(file);
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    let written = fs::write(&draft, format!("{}\n", std::process::id()))
        .and_then(|()| fs::rename(&draft, file));
    written.map_err(|error| {
        StartError::Message(format!(
            "Could not open the pid file {} for writing: {error}",
            file.display()
        ))
    })
}

fn warn_of_other(file: &Path) {
    let Ok(text) = fs::read_to_string(file) else {
        return;
    };
    let Ok(other) = text.trim().parse::<libc::pid_t>() else {
        return;
    };
    // SAFETY: signal 0 sends nothing; it asks whether the process exists.
    if other > 0 && unsafe { libc::kill(other, 0) } == 0 {
        warn!(
            pid = other,
            "the pid file contained the pid of a running process"
        );
    }
}

/// Removes the pid file. After a change of user that may not be allowed; the next start overwrites it.
pub(super) fn remove_pidfile(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        warn!("could not remove the pid file {}: {error}", file.display());
    }
}
