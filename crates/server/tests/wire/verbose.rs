//! `-vv` and `-vvv`: what people search for on stderr.

use crate::client::{Client, set_request};
use crate::faults::eventually;
use crate::server::Server;

/// Requests, replies and lookups of one connection: the words of the lines of stderr that begin with `<`, `>`.
fn talk(client: &mut Client) {
    client.send(set_request("k", b"ab"));
    assert_eq!(client.line(), "STORED");
    assert_eq!(client.get("k").as_deref(), Some(&b"ab"[..]));
    for (request, reply) in [
        ("delete nope", "NOT_FOUND"),
        ("incr nope 1", "NOT_FOUND"),
        ("touch k 0", "TOUCHED"),
        ("mg nope v", "EN"),
        ("mg k", "HD"),
        ("bogus", "ERROR"),
        ("incr k +1", "CLIENT_ERROR invalid numeric delta argument"),
        ("delete k", "DELETED"),
        ("mn", "MN"),
    ] {
        assert_eq!(client.ask(request), reply);
    }
}

const EXPECTED: &[&str] = &[
    "<N set k 0 0 2",
    ">N STORED",
    "<N get k",
    ">N sending key k",
    ">N END",
    "<N delete nope",
    ">N NOT_FOUND",
    "<N touch k 0",
    ">N TOUCHED",
    "<N mg nope v",
    ">N EN",
    "<N bogus",
    ">N ERROR",
    "<N incr k +1",
    ">N CLIENT_ERROR invalid numeric delta argument",
    ">N DELETED",
];

/// What is shown in this order. A value of another shard may be shown behind its `END`.
fn expected(shards: usize) -> Vec<&'static str> {
    let is_fixed = |line: &&&str| shards == 1 || **line != ">N END";
    EXPECTED.iter().filter(is_fixed).copied().collect()
}

const LOOKUPS: &[&str] = &[
    "> NOT FOUND k",
    "> FOUND KEY k",
    "> NOT FOUND nope",
    "> FOUND KEY k",
];

/// Lines of the connection, with `N` for its descriptor; and those of lookups.
fn said(server: &Server) -> (Vec<String>, Vec<String>) {
    let text = server.stderr_text();
    let (mut lines, mut lookups) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut shown = line.chars();
        let Some(mark @ ('<' | '>')) = shown.next() else {
            continue;
        };
        let rest = shown
            .as_str()
            .trim_start_matches(|c: char| c.is_ascii_digit());
        if line.starts_with("> ") {
            lookups.push(line.to_owned());
        } else {
            lines.push(format!("{mark}N{rest}"));
        }
    }
    (lines, lookups)
}

/// Whether these are among the lines, in this order.
fn has_in_order(lines: &[String], expected: &[&str]) -> bool {
    let mut lines = lines.iter();
    expected
        .iter()
        .all(|wanted| lines.any(|line| line == wanted))
}

fn requests_replies_and_lookups(shards: usize) {
    for (option, shows, looks_up) in [
        ("-v", false, false),
        ("-vv", true, false),
        ("-vvv", true, true),
    ] {
        let server = Server::start(shards, &[option]);
        talk(&mut server.connect());
        if shows {
            eventually("a line on stderr", || {
                said(&server).0.iter().any(|line| line.ends_with("MN"))
            });
        }
        let (lines, lookups) = said(&server);
        assert_eq!(
            has_in_order(&lines, &expected(shards)),
            shows,
            "{option}: {lines:?}"
        );
        assert_eq!(
            has_in_order(&lookups, LOOKUPS),
            looks_up,
            "{option}: {lookups:?}"
        );
        assert!(looks_up || lookups.is_empty(), "{option}: {lookups:?}");
        assert!(shows || lines.is_empty(), "{option}: {lines:?}");
    }
}

#[test]
fn requests_replies_and_lookups_one_shard() {
    requests_replies_and_lookups(1);
}

#[test]
fn requests_replies_and_lookups_four_shards() {
    requests_replies_and_lookups(4);
}

/// What is dead is said to be; the command `verbosity` turns it all on and off.
#[test]
fn the_dead_and_the_command() {
    let server = Server::start(1, &["-vvv"]);
    let mut client = server.connect();
    // At once, so that no upkeep removes the dead in between.
    client.send("set a 0 0 1\r\n1\r\nflush_all\r\nget a\r\n");
    for reply in ["STORED", "OK", "END"] {
        assert_eq!(client.line(), reply);
    }
    client.send("set b 0 -1 1\r\n1\r\nget b\r\n");
    for reply in ["STORED", "END"] {
        assert_eq!(client.line(), reply);
    }
    let dead = [
        "> FOUND KEY a -nuked by flush",
        "> FOUND KEY b -nuked by expire",
    ];
    eventually("a line on stderr", || has_in_order(&said(&server).1, &dead));
    assert_eq!(client.ask("verbosity 0"), "OK");
    assert!(client.get("quiet").is_none());
    assert_eq!(client.ask("verbosity 2"), "OK");
    assert!(client.get("loud").is_none());
    eventually("a line on stderr", || {
        has_in_order(&said(&server).0, &["<N get loud", ">N END"])
    });
    assert!(!server.stderr_text().contains("quiet"));
    // A client cannot write to a terminal.
    client.ask("get \u{1b}[2J");
    eventually("a line on stderr", || {
        server.stderr_text().contains("get \\x1b[2J")
    });
}
