//! Gets that one core answers from another's memory: at 1, 2 and 16 shards they say the same, and are never late.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::client::{Client, set_request};
use crate::server::Server;

const SHARDS: [usize; 3] = [1, 2, 16];
const KEYS: usize = 50;

fn number_in(data: &[u8]) -> u64 {
    let text = std::str::from_utf8(data).unwrap();
    let (number, rest) = text.split_once(';').expect("a whole value");
    assert!(
        rest.bytes()
            .all(|byte| byte == b'a' + (number.len() % 26) as u8),
        "a value of two writers: {text}"
    );
    number.parse().unwrap()
}

fn value(number: u64) -> Vec<u8> {
    let number = number.to_string();
    let letter = b'a' + (number.len() % 26) as u8;
    let length = number.bytes().map(usize::from).sum::<usize>() % 300;
    [number.as_bytes(), b";", &vec![letter; length]].concat()
}

/// A pipeline of gets of all keys, and what is found.
fn get_all(client: &mut Client) -> Vec<Option<u64>> {
    let mut input = Vec::new();
    for key in 0..KEYS {
        input.extend(format!("get key-{key}\r\n").into_bytes());
    }
    client.writer().write_all(&input).unwrap();
    (0..KEYS)
        .map(|_| {
            let values = client.values();
            values.first().map(|value| number_in(&value.data))
        })
        .collect()
}

#[test]
fn whatever_was_acknowledged_is_seen_by_everybody() {
    const ROUNDS: u64 = 60;
    for shards in SHARDS {
        let server = Server::start(shards, &[]);
        let (acknowledged, ended) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut client = server.connect();
                    while !ended.load(Ordering::SeqCst) {
                        let least = acknowledged.load(Ordering::SeqCst);
                        for found in get_all(&mut client) {
                            assert!(found.unwrap_or(0) >= least, "{found:?} after {least}");
                        }
                    }
                });
            }
            let mut client = server.connect();
            for round in 1..=ROUNDS {
                for key in 0..KEYS {
                    assert_eq!(client.set(&format!("key-{key}"), value(round)), "STORED");
                }
                acknowledged.store(round, Ordering::SeqCst);
            }
            ended.store(true, Ordering::SeqCst);
        });
        let mut client = server.connect();
        assert_eq!(get_all(&mut client), [Some(ROUNDS); KEYS]);
        assert_eq!(server.connect().ask("flush_all"), "OK");
        assert_eq!(get_all(&mut client), [None; KEYS], "{shards} shards");
    }
}

#[test]
fn a_get_does_not_overtake_what_its_connection_has_sent() {
    for shards in SHARDS {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        // From the second round on the items have been fetched, and are read where they lie.
        for round in 0..20 {
            let (mut input, mut expected) = (Vec::new(), Vec::new());
            for key in 0..KEYS {
                let key = format!("own-{key}");
                for step in 0..3 {
                    let data = format!("{round}.{step}");
                    let length = data.len();
                    let stored = format!("VALUE {key} 0 {length}\r\n{data}\r\nEND\r\n");
                    input.extend(
                        format!("set {key} 0 0 {length} noreply\r\n{data}\r\n").into_bytes(),
                    );
                    input.extend(format!("get {key}\r\nget {key}\r\n").into_bytes());
                    expected.extend(stored.repeat(2).into_bytes());
                }
                input.extend(format!("append {key} 0 0 1\r\n!\r\nget {key}\r\n").into_bytes());
                let length = format!("{round}.2!").len();
                let joined = format!("STORED\r\nVALUE {key} 0 {length}\r\n{round}.2!\r\nEND\r\n");
                expected.extend(joined.into_bytes());
                input.extend(format!("mn\r\ndelete {key} noreply\r\nget {key}\r\n").into_bytes());
                expected.extend_from_slice(b"MN\r\nEND\r\n");
                input.extend(set_request(&key, b"5"));
                input.extend(format!("get {key}\r\nincr {key} 2\r\nget {key}\r\n").into_bytes());
                let number = |number| format!("VALUE {key} 0 1\r\n{number}\r\nEND\r\n");
                expected.extend(format!("STORED\r\n{}7\r\n{}", number(5), number(7)).into_bytes());
            }
            let mut writer = client.writer();
            thread::scope(|scope| {
                scope.spawn(move || writer.write_all(&input).unwrap());
                let got = client.bytes(expected.len());
                assert!(got == expected, "{shards} shards, round {round}");
            });
        }
    }
}

#[test]
fn what_is_read_elsewhere_is_counted_once() {
    for shards in SHARDS {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        for key in 0..KEYS {
            client.set(&format!("key-{key}"), value(1));
        }
        for _ in 0..10 {
            assert_eq!(get_all(&mut client), [Some(1); KEYS]);
        }
        assert_eq!(client.get("nothing"), None);
        let mut other = server.connect();
        let stats = other.stats("");
        let of = |name: &str| stats[name].parse::<usize>().unwrap();
        let counted = (of("cmd_get"), of("get_hits"), of("get_misses"));
        assert_eq!(counted, (10 * KEYS + 1, 10 * KEYS, 1), "{shards} shards");
        let by_class: usize = (other.stats("slabs").iter())
            .filter(|(name, _)| name.ends_with(":get_hits"))
            .map(|(_, hits)| hits.parse::<usize>().unwrap())
            .sum();
        assert_eq!(by_class, 10 * KEYS, "{shards} shards");
    }
}

/// What `mg` says about an item that was used after `used`, but for the time since then, which is looked at here: on a
/// busy machine it may be seconds.
fn uses(client: &mut Client, key: &str, used: Instant) -> String {
    let told = client.ask(&format!("mg {key} h l t s"));
    let words: Vec<&str> = told.split(' ').collect();
    let ["HD", hit, since, rest @ ..] = words.as_slice() else {
        panic!("{told}");
    };
    let seconds: u64 = since.strip_prefix('l').unwrap().parse().unwrap();
    assert!(seconds <= used.elapsed().as_secs() + 1, "{told}");
    [&[*hit], rest].concat().join(" ")
}

#[test]
fn meta_gets_say_when_an_item_was_used() {
    for shards in SHARDS {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        for key in 0..KEYS {
            let key = format!("meta-{key}");
            let used = Instant::now();
            client.set(&key, "abc");
            assert_eq!(uses(&mut client, &key, used), "h0 t-1 s3");
            for _ in 0..3 {
                let used = Instant::now();
                assert_eq!(
                    client.ask(&format!("mg {key} s c f k")).split(' ').count(),
                    5
                );
                assert_eq!(uses(&mut client, &key, used), "h1 t-1 s3");
            }
            assert_eq!(client.ask(&format!("md {key} I T30")), "HD");
            assert_eq!(client.ask(&format!("mg {key} s")), "HD s3 X W");
            assert_eq!(client.ask(&format!("mg {key} s")), "HD s3 Z X");
        }
    }
}
