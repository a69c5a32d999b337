//! Lines longer than what a connection is read in: up to 16 KiB are answered if their end arrives with their beginning,
//! wherever a receive buffer, a record or a pipeline ends.

use std::io::{Read, Write};
use std::time::Duration;

use crate::auth::Passwords;
use crate::client::{Client, set_request};
use crate::server::Server;
use crate::unix_socket;

/// Lengths of lines around the sizes of buffers, their line end included.
const LENGTHS: [usize; 12] = [
    2049, 2050, 4096, 8190, 8191, 8192, 8193, 8194, 12_000, 16_382, 16_383, 16_384,
];

/// Lines of so many bytes, and their answers, after `set k 0 0 1` with the value `v`.
pub(crate) fn lines(length: usize) -> Vec<(Vec<u8>, &'static str)> {
    let filled = |begin: &str, end: &str| {
        let mut line = begin.as_bytes().to_vec();
        line.resize(length - end.len() - 2, b' ');
        line.extend_from_slice(end.as_bytes());
        line.extend_from_slice(b"\r\n");
        line
    };
    vec![
        (filled("mg k s v", "Oopaque"), "VA 1 s1 Oopaque\r\nv\r\n"),
        (filled("gat 0", "k"), "VALUE k 0 1\r\nv\r\nEND\r\n"),
        (filled("touch k 0", ""), "TOUCHED\r\n"),
        (filled("delete none", ""), "NOT_FOUND\r\n"),
        (filled("incr none 1", ""), "NOT_FOUND\r\n"),
        (filled("get none", "k"), "VALUE k 0 1\r\nv\r\nEND\r\n"),
        (filled("unknown", "command"), "ERROR\r\n"),
        (filled("mg none v", "q"), ""),
    ]
}

/// Each line alone, behind a pipeline that fills a buffer in any way, and all of them together.
pub(crate) fn conversations() -> Vec<(Vec<u8>, String)> {
    let mut all: Vec<(Vec<u8>, String)> = Vec::new();
    for length in LENGTHS {
        let mut together = (Vec::new(), String::new());
        for (number, (line, answer)) in lines(length).into_iter().enumerate() {
            let gets = number * 37 % 19 * 100;
            let mut request = b"mn\r\n".repeat(gets);
            request.extend_from_slice(&line);
            all.push((request, "MN\r\n".repeat(gets) + answer));
            together.0.extend_from_slice(&line);
            together.1 += answer;
        }
        all.push(together);
    }
    all
}

/// A request and what was answered, without their long middles.
fn shown(request: &[u8], got: &[u8]) -> String {
    let end = |bytes: &[u8]| {
        bytes[bytes.len().saturating_sub(60)..]
            .escape_ascii()
            .to_string()
    };
    format!("{} bytes, {}: {}", request.len(), end(request), end(got))
}

fn answers(stream: &mut (impl Read + Write)) {
    stream.write_all(b"set k 0 0 1\r\nv\r\n").unwrap();
    let mut stored = [0; 8];
    stream.read_exact(&mut stored).unwrap();
    for (request, expected) in conversations() {
        stream
            .write_all(&[&request[..], b"mn\r\n"].concat())
            .unwrap();
        let expected = expected + "MN\r\n";
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got == expected.as_bytes(), "{}", shown(&request, &got));
    }
}

#[test]
fn lines_of_up_to_16_kib_are_answered() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-R", "1000"]);
        answers(&mut server.connect().writer());
        let server = Server::start(shards, &[]);
        answers(&mut server.connect().writer());
    }
}

#[test]
fn over_a_unix_socket_too() {
    let server = unix_socket::Server::start_as(crate::server::command(), "lines", &["-t", "2"]);
    answers(&mut server.connect());
}

/// Whether the connection is closed without an answer to `bytes`.
fn is_closed_after(client: &mut Client, bytes: &[u8]) -> bool {
    client.try_send(bytes).is_err() || client.byte().is_ok_and(|byte| byte.is_none())
}

#[test]
fn lines_that_do_not_end_are_closed() {
    for shards in [1, 2] {
        let server = Server::start(shards, &[]);
        for line in ["delete none ", "mg k v ", "gat 0 k ", "x"] {
            for length in [2049, 9000, 16_384, 20_000, 100_000] {
                let mut endless = line.as_bytes().to_vec();
                endless.resize(length, b' ');
                let mut client = server.connect();
                assert!(is_closed_after(&mut client, &endless), "{line}, {length}");
            }
        }
        // Others are not kept waiting, nor is who has ended a line in time.
        let mut client = server.connect();
        client.send(vec![b' '; 2048]);
        std::thread::sleep(Duration::from_millis(100));
        client.send("x\r\nmn\r\n");
        assert_eq!(client.line(), "ERROR");
        assert_eq!(client.line(), "MN");
        assert_eq!(client.stat("curr_connections"), 1);
    }
}

#[test]
fn who_authenticates_may_do_it_with_a_long_line() {
    let passwords = Passwords::new("lines", "ann:secret\n");
    let server = Server::start(2, &["-Y", passwords.path()]);
    for length in LENGTHS {
        let mut line = b"set auth 0 0 10".to_vec();
        line.resize(length - 2, b' ');
        let mut client = server.connect();
        client.send([&line[..], b"\r\nann secret\r\n"].concat());
        assert_eq!(client.line(), "STORED", "{length} bytes");
        client.send(set_request("k", b"v"));
        assert_eq!(client.line(), "STORED");
        line.resize(length.max(2049), b' ');
        let mut client = server.connect();
        assert!(is_closed_after(&mut client, &line), "{length} bytes");
    }
}
