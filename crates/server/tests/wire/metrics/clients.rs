//! Clients of the metrics port that are slow, silent, too many, or talk about something else: neither the cache nor
//! other clients notice.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use super::{Measured, ask, is_other_server, read};

#[test]
fn what_is_no_request_is_refused_with_a_sentence() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    for (request, status, sentence) in [
        (
            "GET / HTTP/1.1\r\n\r\n",
            "404 Not Found",
            "There are /metrics and /healthz.",
        ),
        (
            "GET /metrics/ HTTP/1.1\r\n\r\n",
            "404 Not Found",
            "There are ",
        ),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405 Method Not Allowed",
            "only GET and HEAD",
        ),
        (
            "DELETE /metrics HTTP/1.1\r\n\r\n",
            "405 Method Not Allowed",
            "only GET and HEAD",
        ),
        ("stats\r\n\r\n", "400 Bad Request", "no request of HTTP"),
        (
            "\u{16}\u{3}\u{1} \r\n\r\n",
            "400 Bad Request",
            "no request of HTTP",
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "421 Misdirected Request",
            "localhost",
        ),
    ] {
        let reply = ask(measured.connect(), request);
        assert_eq!(reply.status, status, "{request:?}");
        assert!(reply.body.contains(sentence), "{request:?}: {}", reply.body);
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(10_000));
    let reply = ask(measured.connect(), &long);
    assert_eq!(reply.status, "431 Request Header Fields Too Large");
    let with_query = measured.get("/metrics?name=x", "");
    assert_eq!(with_query.status, "200 OK");
}

#[test]
fn a_head_request_has_no_body() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(1, &[]);
    for target in ["/metrics", "/healthz"] {
        let reply = ask(
            measured.connect(),
            &format!("HEAD {target} HTTP/1.1\r\n\r\n"),
        );
        assert_eq!((&*reply.status, &*reply.body), ("200 OK", ""));
        let length = reply.head.split("\r\nContent-Length: ").nth(1).unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        assert!(length > 2, "{}", reply.head);
    }
}

#[test]
fn slow_and_silent_clients_delay_nobody() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    let mut client = measured.server.connect();
    let crowd: Vec<TcpStream> = (0..100).map(|_| measured.connect()).collect();
    let mut slow = measured.connect();
    slow.write_all(b"GET /metr").unwrap();
    assert_eq!(client.set("k", "v"), "STORED");
    measured.scrape();
    assert_eq!(read(slow).status, "408 Request Timeout");
    drop(crowd);
    assert_eq!(client.get("k").as_deref(), Some(&b"v"[..]));
    measured.scrape();
}

/// Bytes of any kind, cut anywhere, with and without an end.
#[test]
fn garbage_does_no_harm() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    let mut state = 7_u64;
    for round in 0..200_usize {
        let mut garbage: Vec<u8> = (0..round * 37 % 3000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        if round % 2 == 0 {
            garbage.splice(0..0, b"GET /metrics HTTP/1.1\r\n".iter().copied());
        }
        if round % 3 == 0 {
            garbage.extend(b"\r\n\r\n");
        }
        let mut stream = measured.connect();
        // A client that has been refused may be cut off before everything is sent.
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(Shutdown::Write);
    }
    measured.scrape();
    assert_eq!(measured.server.connect().ask("version"), "VERSION 1.6.45");
}
