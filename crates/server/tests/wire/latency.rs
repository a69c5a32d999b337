//! `stats latency`: every command is counted once, under its kind, wherever its key is; and what took long is shown so.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::auth::binary_stats;
use crate::client::{Client, pattern, write_until_blocked};
use crate::faults::eventually;
use crate::server::Server;
use crate::top::{figure, once};
use crate::watch::field;

const KINDS: [&str; 6] = ["get", "set", "delete", "arith", "touch", "other"];

/// The number of commands of each kind, in the order of `KINDS`.
fn counts(stats: &BTreeMap<String, String>) -> [u64; 6] {
    KINDS.map(|kind| {
        let count = stats.get(&format!("{kind}:count"));
        count.map_or(0, |count| count.parse().unwrap())
    })
}

fn microseconds(stats: &BTreeMap<String, String>, name: &str) -> f64 {
    let value = stats
        .get(name)
        .unwrap_or_else(|| panic!("no {name}: {stats:?}"));
    value.parse().unwrap()
}

/// Sends commands of all kinds about 40 keys, and reads their replies. Returns the number of each kind.
fn commands(client: &mut Client, pipelined: bool) -> [u64; 6] {
    const NUMBERS: u64 = 40;
    let mut request = String::new();
    for number in 0..NUMBERS {
        let (key, big) = (format!("key-{number}"), "x".repeat(9000));
        request += &format!("set {key} 0 0 1 noreply\r\n5\r\nset {key} 0 0 1\r\n5\r\n");
        request += &format!("set big-{number} 0 0 9000\r\n{big}\r\nms {key} 1\r\n5\r\n");
        request += &format!("get {key}\r\nget {key}\r\nget {key} none big-{number}\r\n");
        request += &format!("gets {key}\r\nmg {key} v\r\nmg none v q\r\n");
        request += &format!("incr {key} 1\r\ndecr {key} 1\r\nma {key}\r\n");
        request += &format!("touch {key} 0\r\ngat 0 {key}\r\ngats 0 {key} none\r\n");
        request += &format!("delete {key}\r\nmd {key}\r\ndelete {key} noreply\r\n");
        request += "bogus\r\nmn\r\nset a 0 0 -1\r\nverbosity 0\r\nset x 0 0 1\r\nbad\r\n";
        request += &format!("version\r\nincr {key} x\r\n");
        if !pipelined {
            client.send(&request);
            read_to_version(client);
            request.clear();
        }
    }
    client.send(request + "version\r\n");
    let versions = if pipelined { NUMBERS + 1 } else { 1 };
    for _ in 0..versions {
        read_to_version(client);
    }
    // A set with a wrong line end is one, and the rest of its value is an unknown command.
    [6, 5, 3, 3, 3, 7]
        .map(|of_number| NUMBERS * of_number)
        .map_last(|others| others + 1)
}

trait MapLast {
    fn map_last(self, map: impl FnOnce(u64) -> u64) -> Self;
}

impl MapLast for [u64; 6] {
    fn map_last(mut self, map: impl FnOnce(u64) -> u64) -> Self {
        self[5] = map(self[5]);
        self
    }
}

fn read_to_version(client: &mut Client) {
    while !client.line().starts_with("VERSION") {}
}

fn every_command_is_counted_once(shards: usize, pipelined: bool) {
    let server = Server::start(shards, &[]);
    let (mut client, mut other) = (server.connect(), server.connect());
    assert_eq!(other.ask("stats latency reset"), "RESET");
    let mut expected = commands(&mut client, pipelined);
    for (sum, more) in expected.iter_mut().zip(commands(&mut other, pipelined)) {
        *sum += more;
    }
    expected[5] += 1;
    let stats = other.stats("latency");
    assert_eq!(counts(&stats), expected, "{stats:?}");
    for kind in KINDS {
        let figure = |name: &str| microseconds(&stats, &format!("{kind}:{name}"));
        let figures = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"].map(figure);
        assert!(
            figures.is_sorted() && figures[0] > 0.0,
            "{kind}: {figures:?}"
        );
        for stage in ["queue", "execution", "sending"] {
            let median = figure(&format!("{stage}_p50_us"));
            assert!(median <= figures[4], "{kind} {stage}: {stats:?}");
        }
    }
    // The statistics themselves are commands, too. The name is the same in the binary protocol.
    expected[5] += 1;
    let binary = binary_stats(&mut server.connect(), b"latency");
    assert_eq!(counts(&binary.into_iter().collect()), expected);
    assert_eq!(client.ask("stats latency reset"), "RESET");
    assert_eq!(counts(&client.stats("latency")), [0, 0, 0, 0, 0, 1]);
    assert_eq!(client.get("none"), None);
    assert_eq!(client.ask("stats reset"), "RESET");
    assert_eq!(counts(&client.stats("latency")), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn every_command_is_counted_once_at_one_shard() {
    every_command_is_counted_once(1, false);
    every_command_is_counted_once(1, true);
}

#[test]
fn every_command_is_counted_once_at_four_shards() {
    every_command_is_counted_once(4, false);
    every_command_is_counted_once(4, true);
}

/// The time that a client takes to read its replies is in the last stage, and nowhere else.
#[test]
fn a_reply_that_is_not_read_is_being_sent() {
    const DELAY: Duration = Duration::from_millis(300);
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        let data = pattern(1, 100_000);
        assert_eq!(client.set("big", &data), "STORED");
        assert_eq!(client.ask("stats latency reset"), "RESET");
        let mut slow = server.connect();
        let request = b"get big\r\n";
        let sent =
            write_until_blocked(&mut slow.writer(), &request.repeat(300_000)) / request.len();
        thread::sleep(DELAY);
        for _ in 0..sent.min(1500) {
            assert!(slow.values()[0].data == data);
        }
        let stats = client.stats("latency");
        let longest = microseconds(&stats, "get:max_us");
        assert!(longest * 1.02 > DELAY.as_micros() as f64, "{stats:?}");
        assert!(
            microseconds(&stats, "get:sending_p999_us") > 1000.0,
            "{stats:?}"
        );
        assert!(!stats.contains_key("set:count"));
    }
}

#[test]
fn top_shows_latencies() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    commands(&mut client, true);
    let (snapshot, is_up) = once(server.address());
    assert!(is_up, "{snapshot}");
    for kind in KINDS {
        for name in ["p50_us", "p90_us", "p99_us", "p99.9_us"] {
            let shown = figure(&snapshot, &format!("latency.{kind}.{name}"));
            assert!(
                shown.parse::<f64>().unwrap() > 0.0,
                "{kind} {name}: {shown}"
            );
        }
    }
}

#[test]
fn it_can_be_switched_off() {
    let server = Server::start(2, &["-o", "no_latency"]);
    let mut client = server.connect();
    commands(&mut client, true);
    let stats = client.stats_list("latency");
    assert_eq!(
        stats,
        [("latency_status".to_owned(), "disabled".to_owned())]
    );
}

/// With a limit of a microsecond, every command is slow.
#[test]
fn slow_commands_are_told_to_watchers_and_to_the_log() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-o", "slow_us=1"]);
        let mut watcher = server.connect();
        assert_eq!(watcher.ask("watch slow"), "OK");
        let mut client = server.connect();
        for number in 0..50 {
            let key = format!("key%{number}");
            assert_eq!(client.set(&key, "x"), "STORED");
            let line = watcher.log_line();
            assert_eq!(field(&line, "type"), "slow");
            assert_eq!(field(&line, "cmd"), "set");
            assert_eq!(field(&line, "key"), format!("key%25{number}"));
            assert_eq!(field(&line, "commands"), "1");
            assert_eq!(field(&line, "size"), "8");
            assert_eq!(
                (field(&line, "rip"), field(&line, "transport")),
                ("127.0.0.1", "tcp")
            );
            let us = |name: &str| field(&line, name).parse::<u64>().unwrap();
            let stages = ["queue_us", "execution_us", "other_shard_us", "sending_us"].map(us);
            let sum: u64 = stages.iter().sum();
            // Each is rounded down.
            assert!((sum..sum + 4).contains(&us("total_us")), "{line}");
        }
        client.send("get key%1\r\nget key%2\r\nget key%3\r\n");
        for _ in 0..3 {
            assert_eq!(client.values().len(), 1);
        }
        let mut gets = 0;
        while gets < 3 {
            let line = watcher.log_line();
            assert_eq!(field(&line, "key"), format!("key%25{}", gets + 1));
            gets += field(&line, "commands").parse::<u32>().unwrap();
        }
        eventually("the log tells it, too", || {
            server.stderr_text().contains("key=\"key%250\"")
        });
        let log = server.stderr_text();
        assert!(log.contains("total_us="), "{log}");
    }
}

#[test]
fn without_a_limit_nothing_is_slow() {
    let server = Server::start(2, &["-vv", "-o", "slow_us=0"]);
    let mut watcher = server.connect();
    assert_eq!(watcher.ask("watch slow deletions"), "OK");
    let mut client = server.connect();
    commands(&mut client, true);
    for _ in 0..40 {
        assert_eq!(field(&watcher.log_line(), "type"), "deleted");
    }
    assert!(!server.stderr_text().contains("total_us"));
}
