//! The limit on connections, and the idle timeout.

use std::thread;
use std::time::{Duration, Instant};

use super::eventually;
use crate::client::Client;
use crate::server::Server;

/// The shortest `idle_timeout`.
const IDLE_MIN: Duration = Duration::from_secs(1);

const REFUSAL: &[u8] = b"ERROR Too many open connections\r\n";

/// The end of a refused connection, or the client when it was accepted.
fn accepted(server: &Server) -> Option<Client> {
    let mut client = server.connect();
    client.try_send("mn\r\n").ok()?;
    if client.peek().ok()?? == b'M' {
        assert_eq!(client.line(), "MN");
        return Some(client);
    }
    assert_eq!(client.bytes(REFUSAL.len()), REFUSAL);
    assert_eq!(client.byte().unwrap(), None, "closed after the refusal");
    None
}

#[test]
fn connections_over_the_limit_are_refused() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-c", "60"]);
        let mut clients: Vec<Client> = std::iter::from_fn(|| accepted(&server)).take(70).collect();
        let count = clients.len();
        // Memcached counts its own descriptors too.
        assert!((20..=60).contains(&count), "{count} of 60 were accepted");
        for _ in 0..5 {
            assert!(accepted(&server).is_none());
        }
        for client in &mut clients {
            assert_eq!(client.ask("mn"), "MN");
        }
        assert!(clients[0].stat("rejected_connections") >= 5);
        clients.truncate(count / 2);
        eventually("there is room again", || accepted(&server).is_some());
    }
}

#[test]
fn without_fast_refusal_they_wait_for_their_turn() {
    let server = Server::start(2, &["-c", "60", "-o", "no_maxconns_fast"]);
    let mut first = server.connect();
    assert_eq!(first.ask("mn"), "MN");
    let clients: Vec<Client> = (0..80).map(|_| server.connect()).collect();
    eventually("there are too many", || {
        first.stat("listen_disabled_num") >= 1
    });
    thread::scope(|scope| {
        for mut client in clients {
            // Some have to wait until others end.
            scope.spawn(move || assert_eq!(client.ask("mn"), "MN"));
        }
    });
    assert_eq!(first.ask("mn"), "MN");
}

#[test]
fn idle_connections_are_closed() {
    let server = Server::start(2, &["-o", "idle_timeout=1"]);
    let mut idle: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    let mut half = server.connect();
    half.send("set a 0 0 10\r\n123");
    let mut busy = server.connect();
    let (end, mut last) = (Instant::now() + Duration::from_secs(5), Instant::now());
    while Instant::now() < end {
        let asked = Instant::now();
        if busy.try_send("mn\r\n").is_ok() && busy.peek().is_ok_and(|byte| byte.is_some()) {
            assert_eq!(busy.line(), "MN");
        } else {
            // Only if the machine kept this test from being busy.
            assert!(
                last.elapsed() >= IDLE_MIN,
                "closed after {:?}",
                last.elapsed()
            );
            busy = server.connect();
        }
        last = asked;
        thread::sleep(Duration::from_millis(100));
    }
    for client in &mut idle {
        assert_eq!(client.byte().unwrap(), None, "an idle connection is closed");
    }
    assert!(server.connect().stat("idle_kicks") >= 5);
}
