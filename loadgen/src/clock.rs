//! The two clocks of a worker: monotonic time, and the CPU time of its own thread.
//!
//! All instants in this crate are nanoseconds of `CLOCK_MONOTONIC` in a `u64` named `*_ns`.

use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

const NS_PER_S: u64 = 1_000_000_000;

fn read_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * NS_PER_S + now.tv_nsec as u64
}

/// Now, on the monotonic clock.
#[inline]
#[must_use]
pub fn now_ns() -> u64 {
    read_ns(ClockId::Monotonic)
}

/// CPU time, user and system, that the calling thread has used.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    read_ns(ClockId::ThreadCPUTime)
}

/// How long the calling thread has waited for its CPU while other threads had it, from the kernel's scheduler
/// statistics.
#[derive(Debug)]
pub struct RunDelay {
    file: Option<File>,
}

impl RunDelay {
    /// For the calling thread.
    #[must_use]
    pub fn of_this_thread() -> Self {
        Self {
            file: File::open("/proc/thread-self/schedstat").ok(),
        }
    }

    /// The delay so far, or nothing on kernels without scheduler statistics; allocates nothing.
    #[must_use]
    pub fn total_ns(&self) -> Option<u64> {
        let mut text = [0u8; 64];
        let read = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
        let (_, delay_ns) = parse_schedstat(std::str::from_utf8(&text[..read]).ok()?)?;
        Some(delay_ns)
    }
}

/// A thread's `schedstat`: nanoseconds on a CPU and nanoseconds waiting for one. The third number is a count.
#[must_use]
pub fn parse_schedstat(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The difference between nanoseconds since 1970 and a monotonic instant. It makes versions of values comparable
/// between runs.
#[must_use]
pub fn realtime_offset_ns() -> u64 {
    let realtime = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    realtime.saturating_sub(now_ns())
}
