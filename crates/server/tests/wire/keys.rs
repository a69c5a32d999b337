//! Gets of many keys: over all shards, in the order asked, with duplicates and misses.

use std::thread;

use crate::client::{Client, pattern, set_request};
use crate::replies::Value;
use crate::server::Server;

const SHARDS: usize = 4;

/// Every fifth key is not stored.
fn is_stored(number: usize) -> bool {
    number % 5 != 3
}

fn key(number: usize) -> String {
    format!("key-{number}")
}

/// Values of different lengths; some larger than any small-value path.
fn data(number: usize) -> Vec<u8> {
    let length = if number.is_multiple_of(97) {
        40_000
    } else {
        number % 300
    };
    pattern(number as u64, length)
}

fn store(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers.filter(|number| is_stored(*number)) {
        assert_eq!(client.set(&key(number), data(number)), "STORED");
    }
}

/// Asks for `numbers` in one command and checks every value and its place.
fn check(client: &mut Client, command: &str, numbers: &[usize]) {
    let keys: Vec<String> = numbers.iter().map(|number| key(*number)).collect();
    client.send(format!("{command} {}\r\n", keys.join(" ")));
    let values = client.values();
    let expected: Vec<usize> = numbers.iter().copied().filter(|n| is_stored(*n)).collect();
    assert_eq!(values.len(), expected.len());
    for (value, number) in values.iter().zip(&expected) {
        assert_eq!(value.key, key(*number));
        assert!(value.data == data(*number), "data of key {number}");
        assert_eq!(
            value.cas.is_some(),
            command.contains("gets") || command.contains("gats")
        );
    }
}

#[test]
fn gets_of_1_50_and_1000_keys_are_answered_in_order() {
    let server = Server::start(SHARDS, &[]);
    let mut client = server.connect();
    store(&mut client, 0..1000);
    for command in ["get", "gets", "gat 0", "gats 0"] {
        check(&mut client, command, &[4]);
        check(&mut client, command, &[3]);
        let fifty: Vec<usize> = (0..50).map(|i| i * 37 % 1000).collect();
        check(&mut client, command, &fifty);
        // Backwards, and each key twice.
        let thousand: Vec<usize> = (0..1000).map(|i| (999 - i) / 2).collect();
        check(&mut client, command, &thousand);
        check(&mut client, command, &[7; 1000]);
    }
}

#[test]
fn many_connections_ask_for_many_keys_at_once() {
    let server = Server::start(SHARDS, &[]);
    store(&mut server.connect(), 0..400);
    thread::scope(|scope| {
        for start in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..20 {
                    let numbers: Vec<usize> = (0..200)
                        .map(|i| (start * 50 + round * 7 + i * 3) % 400)
                        .collect();
                    check(&mut client, "get", &numbers);
                }
            });
        }
    });
}

#[test]
fn a_pipeline_over_all_shards_is_answered_in_order() {
    let server = Server::start(SHARDS, &[]);
    let mut client = server.connect();
    let mut input = Vec::new();
    for number in 0..500 {
        input.extend(set_request(&key(number), &data(number)));
        input.extend(format!("get {} none\r\n", key(number)).into_bytes());
        input.extend(format!("delete {}\r\n", key(number)).into_bytes());
        input.extend(format!("get {}\r\n", key(number)).into_bytes());
    }
    let mut writer = client.writer();
    thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut writer, &input));
        for number in 0..500 {
            assert_eq!(client.line(), "STORED");
            let expected = Value {
                key: key(number),
                flags: 0,
                data: data(number),
                cas: None,
            };
            assert_eq!(client.values(), [expected]);
            assert_eq!(client.line(), "DELETED");
            assert_eq!(client.values(), []);
        }
    });
}

/// A line may be far longer than any buffer, and its replies longer than the output limit.
#[test]
fn a_get_of_a_hundred_thousand_keys_is_answered_in_order() {
    const KEYS: usize = 100_000;
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        for number in 0..100 {
            assert_eq!(client.set(&key(number), data(number % 90)), "STORED");
        }
        let keys: Vec<String> = (0..KEYS).map(|number| key(number * 31 % 100)).collect();
        client.send(format!("get {}\r\n", keys.join(" ")));
        let values = client.values();
        assert_eq!(values.len(), KEYS);
        for (value, key) in values.iter().zip(&keys) {
            assert_eq!(&value.key, key);
        }
        assert!(client.ask("version").starts_with("VERSION"));
    }
}
