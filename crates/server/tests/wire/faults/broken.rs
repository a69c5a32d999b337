//! Connections that end in the middle of something.

use std::thread;

use super::{assert_served_promptly, eventually};
use crate::client::pattern;
use crate::server::Server;

const ROUNDS: usize = 1000;
const VALUE_BYTES: usize = 100_000;

/// The server serves, counts one connection, and its memory is all there: values of half the
/// limit fit without an eviction.
fn assert_nothing_leaked(server: &Server) {
    let mut client = server.connect();
    eventually("all connections but this are gone", || {
        client.stat("curr_connections") <= 2
    });
    let evictions = client.stat("evictions");
    let keys = 300;
    for number in 0..keys {
        let data = pattern(number, VALUE_BYTES);
        assert_eq!(client.set(&format!("after-{number}"), data), "STORED");
    }
    for number in 0..keys {
        let data = client.get(&format!("after-{number}"));
        assert!(
            data == Some(pattern(number, VALUE_BYTES)),
            "value {number} of {keys}"
        );
    }
    assert_eq!(client.stat("evictions"), evictions);
}

#[test]
fn half_sent_values_leak_nothing() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut other = server.connect();
        other.set("k", "old");
        let half = pattern(1, VALUE_BYTES / 2);
        let before = server.resident_bytes();
        for round in 0..ROUNDS {
            let mut client = server.connect();
            client.send(format!("set k-{} 0 0 {VALUE_BYTES}\r\n", round % 50));
            client.send(&half[..half.len() * (round % 10) / 10]);
            if round % 3 == 0 {
                drop(client);
            } else {
                client.reset();
            }
        }
        assert_served_promptly(&server, &mut other, "k", 50);
        eventually("all connections but this are gone", || {
            other.stat("curr_connections") <= 2
        });
        assert_eq!(other.get("k").as_deref(), Some(&b"old"[..]));
        for key in 0..50 {
            assert_eq!(other.get(&format!("k-{key}")), None);
        }
        let growth = server.resident_bytes().saturating_sub(before);
        assert!(
            growth < 48 << 20,
            "{growth} bytes after {ROUNDS} broken connections"
        );
        assert_nothing_leaked(&server);
    }
}

#[test]
fn connections_reset_while_they_are_answered_leak_nothing() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut other = server.connect();
        let data = pattern(1, VALUE_BYTES);
        for number in 0..10 {
            other.set(&format!("big-{number}"), &data);
        }
        thread::scope(|scope| {
            for _ in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    for round in 0..ROUNDS / 4 {
                        let mut client = server.connect();
                        client.send(format!("get big-{}\r\n", round % 10).repeat(100));
                        client.bytes(round * 37 % 5000);
                        client.reset();
                    }
                });
            }
        });
        assert_served_promptly(&server, &mut other, "big-1", 50);
        for number in 0..10 {
            other.ask(&format!("delete big-{number}"));
        }
        assert_nothing_leaked(&server);
    }
}

#[test]
fn a_client_that_stops_sending_still_gets_its_replies() {
    const REQUESTS: usize = 50;
    let server = Server::start(2, &[]);
    let data = pattern(3, VALUE_BYTES);
    let mut client = server.connect();
    client.set("big", &data);
    client.send("get big\r\n".repeat(REQUESTS));
    client.finish_sending();
    if server.is_old_memcached {
        // It closes as soon as it reads the end; replies already made are sent.
        assert!(client.byte().unwrap().is_some());
        return;
    }
    for _ in 0..REQUESTS {
        let values = client.values();
        assert!(values.len() == 1 && values[0].data == data);
    }
    assert_eq!(client.byte().unwrap(), None);
}

#[test]
fn bytes_of_no_protocol_do_no_harm() {
    let server = Server::start(2, &[]);
    let mut other = server.connect();
    other.set("k", "v");
    for seed in 0..200 {
        let mut client = server.connect();
        let mut noise = pattern(seed, 1 + seed as usize * 13 % 4000);
        for (index, byte) in noise.iter_mut().enumerate() {
            // All byte values, many line ends; the first byte is not the binary protocol's.
            *byte = byte.wrapping_mul(31).wrapping_add(index as u8);
            if *byte % 11 == 0 {
                *byte = b"\r\n \0"[index % 4];
            }
        }
        noise[0] &= 0x7F;
        // The server may close at any byte of this.
        let _ = client.try_send(&noise);
    }
    assert_eq!(other.get("k").as_deref(), Some(&b"v"[..]));
}
