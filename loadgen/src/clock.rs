//! The two clocks of a worker: monotonic time, and the CPU time of its own thread.
//!
//! All instants in this crate are nanoseconds of `CLOCK_MONOTONIC` in a `u64` named `*_ns`.

use rustix::time::{ClockId, clock_gettime};
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

/// What must be added to a monotonic instant to get nanoseconds since 1970: versions of values are comparable
/// between runs because of it.
#[must_use]
pub fn realtime_offset_ns() -> u64 {
    let realtime = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    realtime.saturating_sub(now_ns())
}
