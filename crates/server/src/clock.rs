//! The server's clock: whole seconds since a little before the start, monotonic, read once a tick.

use std::time::{SystemTime, UNIX_EPOCH};

use corecached_engine::Seconds;

/// The clock starts here, so that 0 and 1 lie in the past (an item that is dead on arrival gets the deadline 1).
const FIRST_SECOND: u32 = 2;

/// Turns the kernel's clocks into the server's seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start_monotonic: i64,
    start_unix: i64,
    /// The server's time at the start: later than [`FIRST_SECOND`] if it goes on from an earlier process.
    first_second: u32,
}

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
        }
    }

    /// A clock that goes on from that of an earlier process, which ended at `end` and whose second 0 was at
    /// `unix_origin`: deadlines keep their meaning. Should the system's clock have been set back meanwhile, it goes on
    /// from `end`.
    pub(crate) fn resume(unix_origin: i64, end: Seconds) -> Clock {
        let fresh = Clock::start();
        let passed = u32::try_from(fresh.start_unix - unix_origin).unwrap_or(end.0);
        Clock {
            first_second: passed.max(end.0),
            ..fresh
        }
    }

    /// Now. A coarse clock is enough: memcached's own clock ticks once a second.
    #[inline]
    pub(crate) fn now(&self) -> Seconds {
        Seconds((monotonic() - self.start_monotonic) as u32 + self.first_second)
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> u32 {
        self.now().0 - self.first_second
    }

    /// Unix time of the server's second 0; absolute times are turned into the server's seconds by it once, so that a
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
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the kernel to fill in; the clock id is one every supported kernel has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    time.tv_sec
}
