//! Signals: all threads block them, and the main thread waits for them. So no code ever runs inside a handler, except
//! the one that ends a process that cannot go on (`fatal.rs`).

use std::io;

use crate::error::StartError;

use super::Reloads;
use super::fatal::fail;
use super::mask::empty;

/// Signals that end the server.
const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1];
/// The name of the signal that saves the items of `-e`.
pub(crate) const GRACEFUL: &str = "SIGUSR1";
/// The signal that asks to read the password file and the certificates again.
const RELOADING: libc::c_int = libc::SIGHUP;

/// Blocks the signals that [`wait_for_signal`] waits for, in this thread and in all threads that it starts, and ignores
/// those of writes that have an error: SIGPIPE, and SIGXFSZ of a file at its limit (`ulimit -f`), such as standard
/// error's.
pub(super) fn block() -> Result<(), StartError> {
    let signals = awaited();
    // SAFETY: the set is initialised and lives through the call; the old mask is not asked for.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) };
    if result != 0 {
        let error = io::Error::from_raw_os_error(result);
        return Err(StartError::Message(format!(
            "cannot block signals ({error}): allow rt_sigprocmask where a seccomp filter denies it"
        )));
    }
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: SIG_IGN runs no code of ours. The writes then fail with EPIPE or EFBIG.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    Ok(())
}

/// Waits for a signal that ends the server, and returns its name. Runs `reloads` when asked to.
pub(crate) fn wait_for_signal(reloads: &Reloads) -> &'static str {
    let signals = awaited();
    loop {
        let mut signal = 0;
        // SAFETY: the set is initialised, the number is written to a variable that lives here.
        let result = unsafe { libc::sigwait(&raw const signals, &raw mut signal) };
        if result != 0 {
            // Waiting is denied: nobody could end this process in an orderly way.
            let error = io::Error::from_raw_os_error(result);
            fail(format_args!(
                "cannot wait for signals ({error}): allow rt_sigtimedwait where a seccomp filter denies it"
            ));
        }
        if signal != RELOADING {
            return name(signal);
        }
        reloads.run();
    }
}

/// Whether a signal that ends the server has come and waits for [`wait_for_signal`]. Any thread may ask.
pub(crate) fn is_to_end() -> bool {
    let mut pending = empty();
    // SAFETY: the kernel writes to a set that lives here.
    unsafe { libc::sigpending(&raw mut pending) };
    // SAFETY: the set is initialised; the signals exist.
    (ENDING.into_iter()).any(|signal| unsafe { libc::sigismember(&raw const pending, signal) } == 1)
}

/// Sends a signal to this process, as the command `shutdown` does.
pub(crate) fn raise(signal: libc::c_int) {
    // SAFETY: kill touches no memory. The signal goes to the process, not to this thread, so the main thread's sigwait
    // gets it.
    unsafe { libc::kill(libc::getpid(), signal) };
}

fn name(signal: libc::c_int) -> &'static str {
    match signal {
        libc::SIGINT => "SIGINT",
        libc::SIGTERM => "SIGTERM",
        libc::SIGUSR1 => GRACEFUL,
        _ => "signal",
    }
}

fn awaited() -> libc::sigset_t {
    let mut set = empty();
    for signal in ENDING.into_iter().chain([RELOADING]) {
        // SAFETY: the set is initialised; the signals exist.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}
