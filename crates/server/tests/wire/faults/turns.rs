//! Work whose length a client chooses: commands that concern everything there is, lines of megabytes, crowds. Each
//! client is given its share of a turn; the crate's own tests count it (`harness.rs`), here the others are asked how
//! they feel.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use super::{assert_served_promptly, eventually};
use crate::client::Client;
use crate::server::Server;

/// Sends `requests` again and again, as fast as the server takes them, until the connection is shut down.
fn flood(mut writer: TcpStream, requests: &[u8]) {
    while writer.write_all(requests).is_ok() {}
}

/// Reads whatever comes.
fn swallow(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

/// Asks for small keys while several clients flood the server.
fn assert_others_are_served(server: &Server, requests: &[u8], clients: usize) {
    let mut other = server.connect();
    other.set("small", "x");
    let clients: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
    thread::scope(|scope| {
        for client in &clients {
            let (writer, reader) = (client.writer(), client.writer());
            scope.spawn(move || flood(writer, requests));
            scope.spawn(move || swallow(reader));
        }
        // They end in any case, so that a failure is one and no hang.
        let served = catch_unwind(AssertUnwindSafe(|| {
            assert_served_promptly(server, &mut other, "small", 100);
        }));
        for client in &clients {
            client.writer().shutdown(Shutdown::Both).unwrap();
        }
        served.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

#[test]
fn lines_of_megabytes_delay_nobody() {
    let misses = [b"get".as_slice(), &b" a".repeat(2 << 20), b"\r\n"].concat();
    let hits = [b"get".as_slice(), &b" small".repeat(1 << 20), b"\r\n"].concat();
    let spaces = [b"get a".as_slice(), &b" ".repeat(4 << 20), b"b\r\n"].concat();
    let long = [b"get a ".as_slice(), &b"b".repeat(4 << 20), b"\r\n"].concat();
    for shards in [1, 2] {
        for line in [&misses, &hits, &spaces, &long] {
            let server = Server::start(shards, &[]);
            assert_others_are_served(&server, line, 1);
        }
    }
}

#[test]
fn statistics_of_everything_delay_nobody() {
    for shards in [1, 2] {
        let server = Server::start(shards, &["-o", "track_sizes", "-c", "3000"]);
        let mut client = server.connect();
        client.ask("stats detail on");
        for start in (0..70_000).step_by(1000) {
            let gets = (start..start + 1000).map(|number| format!("get p{number:0>240}:k\r\n"));
            client.send(gets.collect::<String>());
            client.bytes(5 * 1000);
        }
        let _crowd: Vec<TcpStream> = (0..1000).map(|_| server.connect().writer()).collect();
        for number in 0..2000 {
            client.set(&format!("key-{number}"), vec![b'x'; 10 + 16 * number]);
        }
        for requests in [
            "stats detail dump\r\n",
            "stats conns\r\n",
            "stats sizes\r\n",
            "stats items\r\nstats slabs\r\nstats\r\nstats settings\r\n",
            "stats cachedump 1 0\r\nstats cachedump 63 1\r\n",
            "verbosity 0\r\n",
            "flush_all 1000000\r\n",
            "slabs reassign -1 5\r\n",
        ] {
            println!("{shards} shards, {requests:?}");
            assert_others_are_served(&server, requests.repeat(20).as_bytes(), 4);
        }
    }
}

/// What `stats detail dump` says, by prefix.
fn prefixes(client: &mut Client) -> Vec<String> {
    client.send("stats detail dump\r\n");
    std::iter::from_fn(|| Some(client.line()).filter(|line| line != "END")).collect()
}

#[test]
fn a_long_dump_of_prefixes_is_whole_and_counts_right() {
    const PREFIXES: usize = 3000;
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        client.ask("stats detail on");
        for number in 0..PREFIXES {
            let times = 1 + number % 3;
            client.send(format!("get p{number}:{times}\r\n").repeat(times));
            client.send(format!("delete p{number}:other\r\n"));
            client.bytes(times * "END\r\n".len());
            assert_eq!(client.line(), "NOT_FOUND");
        }
        let lines = prefixes(&mut client);
        assert_eq!(lines.len(), PREFIXES);
        for number in 0..PREFIXES {
            let times = 1 + number % 3;
            let line = format!("PREFIX p{number} get {times} hit 0 set 0 del 1");
            assert!(lines.contains(&line), "{shards} shards: {line}");
        }
        assert_eq!(client.ask("stats reset"), "RESET");
        assert_eq!(prefixes(&mut client), Vec::<String>::new());
        client.send("get p7:k q:k\r\n");
        client.line();
        let lines = prefixes(&mut client);
        assert_eq!(
            lines,
            [
                "PREFIX p7 get 1 hit 0 set 0 del 0",
                "PREFIX q get 1 hit 0 set 0 del 0"
            ]
        );
    }
}

#[test]
fn every_connection_is_told_of_once() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-c", "600"]);
        let mut client = server.connect();
        let crowd: Vec<Client> = (0..300).map(|_| server.connect()).collect();
        eventually("they are there", || client.stat("curr_connections") == 301);
        let list = client.stats_list("conns");
        let states = list.iter().filter(|(name, _)| name.ends_with(":state"));
        let open = states
            .filter(|(_, state)| state != "conn_listening")
            .count();
        assert_eq!(open, 301);
        let mut names: Vec<&String> = list.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), list.len(), "a descriptor was shown twice");
        drop(crowd);
    }
}

#[test]
fn crowds_that_come_and_go_delay_nobody_and_are_counted() {
    for shards in [1, 2] {
        let server = Server::start(shards, &["-c", "2000"]);
        let mut other = server.connect();
        other.set("small", "x");
        for _ in 0..3 {
            let crowd: Vec<Client> = (0..500).map(|_| server.connect()).collect();
            assert_served_promptly(&server, &mut other, "small", 50);
            drop(crowd);
            assert_served_promptly(&server, &mut other, "small", 50);
        }
        eventually("they are gone", || other.stat("curr_connections") == 1);
        assert_eq!(other.stat("connection_structures"), 1);
        assert!(other.stat("total_connections") > 1500);
    }
}

#[test]
fn a_long_get_is_answered_as_a_short_one() {
    for shards in [1, 2] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        for number in 0..50 {
            client.set(&format!("key-{number}"), format!("value {number}"));
        }
        // Hits among misses, keys of all lengths, several spaces; more than 16 KiB, and more than one turn's share.
        let mut line = String::from("gets");
        for number in 0..20_000 {
            line += &" ".repeat(1 + number % 3);
            line += &match number % 4 {
                0 => format!("key-{}", number % 50),
                1 => "a".to_owned(),
                2 => "k".repeat(1 + number % 250),
                _ => format!("miss-{number}"),
            };
        }
        for end in ["\r\n", "\n", "  \r\n"] {
            client.send(format!("{line}{end}mn\r\n"));
            let values = client.values();
            let numbers = (0..20_000).filter(|number| number % 4 == 0);
            assert!(
                values
                    .iter()
                    .map(|value| value.key.clone())
                    .eq(numbers.map(|number| format!("key-{}", number % 50)))
            );
            assert_eq!(client.line(), "MN");
        }
        // A key that is too long spoils all of it, wherever it stands.
        for at in ["start", "end"] {
            let long = "x".repeat(251);
            let line = match at {
                "start" => format!("get {long}{}", " a".repeat(20_000)),
                _ => format!("get{} {long}", " key-1".repeat(20_000)),
            };
            client.send(format!("{line}\r\nmn\r\n"));
            assert_eq!(client.line(), "CLIENT_ERROR bad command line format");
            assert_eq!(client.line(), "MN");
        }
        client.send(format!("get {}\r\nmn\r\n", " ".repeat(50_000)));
        assert_eq!(client.line(), "CLIENT_ERROR bad command line format");
        assert_eq!(client.line(), "MN");
        assert_eq!(client.stat("conn_yields"), 0);
    }
}
