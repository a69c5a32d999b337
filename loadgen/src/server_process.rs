//! The server's process, from `/proc`: CPU time and resident memory. CPU per request holds on a noisy machine where
//! throughput does not.

use crate::error::{LoadError, Result};
use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};

/// A reading of a process.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    user_s: f64,
    system_s: f64,
    resident_bytes: u64,
}

/// What a server's process spent during a measurement.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// User CPU microseconds per request.
    pub user_us_per_request: f64,
    /// System CPU microseconds per request.
    pub system_us_per_request: f64,
    /// CPUs kept busy on average.
    pub cpus_busy: f64,
    /// Resident memory at the end.
    pub resident_bytes: u64,
}

impl ProcessUsage {
    /// User and system CPU microseconds per request.
    #[must_use]
    pub fn us_per_request(&self) -> f64 {
        self.user_us_per_request + self.system_us_per_request
    }
}

/// Reads the process with this id now.
pub fn read(pid: u32) -> Result<Reading> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| LoadError::usage(format!("--server-pid {pid}: {error} (is the server on this machine, and is that its process id?)")))?;
    parse(&text).ok_or_else(|| LoadError::usage(format!("{path} has an unknown form")))
}

fn parse(stat: &str) -> Option<Reading> {
    // The command may contain spaces and parentheses: count fields after the last parenthesis.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..]
        .split_ascii_whitespace()
        .collect();
    let ticks = clock_ticks_per_second() as f64;
    let seconds = |index: usize| Some(fields.get(index)?.parse::<u64>().ok()? as f64 / ticks);
    Some(Reading {
        user_s: seconds(11)?,
        system_s: seconds(12)?,
        resident_bytes: fields.get(21)?.parse::<u64>().ok()? * rustix::param::page_size() as u64,
    })
}

/// What was spent between two readings that lie `seconds` apart, over `requests`.
#[must_use]
pub fn usage(before: &Reading, after: &Reading, requests: u64, seconds: f64) -> ProcessUsage {
    let per_request = |spent: f64| spent * 1e6 / requests.max(1) as f64;
    let (user_s, system_s) = (
        after.user_s - before.user_s,
        after.system_s - before.system_s,
    );
    ProcessUsage {
        user_us_per_request: per_request(user_s),
        system_us_per_request: per_request(system_s),
        cpus_busy: (user_s + system_s) / seconds.max(1e-9),
        resident_bytes: after.resident_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let reading = read(std::process::id()).unwrap();
        assert!(reading.resident_bytes > 100_000);
        assert!(read(u32::MAX).is_err());
    }

    #[test]
    fn commands_with_parentheses_do_not_confuse() {
        let reading =
            parse("1 (a b) c)) S 1 2 3 4 5 6 7 8 9 10 200 100 0 0 0 0 1 0 5 6 7 8").unwrap();
        assert!((reading.user_s - 2.0 * 100.0 / clock_ticks_per_second() as f64).abs() < 1e-9);
        assert!(reading.resident_bytes > 0);
    }
}
