//! A client that sends requests and does not read the replies.

use super::assert_served_promptly;
use crate::client::{Client, pattern, set_request, write_until_blocked};
use crate::server::Server;

const VALUE_BYTES: usize = 100_000;

/// Memory that one slow client may cost, wherever the server keeps its replies.
const RESIDENT_GROWTH_MAX: u64 = 32 << 20;

/// Sends gets of `key` until the server takes no more for a while, and gives their number.
fn send_until_blocked(client: &mut Client, key: &str, requests_max: usize) -> usize {
    let request = format!("get {key}\r\n").into_bytes();
    let input = request.repeat(requests_max);
    let sent = write_until_blocked(&mut client.writer(), &input);
    // A request cut by the full socket is not answered: its end is sent with the next reads.
    sent / request.len()
}

#[test]
fn a_client_that_never_reads_costs_little_and_delays_nobody() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "64"]);
        let data = pattern(1, VALUE_BYTES);
        let mut other = server.connect();
        other.set("big", &data);
        other.set("small", "x");
        let before = server.resident_bytes();
        let mut slow = server.connect();
        let requests = send_until_blocked(&mut slow, "big", 300_000);
        assert!(requests > 100, "{requests} requests were taken");
        assert_served_promptly(&server, &mut other, "small", 200);
        assert_served_promptly(&server, &mut server.connect(), "big", 50);
        let growth = server.resident_bytes().saturating_sub(before);
        assert!(
            growth < RESIDENT_GROWTH_MAX,
            "{growth} bytes for one client"
        );
        // Now it reads, and nothing is missing or wrong.
        for _ in 0..requests.min(1500) {
            let values = slow.values();
            assert!(values.len() == 1 && values[0].data == data);
        }
        assert_served_promptly(&server, &mut other, "small", 100);
    }
}

#[test]
fn thousands_of_gets_are_answered_when_the_client_reads_late() {
    const REQUESTS: usize = 2000;
    let server = Server::start(2, &[]);
    let data = pattern(2, VALUE_BYTES);
    let mut slow = server.connect();
    slow.set("big", &data);
    slow.send("get big\r\n".repeat(REQUESTS) + "version\r\n");
    assert_served_promptly(&server, &mut server.connect(), "big", 100);
    for _ in 0..REQUESTS {
        let values = slow.values();
        assert!(values.len() == 1 && values[0].data == data);
    }
    assert!(slow.line().starts_with("VERSION"));
}

/// A value that is being sent survives its deletion, its overwriting and its eviction.
#[test]
fn a_value_on_its_way_does_not_change() {
    const GETS: usize = 40;
    // The last one takes several system calls to send.
    for (length, memory) in [
        (3_000, "32"),
        (20_000, "32"),
        (900_000, "32"),
        (12_000_000, "64"),
    ] {
        let server = Server::start(2, &["-m", memory, "-I", "16m"]);
        let value = |version: u64| pattern(version, length);
        let mut writer = server.connect();
        writer.set("big", value(0));
        let mut slow = server.connect();
        slow.send("get big\r\n".repeat(GETS));
        // The first value is on its way; the gets behind it may meet any version, or none.
        assert_eq!(slow.peek().unwrap(), Some(b'V'));
        for version in 1..=10 {
            writer.set("big", value(version));
            writer.ask("delete big");
            writer.set("big", value(version));
        }
        for number in 0..60_000_000 / length {
            writer.send(set_request(
                &format!("filler-{number}"),
                &value(number as u64),
            ));
            writer.line();
        }
        let versions: Vec<Vec<u8>> = (0..=10).map(value).collect();
        let mut answered = 0;
        for _ in 0..GETS {
            for found in slow.values() {
                assert!(
                    versions.contains(&found.data),
                    "a value of {length} changed on its way"
                );
                answered += 1;
            }
        }
        assert!(answered > 0);
    }
}
