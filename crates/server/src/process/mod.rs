//! The process around the server. It does what memcached does with `-d`, `-P`, `-u`, `-r`, `-k`, `-c` and signals, in
//! the order that threads, rings and rights require.
//!
//! ```text
//!   prepare       limits ........ descriptors, core files
//!                 fork (-d) ..... before any thread
//!                 block signals . before any thread, so that all inherit it
//!     (the server binds its ports and starts its shards: as root, if it was started so)
//!                 each shard's thread asks for a short slice
//!   started       lock memory ... once all of it is mapped
//!                 become -u ..... once the rings exist: the memlock limit is root's until then
//!                 port file, pid file: as that user
//!     (the shards serve)
//!   serving       let go of the terminal and of the waiting parent (-d)
//!   wait_for_signal ... SIGHUP: `Reloads`
//!   ended         removes the pid file (-d)
//! ```

mod affinity;
mod daemon;
mod fatal;
mod files;
mod json;
mod limits;
mod logging;
mod mask;
mod reload;
mod signals;
mod slice;
mod stderr;
mod supervisor;
mod user;

pub(crate) use affinity::{Cpus, pin};
pub(crate) use fatal::{catching, end_on_panic, fail, shut_at_failure};
pub(crate) use limits::{Usage, reserved_descriptors, times_off_cpu, usage};
pub(crate) use logging::{
    SLOW_LOG, is_verbose, say, say_error, say_verbose, say_warning, set_verbosity, write_json,
};
pub(crate) use reload::Reloads;
pub(crate) use signals::{GRACEFUL, is_to_end, raise, wait_for_signal};
pub(crate) use slice::{Slice, ask_for_short_slice};
pub(crate) use supervisor::{tell_ready, tell_stopping};
pub(crate) use user::{as_root_or_user, as_user_or_root, user_to_become};

use std::ffi::OsStr;
use std::io;

use crate::base::config::Config;
use crate::error::StartError;

/// Does the work that must be done while there is one thread and no socket.
///
/// With `-d` it returns in the child only. The parent waits until the child calls [`serving`] and then exits with 0, or
/// with 1 if the child ends before that: so the caller that starts a daemon learns whether it runs.
///
/// # Errors
/// If a limit is too low, the user unknown, or the process cannot fork.
pub(crate) fn prepare(config: &mut Config) -> Result<(), StartError> {
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

/// Does the work that follows once the server listens and all shards have their rings. Files are written as the user
/// that the process becomes, to whom their directories belong. A file that cannot be written is named, and the server
/// runs, as memcached does. `write_ports` writes the port file.
///
/// # Errors
/// If the process cannot become the user.
pub(crate) fn started(
    config: &Config,
    write_ports: impl FnOnce(&OsStr) -> io::Result<()>,
) -> Result<(), StartError> {
    if config.lock_memory
        && let Err(error) = limits::lock_memory()
    {
        // An administrator who asks for locked memory is told this without `-v`, too.
        say_warning(format_args!(
            "warning: -k invalid, mlockall() failed: {error}; raise the limit on locked memory (ulimit -l, LimitMEMLOCK= of the unit)"
        ));
    }
    if let Some(user) = user_to_become(config)? {
        user::become_user(&user, config)?;
    }
    if let Some(file) = &config.port_file
        && config.unix_socket.is_none()
        && let Err(error) = write_ports(file)
    {
        say_warning(format_args!(
            "Failed to write \"{}\": {error}",
            file.display()
        ));
    }
    if let Some(file) = &config.pidfile {
        files::write_pidfile(file);
    }
    Ok(())
}

/// Lets go of the terminal and of the waiting parent (`-d`), once the server serves.
///
/// # Errors
/// If the process cannot go into the background.
pub(crate) fn serving(config: &Config) -> Result<(), StartError> {
    if config.daemonize {
        daemon::let_go(config)?;
    }
    Ok(())
}

/// Does the work at the end: removes the pid file.
pub(crate) fn ended(config: &Config) {
    if let Some(file) = &config.pidfile
        && config.daemonize
    {
        files::remove_pidfile(file);
    }
}

#[cfg(test)]
mod tests;
