//! Resource limits and use: descriptors, core files, locked memory, CPU time.

use std::io;
use std::time::Duration;

use corecached_http::CONNECTIONS_MAX;

use crate::base::config::Config;
use crate::base::listeners::Port;
use crate::error::StartError;

use super::logging::say_warning as say;

/// Descriptors of the process as a whole: a sum, with some to spare.
const PROCESS_DESCRIPTORS: u64 = 3 // standard streams
    + 2 // pid file, port file or /dev/null, while they are written
    + 2 // the pipe to a daemon's parent
    + 9; // what libraries open for a moment: /proc, /sys, /etc
/// Descriptors of each shard: a sum, with some to spare.
const SHARD_DESCRIPTORS: u64 = 1 // companion ring
    + 2 // its eventfds: waker and parking; with epoll instead of all these and glommio's: two and two timers
    + 3 // glommio's rings: main, latency, poll
    + 4 // glommio's eventfds and timers
    + 1 // its claim on a CPU
    + 2 // connections over the limit, until they are refused
    + 4; // room
/// Descriptors of `-o metrics`.
const METRICS_DESCRIPTORS: u64 = 1 // the listening socket
    + CONNECTIONS_MAX as u64
    + 1; // a connection that takes another's place

/// Number of descriptors that the server needs besides those of connections and listening sockets.
pub(crate) fn reserved_descriptors(shards: usize) -> u64 {
    PROCESS_DESCRIPTORS + SHARD_DESCRIPTORS * shards as u64
}

/// Number of descriptors for everything: connections, listening sockets (a name may stand for two addresses), and the
/// reserve.
fn descriptors_needed(config: &Config) -> u64 {
    let ports = 1 + u64::from(config.shard_port != 0) + u64::from(config.udp_port != Port::Off);
    let addresses = 2 * ports * config.listen.len() as u64;
    let metrics = config.metrics.map_or(0, |_| METRICS_DESCRIPTORS);
    u64::from(config.conn_limit)
        + metrics
        + addresses * config.threads as u64
        + reserved_descriptors(config.threads)
}

/// Raises the limit on open files to the number that `-c` needs; it is never lowered. If that many are not available,
/// `-c` becomes the number that there is room for, and a message says so.
///
/// # Errors
/// If there is no room for a single connection.
pub(super) fn raise_descriptors(config: &mut Config) -> Result<(), StartError> {
    let needed = descriptors_needed(config);
    let limit = match get(libc::RLIMIT_NOFILE) {
        Ok(limit) => raise_to(needed, limit),
        Err(error) => {
            say(format_args!(
                "warning: getrlimit failed for open files: {error}"
            ));
            return Ok(());
        }
    };
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    let missing = u32::try_from(needed - limit.rlim_cur).unwrap_or(u32::MAX);
    let wanted = config.conn_limit;
    config.conn_limit = wanted.saturating_sub(missing);
    let advice = "Raise it (ulimit -Hn, LimitNOFILE= of the unit, or start as root)";
    if config.conn_limit == 0 {
        return Err(StartError::System(format!(
            "failed to set rlimit for open files: {} descriptors are too few for a connection, -c {wanted} needs {needed}. \
             {advice} or start fewer shards with -t",
            limit.rlim_cur
        )));
    }
    say(format_args!(
        "warning: -c {wanted} becomes -c {}: it needs {needed} descriptors, the limit is {}. {advice} or request a smaller -c",
        config.conn_limit, limit.rlim_cur
    ));
    Ok(())
}

/// The limit that is in force after an attempt to have `needed` descriptors. Anybody may raise the soft limit up to the
/// hard one; root may also raise the hard limit, up to fs.nr_open.
fn raise_to(needed: u64, mut limit: libc::rlimit) -> libc::rlimit {
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    for wanted in [
        needed,
        most.unwrap_or(0).min(needed),
        limit.rlim_max.min(needed),
    ] {
        if limit.rlim_cur >= wanted {
            continue;
        }
        let raised = libc::rlimit {
            rlim_cur: wanted,
            rlim_max: limit.rlim_max.max(wanted),
        };
        if set(libc::RLIMIT_NOFILE, &raised).is_ok() {
            limit = raised;
        }
    }
    limit
}

/// `-r`: allows core files of any size, or of as much as the hard limit allows.
pub(super) fn raise_core() -> Result<(), StartError> {
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    if set(libc::RLIMIT_CORE, &unlimited).is_ok() {
        return Ok(());
    }
    let mut limit = get(libc::RLIMIT_CORE).map_err(|error| failed("getrlimit", &error))?;
    limit.rlim_cur = limit.rlim_max;
    if limit.rlim_cur == 0 || set(libc::RLIMIT_CORE, &limit).is_err() {
        return Err(StartError::System(
            "failed to ensure corefile creation: the hard limit on core files is 0; \
             raise it (ulimit -Hc, LimitCORE= of the unit) or leave -r out"
                .into(),
        ));
    }
    Ok(())
}

/// `-k`: locks all memory as it comes into use.
///
/// It is not locked before: the shards reserve far more address space than they may use, and the kernel would fill it
/// all. Memory that is mapped later is included only if there is no limit, since the mapping would fail at the limit.
pub(super) fn lock_memory() -> io::Result<()> {
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // As root this works, and the limit outlives the change of user; otherwise the limit stays as it is.
    let _ = set(libc::RLIMIT_MEMLOCK, &unlimited);
    let future = match get(libc::RLIMIT_MEMLOCK)?.rlim_cur {
        libc::RLIM_INFINITY => libc::MCL_FUTURE,
        _ => 0,
    };
    // SAFETY: mlockall changes when pages are in memory, not their content.
    match unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_ONFAULT | future) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// CPU time of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// In user mode.
    pub(crate) user: Duration,
    /// In the kernel.
    pub(crate) system: Duration,
}

/// The CPU time that the process has used so far.
pub(crate) fn usage() -> Usage {
    let usage = usage_of(libc::RUSAGE_SELF);
    Usage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
    }
}

/// How often the calling thread has left its CPU to other threads so far, because it waited or was preempted.
pub(crate) fn times_off_cpu() -> u64 {
    let usage = usage_of(libc::RUSAGE_THREAD);
    usage.ru_nvcsw.unsigned_abs() + usage.ru_nivcsw.unsigned_abs()
}

fn usage_of(whom: libc::c_int) -> libc::rusage {
    // SAFETY: rusage is made of integers, for which all zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the rusage that it is pointed to, which lives here. It cannot fail for these two.
    unsafe { libc::getrusage(whom, &raw mut usage) };
    usage
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs())
        + Duration::from_micros(time.tv_usec.unsigned_abs())
}

type Resource = libc::__rlimit_resource_t;

fn get(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes to the rlimit that it is pointed to, which lives here.
    match unsafe { libc::getrlimit(resource, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set(resource: Resource, limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: the kernel reads the rlimit that it is pointed to, which lives through the call.
    match unsafe { libc::setrlimit(resource, limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn failed(what: &str, error: &io::Error) -> StartError {
    StartError::System(format!("{what} failed: {error}"))
}
