//! A clock that stands still while the machine keeps threads from its CPUs.

use std::fs;
use std::time::{Duration, Instant};

use crate::server::Server;

/// Measures how long the server and the test take, without the time that a thread of the server or the calling one
/// could have run and had no CPU: that is the machine's. Several threads may have waited at once, and each wait is
/// taken off: on a starved machine it shows too little, never too much; on a quiet one, what any clock does.
pub(crate) struct Stopwatch<'a> {
    server: &'a Server,
    begun: Instant,
    starved: Duration,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(server: &'a Server) -> Self {
        Self {
            server,
            begun: Instant::now(),
            starved: starved(server),
        }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        let elapsed = self.begun.elapsed();
        elapsed.saturating_sub(starved(self.server) - self.starved)
    }
}

/// How long the server's threads and this one have waited for a CPU so far.
fn starved(server: &Server) -> Duration {
    let own = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    server.scheduled().1 + scheduled(&own).1
}

/// What a `schedstat` of the kernel says: how long a thread has run, and how long it has waited for a CPU.
pub(crate) fn scheduled(schedstat: &str) -> (Duration, Duration) {
    let mut numbers = schedstat.split_whitespace().map(str::parse);
    let mut next = || {
        let nanos = numbers.next().and_then(Result::ok).expect("a number");
        Duration::from_nanos(nanos)
    };
    (next(), next())
}
