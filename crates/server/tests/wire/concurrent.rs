//! Several clients on the same keys at four shards: no update may be lost, and a connection sees
//! its own writes in the order it made them.

use std::io::Write;
use std::thread;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::client::{pattern, set_request};
use crate::server::Server;

const SHARDS: usize = 4;
const CLIENTS: u64 = 8;

/// The seed of a test: printed when it fails, settable by `CORECACHED_TEST_SEED`.
fn seed() -> u64 {
    let seed = std::env::var("CORECACHED_TEST_SEED")
        .map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    println!("CORECACHED_TEST_SEED={seed}");
    seed
}

#[test]
fn increments_add_up() {
    const ROUNDS: u64 = 2000;
    const KEYS: u64 = 5;
    let server = Server::start(SHARDS, &[]);
    for key in 0..KEYS {
        server.connect().set(&format!("counter-{key}"), "0");
    }
    let seed = seed();
    let sums: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let mut rng = SmallRng::seed_from_u64(seed + number);
                    let mut client = server.connect();
                    let mut sum = 0;
                    for _ in 0..ROUNDS {
                        let (key, delta) = (rng.random_range(0..KEYS), rng.random_range(0..100));
                        let after = client.ask(&format!("incr counter-{key} {delta}"));
                        assert!(after.parse::<u64>().is_ok(), "{after}");
                        sum += delta;
                    }
                    sum
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut client = server.connect();
    let total: u64 = (0..KEYS)
        .map(|key| {
            let data = client.get(&format!("counter-{key}")).expect("it is stored");
            String::from_utf8(data)
                .unwrap()
                .trim_end()
                .parse::<u64>()
                .unwrap()
        })
        .sum();
    assert_eq!(total, sums.iter().sum::<u64>());
}

#[test]
fn compare_and_store_loses_no_update() {
    const UPDATES: usize = 300;
    let server = Server::start(SHARDS, &[]);
    server.connect().set("list", "");
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                let mut done = 0;
                while done < UPDATES {
                    let (mut data, cas) = client.gets("list").expect("it is stored");
                    data.push(b'a' + number as u8);
                    let mut request = format!("cas list 0 0 {} {cas}\r\n", data.len()).into_bytes();
                    request.extend_from_slice(&data);
                    request.extend_from_slice(b"\r\n");
                    client.send(request);
                    match client.line().as_str() {
                        "STORED" => done += 1,
                        "EXISTS" => {}
                        other => panic!("{other}"),
                    }
                }
            });
        }
    });
    let data = server.connect().get("list").expect("it is stored");
    for number in 0..CLIENTS {
        let count = data
            .iter()
            .filter(|byte| **byte == b'a' + number as u8)
            .count();
        assert_eq!(count, UPDATES);
    }
}

#[test]
fn appends_are_whole_and_in_order() {
    const APPENDS: u64 = 300;
    let server = Server::start(SHARDS, &[]);
    server.connect().set("log", "");
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..APPENDS {
                    let entry = format!("{number}:{round};");
                    client.send(format!("append log 0 0 {}\r\n{entry}\r\n", entry.len()));
                    assert_eq!(client.line(), "STORED");
                }
            });
        }
    });
    let log = String::from_utf8(server.connect().get("log").unwrap()).unwrap();
    let mut next = [0; CLIENTS as usize];
    for entry in log.split_terminator(';') {
        let (client, round) = entry.split_once(':').expect("a whole entry");
        let next = &mut next[client.parse::<usize>().unwrap()];
        assert_eq!(round.parse::<u64>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [APPENDS; CLIENTS as usize]);
}

/// A reply tells that all commands before it on its connection have been run, those without a reply too: what a client
/// does then, on whichever connection, sees them.
#[test]
fn a_reply_tells_that_noreply_commands_before_it_have_run() {
    const ROUNDS: u64 = 500;
    const KEYS: u64 = 20;
    let server = Server::start(2 * SHARDS, &[]);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let (mut writer, mut reader) = (server.connect(), server.connect());
                let key = |index: u64| format!("silent-{number}-{index}");
                for round in 1..=ROUNDS {
                    let value = format!("{round:08}");
                    let sets: String = (0..KEYS)
                        .map(|index| format!("set {} 0 0 8 noreply\r\n{value}\r\n", key(index)))
                        .collect();
                    writer.send(sets + "mn\r\n");
                    assert_eq!(writer.line(), "MN");
                    for index in 0..KEYS {
                        let data = reader.get(&key(index));
                        assert_eq!(data.as_deref(), Some(value.as_bytes()), "{}", key(index));
                    }
                }
            });
        }
    });
}

/// Values carry their writer and number; a reader may see any write, but whole.
#[test]
fn values_are_never_mixed() {
    const ROUNDS: u64 = 200;
    let server = Server::start(SHARDS, &["-m", "256"]);
    let value = |writer: u64, round: u64| {
        let length = [20, 3000, 70_000][(writer + round) as usize % 3];
        let head = format!("{writer}:{round}:");
        let body = pattern(writer * ROUNDS + round, length);
        [head.as_bytes(), &body].concat()
    };
    thread::scope(|scope| {
        for writer in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..ROUNDS {
                    let key = format!("shared-{}", round % 3);
                    assert_eq!(client.set(&key, value(writer, round)), "STORED");
                    let Some(data) = client.get(&key) else {
                        panic!("{key} is gone");
                    };
                    let text = String::from_utf8_lossy(&data);
                    let mut words = text.split(':');
                    let mut number = || words.next().unwrap().parse::<u64>().unwrap();
                    let (by, of) = (number(), number());
                    assert!(data == value(by, of), "a value of two writers");
                }
            });
        }
    });
}

/// Each connection has keys of its own, writes pipelines of set, get, delete and incr in pieces cut
/// at random, and knows every answer.
#[test]
fn a_connection_reads_its_own_writes_in_order() {
    let server = Server::start(SHARDS, &["-m", "256"]);
    let seed = seed();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || own_writes(server, SmallRng::seed_from_u64(seed + number), number));
        }
    });
}

fn own_writes(server: &Server, mut rng: SmallRng, number: u64) {
    const PIPELINES: u64 = 20;
    const REQUESTS: u64 = 100;
    let mut client = server.connect();
    for pipeline in 0..PIPELINES {
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for request in 0..REQUESTS {
            let key = format!("own-{number}-{}", rng.random_range(0..10));
            let length = match rng.random_range(0..20) {
                0 => rng.random_range(0..200_000),
                _ => rng.random_range(0..500),
            };
            let data = pattern(pipeline * REQUESTS + request, length);
            input.extend(set_request(&key, &data));
            expected.extend_from_slice(b"STORED\r\n");
            input.extend(format!("get {key}\r\n").into_bytes());
            expected.extend(format!("VALUE {key} 0 {length}\r\n").into_bytes());
            expected.extend_from_slice(&data);
            expected.extend_from_slice(b"\r\nEND\r\n");
            if rng.random_bool(0.3) {
                input.extend(format!("delete {key}\r\nincr {key} 1\r\nget {key}\r\n").into_bytes());
                expected.extend_from_slice(b"DELETED\r\nNOT_FOUND\r\nEND\r\n");
            }
        }
        let mut writer = client.writer();
        let pieces = cut(&mut rng, &input);
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in pieces {
                    writer.write_all(piece).unwrap();
                }
            });
            let got = client.bytes(expected.len());
            assert!(got == expected, "client {number}, pipeline {pipeline}");
        });
    }
}

/// Cuts `input` into pieces of random length.
fn cut<'a>(rng: &mut SmallRng, mut input: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let longest = if rng.random_bool(0.5) { 100 } else { 50_000 };
        let length = rng.random_range(1..=longest).min(input.len());
        let (piece, rest) = input.split_at(length);
        pieces.push(piece);
        input = rest;
    }
    pieces
}
