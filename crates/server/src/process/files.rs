//! The pid file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::logging::say_warning as say;

/// Writes this process's id to `file`. It writes `file.tmp` first, so that nobody reads half of the file. It reports a
/// failure, and a file that names a process that still runs.
pub(super) fn write_pidfile(file: &Path) {
    warn_of_other(file);
    let mut draft = OsString::from(file);
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    if let Err(error) = fs::write(&draft, format!("{}\n", std::process::id())) {
        let draft = draft.display();
        return say(format_args!(
            "Could not open the pid file {draft} for writing: {error}"
        ));
    }
    if let Err(error) = fs::rename(&draft, file) {
        let (draft, file) = (draft.display(), file.display());
        say(format_args!(
            "Could not rename the pid file from {draft} to {file}: {error}"
        ));
    }
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

/// Removes the pid file. After a change of user this may not be allowed; the next start overwrites the file.
pub(super) fn remove_pidfile(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        warn!("could not remove the pid file {}: {error}", file.display());
    }
}
