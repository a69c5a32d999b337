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
        }
    }

    /// Now. A coarse clock is enough: memcached's own clock ticks once a second.
    #[inline]
    pub(crate) fn now(&self) -> Seconds {
        Seconds((monotonic() - self.start_monotonic) as u32 + FIRST_SECOND)
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> u32 {
        self.now().0 - FIRST_SECOND
    }

    /// Unix time of the server's second 0; absolute times are turned into the server's seconds by it once, so that a
    /// later change of the system's clock shifts nothing (PROTOCOL: C2).
    pub(crate) fn unix_origin(&self) -> i64 {
        self.start_unix - i64::from(FIRST_SECOND)
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
