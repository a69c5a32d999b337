//! What ends while large values are half received or half sent: clients that fall silent or vanish, and the server
//! itself.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::eventually;
use crate::client::{Client, pattern, set_request};
use crate::server::Server;

const EXIT_TIMEOUT: Duration = Duration::from_secs(60);
const VALUE_BYTES: usize = 8_000_000;
const HALF_BYTES: usize = 3_000_000;

/// Bytes of memory that items, the index and half-received values have of all shards.
fn taken(client: &mut Client) -> u64 {
    let memory = client.stats("memory");
    let part = |name: &str| memory[name].parse::<u64>().unwrap();
    part("total") - part("free_chunks") - part("free_pages")
}

/// The same once every shard has an index, which stays.
fn taken_at_first(client: &mut Client) -> u64 {
    for number in 0..64 {
        assert_eq!(client.set(&format!("first-{number}"), "-"), "STORED");
    }
    taken(client)
}

/// Begins to send a value, and waits until the server has given it memory.
fn begin(server: &Server, other: &mut Client, key: &str) -> Client {
    let before = taken(other);
    let mut client = server.connect();
    let request = set_request(key, &pattern(1, VALUE_BYTES));
    client.send(&request[..HALF_BYTES]);
    eventually("the half has arrived", || {
        taken(other) >= before + HALF_BYTES as u64 * 9 / 10
    });
    client
}

/// Runs a test with one shard and with four at the same time, since it waits for `idle_timeout`, which is long enough
/// for a machine that is starved for seconds to be busy in it.
fn with_one_and_four_shards(test: fn(shards: usize)) {
    thread::scope(|scope| {
        for shards in [1, 4] {
            scope.spawn(move || test(shards));
        }
    });
}

#[test]
fn who_falls_silent_in_a_value_is_closed_and_its_memory_comes_back() {
    with_one_and_four_shards(|shards| {
        let server = Server::start(shards, &["-m", "64", "-I", "16m", "-o", "idle_timeout=6"]);
        if server.is_old_memcached {
            return;
        }
        let mut other = server.connect();
        assert_eq!(other.set("k", "old"), "STORED");
        let before = taken_at_first(&mut other);
        // Several keys: the memory is that of the shard that owns the key.
        let mut silent: Vec<Client> = (0..3)
            .map(|number| begin(&server, &mut other, &format!("half-{number}")))
            .collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut slow = server.connect();
                let data = pattern(2, 1_000_000);
                let request = set_request("slow", &data);
                for piece in request.chunks(request.len() / 40) {
                    slow.send(piece);
                    thread::sleep(Duration::from_millis(250));
                }
                assert_eq!(slow.line(), "STORED", "slow is not silent");
                assert!(slow.get("slow") == Some(data));
                assert_eq!(slow.ask("delete slow"), "DELETED");
            });
            eventually("they are closed", || other.stat("idle_kicks") == 3);
        });
        for client in &mut silent {
            assert_eq!(client.byte().unwrap(), None, "it is closed");
        }
        eventually("all memory is back", || taken(&mut other) <= before);
        assert_eq!(other.get("k").as_deref(), Some(&b"old"[..]));
        assert_eq!(other.get("half-0"), None);
    });
}

#[test]
fn who_takes_its_time_to_read_is_not_idle() {
    with_one_and_four_shards(|shards| {
        let server = Server::start(shards, &["-m", "64", "-I", "32m", "-o", "idle_timeout=4"]);
        let data = pattern(1, 20_000_000);
        let mut client = server.connect();
        assert_eq!(client.set("k", &data), "STORED");
        client.send("get k\r\n");
        assert_eq!(client.line(), "VALUE k 0 20000000");
        thread::sleep(Duration::from_secs(8));
        assert_eq!(client.take_matching(&data), data.len());
        assert_eq!(client.line(), "");
        assert_eq!(client.line(), "END");
    });
}

#[test]
fn who_vanishes_in_a_value_leaves_no_memory_behind() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64", "-I", "16m"]);
        let mut other = server.connect();
        assert_eq!(other.set("k", "old"), "STORED");
        if server.is_old_memcached {
            return;
        }
        let before = taken_at_first(&mut other);
        for round in 0..12 {
            let client = begin(&server, &mut other, &format!("half-{round}"));
            match round % 3 {
                0 => drop(client),
                _ => client.reset(),
            }
            assert_eq!(other.get("k").as_deref(), Some(&b"old"[..]));
            eventually("all memory is back", || taken(&mut other) <= before);
        }
        // Several at once, at any point, with no time to arrive.
        let request = set_request("half", &pattern(1, VALUE_BYTES));
        thread::scope(|scope| {
            for client in 0..4 {
                let (server, request) = (&server, &request);
                scope.spawn(move || {
                    for round in 0..10 {
                        let mut vanishing = server.connect();
                        let end = request.len() * (1 + (client * 7 + round * 3) % 40) / 41;
                        vanishing.send(&request[..end]);
                        vanishing.reset();
                    }
                });
            }
        });
        eventually("all memory is back", || taken(&mut other) <= before);
        assert_eq!(other.get("half"), None);
        assert_eq!(other.stat("evictions"), 0);
        assert_eq!(other.set("whole", pattern(3, VALUE_BYTES)), "STORED");
    }
}

#[test]
fn who_vanishes_while_a_value_is_sent_leaves_no_memory_behind() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64", "-I", "32m"]);
        if server.is_old_memcached {
            return;
        }
        let mut other = server.connect();
        let data = pattern(1, 20_000_000);
        // The index grows with the first item of a shard, and stays.
        assert_eq!(other.set("k", &data), "STORED");
        assert_eq!(other.ask("delete k"), "DELETED");
        let mut before = taken(&mut other);
        eventually("the value is freed", || {
            before = taken(&mut other);
            before < data.len() as u64 / 2
        });
        for round in 0..6 {
            assert_eq!(other.set("k", &data), "STORED");
            let mut client = server.connect();
            client.send("get k\r\n");
            assert_eq!(client.line(), "VALUE k 0 20000000");
            // It is on its way, so it cannot go yet.
            assert_eq!(other.ask("delete k"), "DELETED");
            match round % 2 {
                0 => drop(client),
                _ => client.reset(),
            }
            eventually("all memory is back", || taken(&mut other) <= before);
        }
    }
}

/// A memory file, removed with its companion at the end.
struct MemoryFile(PathBuf);

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_file(format!("{}.meta", self.0.display()));
    }
}

#[test]
fn the_server_ends_in_the_middle_of_large_values_and_keeps_the_whole_ones() {
    const HUGE_BYTES: usize = 100_000_000;
    let huge = pattern(5, HUGE_BYTES);
    for (shards, signal) in [(1, Signal::USR1), (4, Signal::USR1), (4, Signal::TERM)] {
        let name = format!("corecached-midway-{}-{shards}", std::process::id());
        let file = MemoryFile(std::env::temp_dir().join(name));
        let path = file.0.to_str().unwrap();
        let options = ["-m", "600", "-I", "128m", "-e", path];
        let mut server = Server::start(shards, &options);
        if server.is_old_memcached {
            return;
        }
        let mut other = server.connect();
        assert_eq!(other.set("huge", &huge), "STORED");
        assert_eq!(other.set("k", "v"), "STORED");
        let mut halves: Vec<Client> = (0..4)
            .map(|number| begin(&server, &mut other, &format!("half-{number}")))
            .collect();
        let mut reading = server.connect();
        reading.send("get huge\r\n");
        assert_eq!(reading.line(), format!("VALUE huge 0 {HUGE_BYTES}"));
        let begun = Instant::now();
        server.signal(signal);
        // As much as fits the time that the server takes to end: what comes is right.
        reading.take_matching(&huge);
        let status = server.wait_for_exit(EXIT_TIMEOUT);
        assert_eq!(
            status.code(),
            Some(0),
            "{signal:?} after {:?}",
            begun.elapsed()
        );
        for client in &mut halves {
            assert_eq!(client.byte().unwrap(), None);
        }
        let server = Server::start(shards, &options);
        let mut client = server.connect();
        for number in 0..4 {
            assert_eq!(client.get(&format!("half-{number}")), None);
        }
        let kept = client.get("huge");
        if signal == Signal::USR1 {
            assert!(
                kept.as_ref() == Some(&huge),
                "{shards} shards: {}",
                server.stderr_text()
            );
            assert_eq!(client.get("k").as_deref(), Some(&b"v"[..]));
        } else {
            assert_eq!(kept, None, "only SIGUSR1 keeps them");
        }
        // Nothing is left of the halves: there is room for as much again.
        for number in 0..3 {
            assert_eq!(client.set(&format!("next-{number}"), &huge), "STORED");
        }
        assert_eq!(client.stat("evictions"), 0);
    }
}
