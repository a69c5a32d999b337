//! The server's process, from `/proc`: CPU time, time spent waiting for a CPU, and resident memory. CPU per request
//! holds on a noisy machine where throughput does not.
//!
//! CPU time is the sum of the scheduler's nanoseconds over all threads (`/proc/PID/task/*/schedstat`). Where the kernel
//! keeps none, or a thread ended meanwhile and took its count along, the 10 ms ticks of `/proc/PID/stat` serve; how
//! long threads waited is then unknown. Only the ticks tell user from system time: they divide what the scheduler
//! counts.

use crate::clock::parse_schedstat;
use crate::error::{LoadError, Result};
use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// The scheduler's figures of one thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ThreadTimes {
    cpu_ns: u64,
    /// Time in which the thread was ready to run, but other threads had the CPU.
    delay_ns: u64,
}

/// A reading of a process.
#[derive(Debug, Clone)]
pub struct Reading {
    at: Instant,
    user_ticks: u64,
    system_ticks: u64,
    resident_bytes: u64,
    /// By thread id; nothing on kernels without scheduler statistics.
    threads: Option<BTreeMap<u32, ThreadTimes>>,
    cpus_allowed: usize,
}

/// The resources that a server's process used during a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// CPU microseconds per request.
    pub cpu_us_per_request: f64,
    /// The user time per request, in microseconds; `None` if it was too little to tell.
    pub user_us_per_request: Option<f64>,
    /// The system time per request, in microseconds; `None` if it was too little to tell.
    pub system_us_per_request: Option<f64>,
    /// Microseconds per request that the process's threads waited for a CPU; `None` if the kernel does not say.
    pub delayed_us_per_request: Option<f64>,
    /// CPUs kept busy on average.
    pub cpus_busy: f64,
    /// CPUs that the process may run on.
    pub cpus_allowed: usize,
    /// How many of the allowed CPUs the process's working threads can use at once.
    pub cpus_usable: usize,
    /// The share of time in which the busiest thread was running or waiting to run; `None` if the kernel does not say.
    pub busiest_thread: Option<f64>,
    /// Resident memory at the end.
    pub resident_bytes: u64,
}

/// A thread or a set of CPUs that is busy for more than this share of the time has no more to give.
const BUSY_SHARE: f64 = 0.85;
/// A thread that runs for less than this share of the time is no working thread.
const WORKING_SHARE: f64 = 0.05;
/// With fewer ticks than this, their division into user and system time is chance.
const TICKS_MIN: u64 = 20;

impl ProcessUsage {
    /// User and system CPU microseconds per request.
    #[must_use]
    pub fn us_per_request(&self) -> f64 {
        self.cpu_us_per_request
    }

    /// Whether the server has no more CPU to use: one of its threads is always running or waiting to run, or all CPUs
    /// that it can use at once are busy.
    #[must_use]
    pub fn is_out_of_cpu(&self) -> bool {
        self.cpus_busy > BUSY_SHARE * self.cpus_usable.max(1) as f64
            || self.busiest_thread.is_some_and(|share| share > BUSY_SHARE)
    }
}

/// Reads the process with this id now.
pub fn read(pid: u32) -> Result<Reading> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        LoadError::usage(format!(
            "{path}: {error} (is the server on this machine, and is that its process id?)"
        ))
    })?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    parse(&text, &status, threads(pid))
        .ok_or_else(|| LoadError::usage(format!("{path} has an unknown form")))
}

fn threads(pid: u32) -> Option<BTreeMap<u32, ThreadTimes>> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut threads = BTreeMap::new();
    for task in tasks.flatten() {
        let id = task.file_name().to_str()?.parse().ok()?;
        // A thread may end between being listed and being read.
        let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        let (cpu_ns, delay_ns) = parse_schedstat(&text)?;
        threads.insert(id, ThreadTimes { cpu_ns, delay_ns });
    }
    (!threads.is_empty()).then_some(threads)
}

fn parse(stat: &str, status: &str, threads: Option<BTreeMap<u32, ThreadTimes>>) -> Option<Reading> {
    // The command may contain spaces and parentheses: count fields after the last parenthesis.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..]
        .split_ascii_whitespace()
        .collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Reading {
        at: Instant::now(),
        user_ticks: number(11)?,
        system_ticks: number(12)?,
        resident_bytes: number(21)? * rustix::param::page_size() as u64,
        threads,
        cpus_allowed: cpus_allowed(status).unwrap_or(1),
    })
}

/// The number of CPUs in `Cpus_allowed_list`, as in `0-3,8`.
fn cpus_allowed(status: &str) -> Option<usize> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            Some(last.checked_sub(first)? + 1)
        })
        .sum()
}

/// The time that each thread used between two readings. `None` if the kernel does not say, or if a thread is gone.
fn spent(before: &Reading, after: &Reading) -> Option<Vec<ThreadTimes>> {
    let (before, after) = (before.threads.as_ref()?, after.threads.as_ref()?);
    if before.keys().any(|id| !after.contains_key(id)) {
        return None;
    }
    let since = |(id, now): (&u32, &ThreadTimes)| {
        let then = before.get(id).copied().unwrap_or_default();
        ThreadTimes {
            cpu_ns: now.cpu_ns.saturating_sub(then.cpu_ns),
            delay_ns: now.delay_ns.saturating_sub(then.delay_ns),
        }
    };
    Some(after.iter().map(since).collect())
}

/// The resources used between two readings, divided by `requests`.
#[must_use]
pub fn usage(before: &Reading, after: &Reading, requests: u64) -> ProcessUsage {
    let seconds = (after.at - before.at).as_secs_f64().max(1e-9);
    let per_request = |seconds: f64| seconds * 1e6 / requests.max(1) as f64;
    let user_ticks = after.user_ticks.saturating_sub(before.user_ticks);
    let ticks = user_ticks + after.system_ticks.saturating_sub(before.system_ticks);
    let threads = spent(before, after);
    let sum_s = |of: fn(&ThreadTimes) -> u64| {
        let sum = threads.as_ref()?.iter().map(of).sum::<u64>();
        Some(sum as f64 / 1e9)
    };
    let cpu_s = sum_s(|thread| thread.cpu_ns)
        .unwrap_or_else(|| ticks as f64 / clock_ticks_per_second() as f64);
    let shares: Option<Vec<f64>> = threads.as_ref().map(|threads| {
        let share = |thread: &ThreadTimes| (thread.cpu_ns + thread.delay_ns) as f64 / 1e9 / seconds;
        threads.iter().map(share).collect()
    });
    let working = shares.as_ref().map_or(usize::MAX, |shares| {
        let works = |share: &&f64| **share > WORKING_SHARE;
        shares.iter().filter(works).count().max(1)
    });
    let user_share = (ticks >= TICKS_MIN).then(|| user_ticks as f64 / ticks as f64);
    ProcessUsage {
        cpu_us_per_request: per_request(cpu_s),
        user_us_per_request: user_share.map(|share| per_request(cpu_s * share)),
        system_us_per_request: user_share.map(|share| per_request(cpu_s * (1.0 - share))),
        delayed_us_per_request: sum_s(|thread| thread.delay_ns).map(per_request),
        cpus_busy: cpu_s / seconds,
        cpus_allowed: after.cpus_allowed,
        cpus_usable: after.cpus_allowed.min(working),
        busiest_thread: shares.and_then(|shares| shares.into_iter().reduce(f64::max)),
        resident_bytes: after.resident_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const STAT: &str = "1 (a b) c)) S 1 2 3 4 5 6 7 8 9 10 200 100 0 0 0 0 1 0 5 6 7 8";

    fn reading(threads: &[(u32, u64, u64)]) -> Reading {
        let times =
            |&(id, cpu_ns, delay_ns): &(u32, u64, u64)| (id, ThreadTimes { cpu_ns, delay_ns });
        let threads = (!threads.is_empty()).then(|| threads.iter().map(times).collect());
        parse(STAT, "Cpus_allowed_list:\t0-2,7\n", threads).unwrap()
    }

    /// Usage over a second in which each thread used so many milliseconds of CPU and waited for as many as given.
    fn usage_of(threads: &[(u64, u64)]) -> ProcessUsage {
        let ids = |scale: u64| -> Vec<(u32, u64, u64)> {
            let times = |(id, (cpu, delay)): (usize, &(u64, u64))| {
                (
                    id as u32,
                    scale * cpu * 1_000_000,
                    scale * delay * 1_000_000,
                )
            };
            threads.iter().enumerate().map(times).collect()
        };
        let before = reading(&ids(1));
        let mut after = reading(&ids(2));
        after.at = before.at + Duration::from_secs(1);
        usage(&before, &after, 1_000)
    }

    #[test]
    fn this_process_can_be_read() {
        let reading = read(std::process::id()).unwrap();
        assert!(reading.resident_bytes > 100_000);
        assert!(reading.cpus_allowed >= 1);
        assert!(read(u32::MAX).is_err());
    }

    #[test]
    fn commands_with_parentheses_do_not_confuse() {
        let reading = reading(&[]);
        assert_eq!((reading.user_ticks, reading.system_ticks), (200, 100));
        assert_eq!(reading.cpus_allowed, 4);
    }

    #[test]
    fn threads_are_added_up_finer_than_ticks() {
        let usage = usage_of(&[(3, 1), (4, 2)]);
        assert!((usage.cpu_us_per_request - 7.0).abs() < 1e-9);
        assert_eq!(usage.delayed_us_per_request, Some(3.0));
        assert_eq!(
            usage.user_us_per_request, None,
            "seven milliseconds are no ticks"
        );
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let before = reading(&[(1, 5, 5), (2, 5, 5)]);
        let mut after = reading(&[(1, 9, 9)]);
        after.user_ticks += 50;
        after.at = before.at + Duration::from_secs(1);
        let usage = usage(&before, &after, 1_000);
        assert_eq!(usage.delayed_us_per_request, None, "a thread is gone");
        let ticks_s = 50.0 / clock_ticks_per_second() as f64;
        assert!((usage.cpu_us_per_request - ticks_s * 1e3).abs() < 1e-6);
    }

    #[test]
    fn three_and_a_half_of_four_cpus_are_busy() {
        assert!(usage_of(&[(875, 0); 4]).is_out_of_cpu());
        assert!(usage_of(&[(500, 0), (300, 0), (990, 0)]).is_out_of_cpu());
        assert!(
            usage_of(&[(500, 450)]).is_out_of_cpu(),
            "it waits for a CPU"
        );
        assert!(usage_of(&[(1000, 0)]).is_out_of_cpu());
        for idle in [vec![(500, 0); 4], vec![(600, 0)], vec![(10, 0)]] {
            assert!(!usage_of(&idle).is_out_of_cpu(), "{idle:?}");
        }
    }
}
