//! Real sockets: clients that are slow, silent, too many, or talk about something else.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;

use super::*;

/// No answer takes longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(60);
/// An answer that does not fit into the buffers of a socket.
const LARGE_BYTES: usize = 32 << 20;

/// A server on a thread that goes on until the tests end.
fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        serve(&listener, |request| match request.path() {
            "/" => Answer::ok("text/plain", "here"),
            "/large" => Answer::ok("text/plain", "x".repeat(LARGE_BYTES)),
            _ => Answer::refusal("404 Not Found", "There is no such thing."),
        })
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that comes until the server closes.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(stream)
}

#[test]
fn requests_are_answered_however_they_are_cut() {
    let address = start();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let whole = ask(address, str::from_utf8(request).unwrap());
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n"), "{whole}");
    assert!(whole.ends_with("\r\n\r\nhere"), "{whole}");
    let mut cut = connect(address);
    for byte in request {
        cut.write_all(&[*byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(rest(cut), whole);
}

#[test]
fn the_silent_are_told_and_delay_nobody() {
    let address = start();
    let mut silent = connect(address);
    silent.write_all(b"stats\r\n").unwrap();
    for _ in 0..3 {
        assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").ends_with("here"));
    }
    assert!(rest(silent).starts_with("HTTP/1.1 408 "));
}

#[test]
fn who_takes_its_answer_slowly_delays_nobody_and_gets_it_whole() {
    let address = start();
    let mut slow = connect(address);
    slow.write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
    let mut first = [0; 15];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").ends_with("here"));
    let text = rest(slow);
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), LARGE_BYTES);
}

#[test]
fn a_request_with_too_many_bytes_is_refused_and_not_read_for_ever() {
    let address = start();
    let refused = ask(address, &format!("GET /{}", "x".repeat(9000)));
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    let mut endless = connect(address);
    let mut sent = 0_usize;
    while endless.write_all(&[b'x'; 1000]).is_ok() {
        sent += 1000;
        assert!(sent < 64 << 20, "it reads for ever");
    }
}

/// The refusal must not be lost although the body, which nobody wants, is on its way.
#[test]
fn who_sends_a_body_gets_the_refusal() {
    let address = start();
    for _ in 0..20 {
        let body = "x".repeat(30_000);
        let request = format!("POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n{body}");
        let refused = ask(address, &request);
        assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    }
}

#[test]
fn a_crowd_of_silent_clients_keeps_nobody_out() {
    let address = start();
    let crowd: Vec<_> = (0..CONNECTIONS_MAX * 3).map(|_| connect(address)).collect();
    assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").ends_with("here"));
    drop(crowd);
    assert!(ask(address, "GET /else HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_crowd_that_has_its_answers_and_stays_keeps_nobody_out() {
    let address = start();
    let crowd: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            stream
        })
        .collect();
    assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").ends_with("here"));
    for stream in crowd {
        assert!(rest(stream).ends_with("here"));
    }
}

#[test]
fn a_crowd_that_takes_no_answers_keeps_nobody_out() {
    let address = start();
    let crowd: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
            let mut first = [0; 15];
            stream.read_exact(&mut first).unwrap();
            stream
        })
        .collect();
    assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").ends_with("here"));
    drop(crowd);
}
