//! Values of hundreds of kilobytes, which go from the socket right into the memory where they stay: cut anywhere,
//! followed by other commands, several at once, refused, broken off.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use corecached_client::wire::binary::{self, Opcode};

use crate::client::{Client, pattern, set_request};
use crate::faults::eventually;
use crate::server::Server;

const VALUE_BYTES: usize = 700_001;

/// Gives the server time to take what has been sent before the rest comes.
fn pause() {
    thread::sleep(Duration::from_millis(2));
}

/// Sends `request` in pieces that end at `cuts`.
fn send_cut(client: &mut Client, request: &[u8], cuts: &[usize]) {
    let mut from = 0;
    for &to in cuts.iter().chain([&request.len()]) {
        client.send(&request[from..to]);
        pause();
        from = to;
    }
}

#[test]
fn a_value_may_be_cut_anywhere_and_commands_may_follow_at_once() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for round in 0..12 {
            let key = format!("key-{}", round % 5);
            let data = pattern(round, VALUE_BYTES + round as usize);
            let mut request = set_request(&key, &data);
            let end = request.len();
            request.extend(format!("get {key}\r\nset small 0 0 2\r\nhi\r\nget small\r\n").bytes());
            let head = end - data.len() - 2;
            let cuts = match round % 6 {
                0 => vec![head - 1, head, head + 1],
                1 => vec![head + 8_000, head + 40_000, head + 300_000],
                2 => vec![end - 3, end - 2, end - 1, end, end + 1],
                3 => vec![head + 100, end - 1, end + 5],
                4 => (1..20).map(|step| step * 35_003).collect(),
                _ => vec![],
            };
            send_cut(&mut client, &request, &cuts);
            assert_eq!(client.line(), "STORED", "round {round}");
            let values = client.values();
            assert!(values[0].data == data, "round {round}");
            assert_eq!(client.line(), "STORED");
            assert_eq!(client.values()[0].data, b"hi");
        }
    }
}

#[test]
fn large_and_small_values_take_turns_on_one_connection() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for round in 0..6 {
            let data = pattern(round, 200_000);
            assert_eq!(client.set(&format!("large-{round}"), &data), "STORED");
            // More small requests than it takes to forget the large one, on every second round.
            let count = if round % 2 == 0 { 100 } else { 5 };
            for number in 0..count {
                let key = format!("small-{number}");
                assert_eq!(client.set(&key, key.as_bytes()), "STORED");
                assert_eq!(client.get(&key).as_deref(), Some(key.as_bytes()));
            }
            assert!(client.get(&format!("large-{round}")) == Some(data));
        }
        let pipeline = "get small-0\r\n".repeat(5000);
        client.send(pipeline);
        for _ in 0..5000 {
            assert_eq!(client.values()[0].data, b"small-0");
        }
    }
}

#[test]
fn several_values_come_at_once() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "128", "-I", "8m"]);
        let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        let requests: Vec<Vec<u8>> = (0..8)
            .map(|number| {
                let data = pattern(number, 3_000_000 + 1000 * number as usize);
                set_request(&format!("key-{number}"), &data)
            })
            .collect();
        let longest = requests.iter().map(Vec::len).max().unwrap();
        for from in (0..longest).step_by(123_457) {
            for (client, request) in clients.iter_mut().zip(&requests) {
                let to = request.len().min(from + 123_457);
                client.send(&request[from.min(to)..to]);
            }
        }
        for client in &mut clients {
            assert_eq!(client.line(), "STORED");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let other = (number + 3) % 8;
            let data = pattern(other as u64, 3_000_000 + 1000 * other);
            assert!(client.get(&format!("key-{other}")) == Some(data));
        }
    }
}

#[test]
fn a_wrong_end_of_a_large_value_is_said_and_the_connection_goes_on() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for round in 0..4 {
            let data = pattern(round, VALUE_BYTES);
            assert_eq!(client.set("k", &data), "STORED");
            let mut request = set_request("k", &data);
            let end = request.len();
            request[end - 1] = b'x';
            request.extend(b"version\r\n");
            client.send(&request);
            assert_eq!(client.line(), "CLIENT_ERROR bad data chunk");
            let answer = client.line();
            assert!(answer.starts_with("VERSION"), "{answer}");
            assert!(client.get("k") == Some(data));
        }
    }
}

#[test]
fn a_value_that_is_refused_is_dropped_to_its_end() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for round in 0..3 {
            let data = pattern(round, VALUE_BYTES);
            assert_eq!(client.set("k", &data), "STORED");
            let too_large = pattern(round, 3_000_000);
            let answer = client.set("other", &too_large);
            assert_eq!(answer, "SERVER_ERROR object too large for cache");
            assert!(client.get("k") == Some(data));
        }
    }
}

#[test]
fn without_memory_for_the_rest_a_value_is_dropped_to_its_end() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "16", "-M", "-I", "8m"]);
        let mut client = server.connect();
        let data = pattern(1, 3_000_000);
        let answers: Vec<String> = (0..10)
            .map(|number| client.set(&format!("key-{number}"), &data))
            .collect();
        let stored = answers.iter().filter(|answer| *answer == "STORED").count();
        assert!((1..6).contains(&stored), "{answers:?}");
        assert_eq!(answers[9], "SERVER_ERROR out of memory storing object");
        let there = (0..10).filter(|number| client.get(&format!("key-{number}")).is_some());
        assert_eq!(there.count(), stored);
        // The memory of what was dropped goes where it is needed.
        eventually("there is memory for a small value", || {
            client.set("small", "v") == "STORED"
        });
    }
}

#[test]
fn values_as_large_as_half_the_memory_push_small_ones_out() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64", "-I", "16m"]);
        let mut client = server.connect();
        let mut request = Vec::new();
        for number in 0..300_000 {
            request.extend(format!("set key-{number} 0 0 100 noreply\r\n").bytes());
            request.extend(pattern(1, 100));
            request.extend(b"\r\n");
        }
        client.send(&request);
        // Less than a shard's part of the memory, which the keys of one shard may have for themselves.
        let length = 8_000_000 / if shards == 1 { 1 } else { 2 };
        let data = pattern(2, length);
        for round in 0..12 {
            assert_eq!(client.set(&format!("large-{round}"), &data), "STORED");
            let there = client.get(&format!("large-{round}")) == Some(data.clone());
            assert!(there, "round {round}");
        }
    }
}

#[test]
fn who_ends_in_the_middle_of_a_value_gets_what_was_asked_before() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let data = pattern(1, VALUE_BYTES);
        for round in 0..10 {
            let mut client = server.connect();
            assert_eq!(client.set("k", &data), "STORED");
            client.send("get k\r\n");
            let request = set_request("half", &data);
            client.send(&request[..request.len() * (round + 1) / 12]);
            client.finish_sending();
            assert!(client.values()[0].data == data);
            assert_eq!(client.byte().unwrap(), None, "the end");
        }
        assert_eq!(server.connect().get("half"), None);
    }
}

#[test]
fn binary_values_end_without_a_line() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        for round in 0..8 {
            let data = pattern(round, VALUE_BYTES);
            let mut request = Vec::new();
            binary::store(&mut request, Opcode::Set, 0, b"k", (0, 0, 0), &data);
            let end = request.len();
            binary::bare(&mut request, Opcode::Noop, 0);
            binary::keyed(&mut request, Opcode::Get, 0, b"k", 0);
            let cuts = [vec![end - 1, end, end + 1], vec![end / 2], vec![]];
            send_cut(&mut client, &request, &cuts[round as usize % 3]);
            for opcode in [Opcode::Set, Opcode::Noop] {
                let reply = client.packet();
                assert_eq!((reply.opcode, reply.status), (opcode as u8, 0));
                assert_eq!((reply.extras, reply.key, reply.value), Default::default());
            }
            let hit = client.packet();
            assert_eq!((hit.opcode, hit.extras.len()), (Opcode::Get as u8, 4));
            assert!(hit.value == data, "round {round}");
        }
    }
}

#[test]
fn a_value_of_100_megabytes_comes_and_goes_while_others_are_served() {
    const LENGTH: usize = 100_000_000;
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "800", "-I", "128m"]);
        let mut other = server.connect();
        other.set("k", "v");
        let data = pattern(1, LENGTH);
        let request = set_request("huge", &data);
        thread::scope(|scope| {
            let mut client = server.connect();
            let (request, data) = (&request, &data);
            let huge = scope.spawn(move || {
                for _ in 0..2 {
                    client.writer().write_all(request).unwrap();
                    assert_eq!(client.line(), "STORED");
                    client.send("get huge\r\n");
                    assert_eq!(client.line(), format!("VALUE huge 0 {LENGTH}"));
                    let mut reader = client.writer();
                    let rest = client.take_matching(data);
                    assert_eq!(rest, LENGTH);
                    assert_eq!(client.line(), "");
                    assert_eq!(client.line(), "END");
                    reader.set_nonblocking(true).unwrap();
                    assert!(reader.read(&mut [0]).is_err(), "nothing more");
                    reader.set_nonblocking(false).unwrap();
                }
            });
            while !huge.is_finished() {
                assert_eq!(other.get("k").as_deref(), Some(&b"v"[..]));
                pause();
            }
        });
    }
}

#[test]
fn a_value_on_its_way_may_grow_on_both_sides() {
    const LENGTH: usize = 20_000_000;
    let (before, after) = (pattern(2, 30_000), pattern(3, 1_000_000));
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "256", "-I", "64m"]);
        let mut other = server.connect();
        let mut expected = pattern(1, LENGTH);
        assert_eq!(other.set("k", &expected), "STORED");
        for round in 0..3 {
            let mut slow = server.connect();
            slow.send("get k\r\n");
            let length = expected.len();
            assert_eq!(slow.line(), format!("VALUE k 0 {length}"));
            // By now the socket is full, and most of the value has not been looked at.
            let mut grown = expected.clone();
            for (command, data) in [
                ("append", &before),
                ("append", &after),
                ("prepend", &before),
                ("append", &before),
                ("prepend", &after),
            ] {
                other.send(format!("{command} k 0 0 {}\r\n", data.len()));
                other.send(data);
                other.send("\r\n");
                assert_eq!(other.line(), "STORED", "{command}");
                let at = if command == "append" { grown.len() } else { 0 };
                grown.splice(at..at, data.iter().copied());
            }
            assert_eq!(slow.take_matching(&expected), length, "round {round}");
            assert_eq!(slow.line(), "");
            assert_eq!(slow.line(), "END");
            assert!(other.get("k").as_ref() == Some(&grown), "round {round}");
            expected = grown;
        }
    }
}
