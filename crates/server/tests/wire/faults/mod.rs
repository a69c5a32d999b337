//! Limits, slow and broken clients, signals, full memory: nothing of this may stop the server, leak
//! memory or make other clients wait.

mod broken;
mod connections;
mod fairness;
mod half_sent;
mod idle;
mod memory;
mod midway;
mod prefault;
mod signals;
mod slow_reader;

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Server;
use crate::stopwatch::Stopwatch;

/// Waits until `condition` holds. Who waits in vain has found a bug, so the time is that of a machine that is starved.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    const TIMEOUT: Duration = Duration::from_secs(180);
    let end = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < end, "not after {TIMEOUT:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Other clients must be answered in this time, whatever one client does.
const OTHERS_WAIT_MAX: Duration = Duration::from_millis(100);

/// Asks for `key` again and again and checks that the answers come in time. Half may be late,
/// since the tests share the machine with each other: a server that lets one client have it all is late with every answer.
/// Time that a thread was kept from a CPU does not count.
fn assert_served_promptly(server: &Server, client: &mut Client, key: &str, requests: usize) {
    let mut times: Vec<Duration> = (0..requests)
        .map(|_| {
            let begun = Stopwatch::start(server);
            client.get(key);
            begun.elapsed()
        })
        .collect();
    times.sort();
    let usual = times[requests / 2];
    assert!(usual <= OTHERS_WAIT_MAX, "another client waits {usual:?}");
}
