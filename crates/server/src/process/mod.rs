//! The process around the server: what memcached does with `-d`, `-P`, `-u`, `-r`, `-k`, `-c` and signals, in the order that
//! threads, rings and rights ask for.
//!
//! ```text
//!   prepare       limits ........ descriptors, core files
//!                 fork (-d) ..... before any thread
//!                 block signals . before any thread, so that all inherit it
//!     (the server binds its ports and starts its shards: as root, if it was started so)
//!                 each shard's thread asks for a short slice
//!   started       pid file, port file
//!                 lock memory ... once all of it is mapped
//!                 become -u ..... once the rings exist: the memlock limit is root's until then
//!                 let go of the terminal and of the waiting parent (-d)
//!   wait_for_signal ... SIGHUP: `Reloads`
//!   ended         removes the pid file (-d)
//! ```

mod daemon;
mod files;
mod limits;
mod logging;
mod reload;
mod signals;
mod slice;
mod user;

pub(crate) use limits::{Usage, reserved_descriptors, usage};
pub(crate) use logging::set_verbosity;
pub(crate) use reload::Reloads;
pub(crate) use signals::{GRACEFUL, is_to_end, raise, wait_for_signal};
pub(crate) use slice::ask_for_short_slice;
pub(crate) use user::user_to_become;

use crate::config::Config;
use crate::error::StartError;
use crate::listen::{self, Listeners};

/// What must be done while there is one thread and no socket.
///
/// With `-d` it returns in the child only. The parent waits until the child calls [`started`] and then exits with 0, or
/// with 1 if the child ends before that: who starts a daemon learns whether it runs.
///
/// # Errors
/// If a limit is too low, the user unknown, or the process cannot fork.
pub(crate) fn prepare(config: &Config) -> Result<(), StartError> {
    logging::start(config.verbosity);
    user_to_become(config)?;
    limits::raise_descriptors(config)?;
    if config.coredumps {
        limits::raise_core()?;
    }
    if config.daemonize {
        daemon::fork()?;
    }
    signals::block()
}

/// What is done once the server listens and all shards have their rings.
///
/// # Errors
/// If a file cannot be written, or the user cannot be become.
pub(crate) fn started(config: &Config, listeners: &Listeners) -> Result<(), StartError> {
    if let Some(file) = &config.port_file
        && config.unix_socket.is_none()
    {
        listen::write_port_file(file, listeners).map_err(|error| {
            StartError::Message(format!("cannot write {}: {error}", file.display()))
        })?;
    }
    if let Some(file) = &config.pidfile {
        files::write_pidfile(file)?;
    }
    if config.lock_memory
        && let Err(error) = limits::lock_memory()
    {
        // Whoever asked for locked memory hears this without -v, too.
        eprintln!("warning: -k invalid, mlockall() failed: {error}");
    }
    if let Some(user) = user_to_become(config)? {
        user::become_user(&user, config.coredumps)?;
    }
    if config.daemonize {
        daemon::let_go(config)?;
    }
    Ok(())
}

/// What is left to do at the end.
pub(crate) fn ended(config: &Config) {
    if let Some(file) = &config.pidfile
        && config.daemonize
    {
        files::remove_pidfile(file);
    }
}

#[cfg(test)]
mod tests;
