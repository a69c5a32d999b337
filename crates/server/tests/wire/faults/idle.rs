//! Connections that do nothing cost next to nothing.

use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::assert_served_promptly;
use crate::client::Client;
use crate::server::Server;
use crate::skip::skipped;

/// Raises the limit on open files of this process; false when the hard limit is too low.
fn can_open_files(count: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < count) {
        skipped(&format!(
            "the hard limit on open files is {:?}, not {count}",
            limit.maximum
        ));
        return false;
    }
    if limit.current.is_some_and(|current| current < count) {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).expect("the soft limit can be raised to the hard one");
    }
    true
}

/// Connections that have asked something once.
fn connect_many(server: &Server, count: usize) -> Vec<std::net::TcpStream> {
    (0..count)
        .map(|_| {
            let mut client = server.connect();
            assert_eq!(client.ask("mn"), "MN");
            // Keeps the socket without the read buffer, of which there would be too many.
            client.writer()
        })
        .collect()
}

#[test]
fn ten_thousand_connections_take_little_memory() {
    const CONNECTIONS: usize = 10_000;
    /// One KiB is the goal; the rest is for the granularity of the measure.
    const BYTES_MAX: u64 = 1536;
    if !can_open_files(CONNECTIONS as u64 + 1000) {
        return;
    }
    let server = Server::start(2, &["-c", "11000"]);
    let warm = connect_many(&server, 500);
    let before = server.resident_bytes();
    let idle = connect_many(&server, CONNECTIONS);
    let growth = server.resident_bytes().saturating_sub(before) / CONNECTIONS as u64;
    println!("{growth} bytes for each of {CONNECTIONS} idle connections");
    assert!(
        growth <= BYTES_MAX,
        "{growth} bytes for each idle connection"
    );
    let mut client = server.connect();
    assert_eq!(client.stat("curr_connections"), (CONNECTIONS + 501) as u64);
    client.set("k", "v");
    assert_served_promptly(&server, &mut client, "k", 100);
    drop(idle);
    super::eventually("they are gone", || client.stat("curr_connections") <= 502);
    drop(warm);
}

#[test]
fn an_idle_server_takes_no_cpu() {
    const MEASURED: Duration = Duration::from_secs(4);
    const SHARE_MAX: f64 = 0.002;
    /// Whoever never rests does so in none of these; on a machine that is starved a waking costs more than usual.
    const PERIODS_MAX: usize = 4;
    let server = Server::start(2, &["-c", "2000"]);
    let idle = connect_many(&server, 1000);
    thread::sleep(Duration::from_secs(2));
    let rests = (0..PERIODS_MAX).any(|_| {
        let before = server.cpu_time();
        thread::sleep(MEASURED);
        let share = (server.cpu_time() - before).as_secs_f64() / MEASURED.as_secs_f64();
        println!(
            "{:.3} % of a core with {} idle connections",
            share * 100.0,
            idle.len()
        );
        share < SHARE_MAX
    });
    assert!(rests, "{SHARE_MAX} of a core and more each time");
}

#[test]
fn after_idleness_the_first_request_is_answered_at_once() {
    let server = Server::start(4, &[]);
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(700));
        for client in &mut clients {
            assert_served_promptly(&server, client, "none", 5);
        }
    }
}
