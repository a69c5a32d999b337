//! This machine: what reports say about it, and the settings a worker thread asks of it.

use crate::error::{Exit, LoadError, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};
use std::num::NonZeroU64;

/// A CPU number as the kernel counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CpuId(pub usize);

/// `Linux 6.18.0 x86_64`.
#[must_use]
pub fn kernel() -> String {
    let name = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    format!(
        "{} {} {}",
        part(name.sysname()),
        part(name.release()),
        part(name.machine())
    )
}

/// The CPU's model name and the number of CPUs of this machine.
#[must_use]
pub fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown CPU", |(_, model)| model.trim());
    let count = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!("{model} ({count} CPUs)")
}

/// The CPUs this process may run on, in order.
pub fn allowed_cpus() -> Result<Vec<CpuId>> {
    let set = sched_getaffinity(None)
        .map_err(|error| LoadError::failed("reading the CPU affinity", &error.into()))?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .map(CpuId)
        .collect())
}

/// Pins the calling thread to one CPU and makes its timers exact (the default slack is 50 us).
pub fn pin_current_thread(cpu: CpuId) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu.0);
    sched_setaffinity(None, &set).map_err(|error| {
        LoadError::new(
            Exit::Failed,
            format!(
                "cannot run on CPU {}: {error}; give CPUs of this machine with --cpus",
                cpu.0
            ),
        )
    })?;
    set_current_timer_slack(NonZeroU64::new(1))
        .map_err(|error| LoadError::failed("setting the timer slack", &error.into()))
}

/// Descriptors beside the connections: standard streams, one ring per worker, output files.
const SPARE_DESCRIPTORS: u64 = 64;

/// Raises the soft limit on descriptors for `connections` sockets, or says which limit is too low.
pub fn reserve_descriptors(connections: usize) -> Result<()> {
    let needed = connections as u64 + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    if limit.maximum.is_none_or(|maximum| maximum >= needed)
        && setrlimit(Resource::Nofile, raised).is_ok()
    {
        return Ok(());
    }
    Err(LoadError::new(
        Exit::Failed,
        format!(
            "{connections} connections need {needed} file descriptors and the hard limit is {}: \
             raise it (ulimit -Hn {needed}) or use fewer --connections",
            limit.maximum.unwrap_or(needed)
        ),
    ))
}

/// The command line of this process, as typed.
#[must_use]
pub fn command_line() -> String {
    std::env::args().collect::<Vec<_>>().join(" ")
}
