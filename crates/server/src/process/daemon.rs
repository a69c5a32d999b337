//! `-d`: the server goes on in a child, and the parent ends when it knows whether the child serves.
//!
//! memcached's parent ends at once, so a server that cannot bind its port fails unseen. Here the two share a pipe. The
//! child writes a byte when it serves. If the child dies before that, the pipe closes without a byte, and the parent
//! exits with the child's exit code. Until then the child keeps the terminal, so that its messages are seen.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Mutex;

use crate::base::config::Config;
use crate::error::StartError;

/// The child's end of the pipe.
static PARENT: Mutex<Option<io::PipeWriter>> = Mutex::new(None);

/// Forks. Returns in the child; the parent exits.
pub(super) fn fork() -> Result<(), StartError> {
    let (mut reader, writer) = io::pipe().map_err(|error| failed("pipe", &error))?;
    // SAFETY: the caller forks before it starts any thread, so the child has everything that the parent had: no lock is
    // held by a thread that does not exist in it.
    match unsafe { libc::fork() } {
        -1 => Err(failed("fork", &io::Error::last_os_error())),
        0 => {
            drop(reader);
            *PARENT
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(writer);
            // SAFETY: setsid touches no memory. It fails only for a group leader, which a new child is not.
            unsafe { libc::setsid() };
            Ok(())
        }
        child => {
            drop(writer);
            let mut byte = [0];
            let code = match reader.read(&mut byte) {
                Ok(1) => libc::EXIT_SUCCESS,
                _ => exit_code_of(child),
            };
            // SAFETY: _exit ends the process without running anything: buffers and files are the child's now.
            unsafe { libc::_exit(code) }
        }
    }
}

/// The exit code of the child.
fn exit_code_of(child: libc::pid_t) -> libc::c_int {
    let mut status = 0;
    // SAFETY: the status is written to a variable that lives here; the child is this process's own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    match waited == child && libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status),
        false => libc::EXIT_FAILURE,
    }
}

/// Leaves the directory (not with `-r`, since cores go there) and the terminal (not with `-v`), and releases the
/// parent.
pub(super) fn let_go(config: &Config) -> Result<(), StartError> {
    if !config.coredumps {
        std::env::set_current_dir("/").map_err(|error| failed("chdir", &error))?;
    }
    if config.verbosity == 0 {
        redirect()?;
    }
    let parent = PARENT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .take();
    if let Some(mut parent) = parent {
        // If the parent is gone, it needs no answer.
        let _ = parent.write_all(&[1]);
    }
    Ok(())
}

/// Points the standard streams at /dev/null. Without /dev/null they stay, as in memcached.
fn redirect() -> Result<(), StartError> {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else {
        return Ok(());
    };
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both are open descriptors; nothing here owns the standard streams' numbers exclusively.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(failed("dup2", &io::Error::last_os_error()));
        }
    }
    Ok(())
}

fn failed(what: &str, error: &io::Error) -> StartError {
    StartError::System(format!(
        "failed to daemon() in order to daemonize: {what}: {error}"
    ))
}
