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

/// Whether a thread of this process can run on a CPU: one is pinned to it, and ends.
pub fn check_cpu(cpu: CpuId) -> Result<()> {
    let pinned = std::thread::spawn(move || pin_current_thread(cpu)).join();
    pinned.unwrap_or(Ok(()))
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

/// Time that the hypervisor has taken from these CPUs so far, or nothing where the kernel does not say.
#[must_use]
pub fn stolen_ns(cpus: &[CpuId]) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let ns_per_tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    cpus.iter()
        .map(|cpu| stolen_ticks(&text, *cpu).map(|ticks| ticks * ns_per_tick))
        .sum()
}

/// The eighth number of the CPU's line.
fn stolen_ticks(stat: &str, cpu: CpuId) -> Option<u64> {
    let name = format!("cpu{}", cpu.0);
    let mut words = stat
        .lines()
        .map(str::split_ascii_whitespace)
        .find_map(|mut words| (words.next()? == name).then_some(words))?;
    words.nth(7)?.parse().ok()
}

/// Descriptors beside the connections: standard streams, one ring per worker, output files.
const OTHER_DESCRIPTORS: u64 = 64;

/// Raises the soft limit on descriptors for `connections` sockets, or says which limit is too low.
pub fn reserve_descriptors(connections: usize) -> Result<()> {
    let needed = connections as u64 + OTHER_DESCRIPTORS;
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

/// The command line of this process, quoted so that it can be pasted into a shell.
#[must_use]
pub fn command_line() -> String {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    arguments.join(" ")
}

/// An argument as a shell reads it back: in single quotes if it has anything but letters, digits and harmless signs.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_read_by_cpu() {
        let stat =
            "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 80 9 10\ncpu10 1 2 3 4 5 6 7 90 9 10\n";
        assert_eq!(stolen_ticks(stat, CpuId(0)), Some(80));
        assert_eq!(stolen_ticks(stat, CpuId(10)), Some(90));
        assert_eq!(stolen_ticks(stat, CpuId(1)), None);
    }

    use std::process::Command;

    #[test]
    fn quoted_arguments_come_back_from_a_shell() {
        assert_eq!(quoted("--key-dist=zipf:0.99"), "--key-dist=zipf:0.99");
        for argument in [
            "p99<500us,errors<0.01%",
            "",
            "it's",
            "a b",
            "$HOME `id` \\ \"x\" !",
            "*",
            "~",
            "\n",
        ] {
            let output = Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(argument))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), argument);
        }
    }
}
