//! The server's clock: whole seconds since a little before the start, monotonic, read once a tick.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use corecached_engine::Seconds;

/// First second of the clock, so that 0 and 1 lie in the past (an item that is dead on arrival gets the deadline 1).
const FIRST_SECOND: u32 = 2;

/// Most seconds by which `debugtime` sets the clock forward: half of the range of seconds.
const FORWARD_MAX: i64 = i32::MAX as i64;

/// Turns the kernel's clocks into the server's seconds.
#[derive(Debug)]
pub(crate) struct Clock {
    start_monotonic: i64,
    start_unix: i64,
    /// The server's time at the start: later than [`FIRST_SECOND`] if the clock goes on from an earlier process.
    first_second: u32,
    /// Seconds that `debugtime` has set the clock forward by.
    ahead: AtomicI64,
    /// The second at which `debugtime p` has stopped the clock, or [`RUNNING`].
    paused_at: AtomicI64,
}

/// A clock that `debugtime` has not stopped.
const RUNNING: i64 = -1;

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Clock {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        Clock {
            start_monotonic: monotonic(),
            start_unix: unix,
            first_second: FIRST_SECOND,
            ahead: AtomicI64::new(0),
            paused_at: AtomicI64::new(RUNNING),
        }
    }

    /// A clock that goes on from the clock of an earlier process, which ended at `end` and whose second 0 was at
    /// `unix_origin`: so deadlines keep their meaning. If the system's clock has been set back meanwhile, the server's
    /// clock goes on from `end`.
    pub(crate) fn resume(unix_origin: i64, end: Seconds) -> Clock {
        let fresh = Clock::start();
        let since_origin = fresh.start_unix.saturating_sub(unix_origin);
        let passed = u32::try_from(since_origin).unwrap_or(end.0);
        Clock {
            first_second: passed.max(end.0),
            ..fresh
        }
    }

    /// Now, in milliseconds: [`Clock::now`] and the part of its second that has passed.
    pub(crate) fn now_ms(&self) -> u64 {
        // The clock is read once: between two readings a second could end.
        let time = coarse();
        let milliseconds = (time.tv_nsec / 1_000_000) as u64;
        1000 * u64::from(self.at(time.tv_sec).0) + milliseconds
    }

    /// Nanoseconds of a clock that is good for the difference of two readings only; `debugtime` does not change it. A
    /// reading takes some 20 ns.
    #[inline]
    pub(crate) fn precise_ns() -> u64 {
        let time = read(libc::CLOCK_MONOTONIC);
        1_000_000_000 * time.tv_sec as u64 + time.tv_nsec as u64
    }

    /// Now. A coarse clock is enough: memcached's own clock ticks once a second.
    #[inline]
    pub(crate) fn now(&self) -> Seconds {
        self.at(monotonic())
    }

    /// The server's time when the kernel's clock shows `monotonic` seconds. The server's clock stops before it wraps,
    /// after 136 years.
    #[inline]
    fn at(&self, monotonic: i64) -> Seconds {
        let paused_at = self.paused_at.load(Ordering::Relaxed);
        let running = match paused_at {
            RUNNING => monotonic - self.start_monotonic + i64::from(self.first_second),
            paused_at => paused_at,
        };
        let seconds = running + self.ahead.load(Ordering::Relaxed);
        Seconds(seconds.clamp(0, i64::from(u32::MAX)) as u32)
    }

    /// `debugtime`, for tests: sets the clock forward. The engine's time never goes back.
    pub(crate) fn set_forward(&self, seconds: i64) {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let bounded = ahead.saturating_add(seconds).clamp(0, FORWARD_MAX);
        self.ahead.store(bounded, Ordering::Relaxed);
    }

    /// `debugtime p`: stops the clock.
    pub(crate) fn pause(&self) {
        if self.paused_at.load(Ordering::Relaxed) == RUNNING {
            let ahead = self.ahead.load(Ordering::Relaxed);
            self.paused_at
                .store(i64::from(self.now().0) - ahead, Ordering::Relaxed);
        }
    }

    /// For simulations: stops the clock at the second at which it began.
    #[cfg(feature = "simulate")]
    pub(crate) fn stop_at_start(&self) {
        self.paused_at
            .store(self.first_second.into(), Ordering::Relaxed);
    }

    /// `debugtime r`: lets the clock go on.
    pub(crate) fn go_on(&self) {
        self.paused_at.store(RUNNING, Ordering::Relaxed);
    }

    /// Seconds since the start, as memcached counts them: from 2 on, so that tools can divide by it.
    pub(crate) fn uptime(&self) -> u32 {
        let since_start = self.now().0.saturating_sub(self.first_second);
        since_start.saturating_add(FIRST_SECOND)
    }

    /// Unix time of the server's second 0. Absolute times are turned into the server's seconds by it once, so that a
    /// later change of the system's clock shifts nothing (PROTOCOL: C2).
    pub(crate) fn unix_origin(&self) -> i64 {
        self.start_unix - i64::from(self.first_second)
    }

    /// Unix time now, by the server's clock.
    pub(crate) fn unix_now(&self) -> i64 {
        self.unix_origin() + i64::from(self.now().0)
    }
}

fn monotonic() -> i64 {
    coarse().tv_sec
}

fn coarse() -> libc::timespec {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

#[inline]
fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the kernel to fill in; the clock id is one every supported kernel has.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_may_set_the_clock_forward_and_stop_it() {
        let clock = Clock::start();
        let before = clock.now().0;
        clock.set_forward(100);
        clock.pause();
        let stopped = clock.now().0;
        assert!((before + 100..before + 160).contains(&stopped), "{stopped}");
        clock.set_forward(1);
        assert_eq!(clock.now().0, stopped + 1);
        clock.set_forward(i64::MIN);
        assert!(clock.now().0 <= stopped - 100);
        clock.set_forward(i64::MAX);
        clock.go_on();
        assert!(clock.now().0 > i32::MAX as u32);
    }

    #[test]
    fn a_clock_that_goes_on_never_goes_back() {
        let unix = Clock::start().start_unix;
        for (origin, end, expected) in [
            // The earlier process began a year ago and ended a day ago.
            (unix - 31_536_000, 31_536_000 - 86_400, 31_536_000),
            // The system's clock was set back meanwhile, or is plainly wrong.
            (unix + 1000, 5000, 5000),
            (i64::MIN, 7, 7),
            (i64::MAX, 7, 7),
            // After 136 years the clock stands still.
            (unix - i64::from(u32::MAX), 100, u32::MAX),
        ] {
            let clock = Clock::resume(origin, Seconds(end));
            let now = clock.now().0;
            assert!(
                (expected..=expected.saturating_add(60)).contains(&now),
                "{now}"
            );
            assert!((2..60).contains(&clock.uptime()));
            assert!(clock.now_ms() / 1000 >= u64::from(now));
        }
    }
}
