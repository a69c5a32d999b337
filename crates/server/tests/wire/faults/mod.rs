//! Limits, slow and broken clients, signals, full memory: nothing of this may stop the server, leak
//! memory or make other clients wait.

mod broken;
mod connections;
mod fairness;
mod half_sent;
mod hoards;
mod idle;
mod memory;
mod midway;
mod parking;
mod prefault;
mod signals;
mod slow_reader;
mod turns;

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Server;
use crate::stopwatch::Stopwatch;

/// Waits until `condition` holds. A wait in vain has found a bug, so the time is that of a machine that is starved.
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

/// No single answer takes longer: who waits for that long hangs.
const HANG_MIN: Duration = Duration::from_secs(5);

/// Clients that come while the server is busy, enough to meet every shard.
const NEWCOMERS: usize = 8;

/// Asks for `key` again and again, and has new clients ask, and checks that the answers come in time. Half of those to
/// `client` may be late, since the tests share the machine with each other: a server that lets one client have it all
/// is late with every answer. None may hang, whoever asks. Time that a thread was kept from a CPU does not count.
fn assert_served_promptly(server: &Server, client: &mut Client, key: &str, requests: usize) {
    let mut times: Vec<Duration> = (0..requests).map(|_| asked(server, client, key)).collect();
    times.sort();
    let usual = times[requests / 2];
    assert!(usual <= OTHERS_WAIT_MAX, "another client waits {usual:?}");
    for _ in 0..NEWCOMERS {
        let begun = Stopwatch::start(server);
        let mut newcomer = server.connect();
        asked(server, &mut newcomer, key);
        assert_no_hang(begun.elapsed());
    }
}

/// How long one answer takes.
fn asked(server: &Server, client: &mut Client, key: &str) -> Duration {
    let begun = Stopwatch::start(server);
    client.get(key);
    let elapsed = begun.elapsed();
    assert_no_hang(elapsed);
    elapsed
}

fn assert_no_hang(elapsed: Duration) {
    assert!(elapsed < HANG_MIN, "a client hangs for {elapsed:?}");
}

#[test]
fn one_late_answer_of_many_is_a_hang() {
    let server = Server::start(1, &[]);
    let mut client = server.connect();
    let stopped = server.pid();
    let stop = |signal| {
        let pid = rustix::process::Pid::from_raw(stopped as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    stop(rustix::process::Signal::STOP);
    let hangs = thread::scope(|scope| {
        let late = scope.spawn(|| assert_served_promptly(&server, &mut client, "k", 20));
        thread::sleep(HANG_MIN + Duration::from_secs(2));
        stop(rustix::process::Signal::CONT);
        late.join().is_err()
    });
    assert!(hangs, "19 of 20 answers in time are not enough");
}
