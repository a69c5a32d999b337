//! As much of HTTP/1.1 as a page needs that is looked at by few: one GET on each connection, answered and closed.
//!
//! A request has [`HEAD_BYTES_MAX`] bytes and the time of `bounded.rs`, and no more than [`CONNECTIONS_MAX`] are served at
//! once, so that nobody holds more than that.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use corecached_client::Socket;

use crate::bounded::Bounded;

/// Longest request that is read.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Connections at once; further ones are closed.
const CONNECTIONS_MAX: usize = 64;
/// Pause after a connection could not be accepted, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The page may load what it has in itself, and ask this server; nothing else, whatever a key is called.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is sent for a target.
pub(super) struct Answer {
    pub(super) kind: &'static str,
    pub(super) body: String,
}

/// Finds the answer for a target; `None` if there is no such thing.
pub(super) trait Site: Fn(&str) -> Option<Answer> + Send + Sync + 'static {}
impl<F: Fn(&str) -> Option<Answer> + Send + Sync + 'static> Site for F {}

/// Serves for ever; returns why it cannot.
pub(super) fn serve(listener: &TcpListener, site: &Arc<impl Site>) -> io::Error {
    let is_local = match listener.local_addr() {
        Ok(address) => address.ip().is_loopback(),
        Err(error) => return error,
    };
    // Each connection holds a reference until it has ended.
    let connections = Arc::new(());
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        if Arc::strong_count(&connections) > CONNECTIONS_MAX {
            continue;
        }
        let (site, connection) = (Arc::clone(site), Arc::clone(&connections));
        // Without a thread the connection is closed, as it is with too many.
        let _ = thread::Builder::new().spawn(move || {
            // A browser that goes away in the middle is nobody's fault.
            let _ = converse(stream, &*site, is_local);
            drop(connection);
        });
    }
}

fn converse(stream: TcpStream, site: &impl Site, is_local: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Bounded::new(Socket::Tcp(stream));
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = connection.read(&mut bytes)?;
        if count == 0 || head.len() + count > HEAD_BYTES_MAX {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..count]);
    }
    let reply = reply(&head, site, is_local);
    connection.begin();
    connection.write_all(&reply)
}

/// The reply to a whole request.
fn reply(head: &[u8], site: &impl Site, is_local: bool) -> Vec<u8> {
    let Ok(head) = str::from_utf8(head) else {
        return refuse("400 Bad Request");
    };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    if is_local && !lines.filter_map(host).all(is_local_host) {
        return refuse("421 Misdirected Request");
    }
    match method {
        Some("GET") => match site(target) {
            Some(answer) => whole("200 OK", &answer),
            None => refuse("404 Not Found"),
        },
        _ => refuse("405 Method Not Allowed"),
    }
}

/// The host that a header line names.
fn host(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("host").then(|| value.trim())
}

/// Whether a browser that asks for this host means this machine. A page from elsewhere whose name leads to 127.0.0.1 has
/// its own name here, and could read what only this machine's users may.
fn is_local_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn refuse(status: &str) -> Vec<u8> {
    let answer = Answer {
        kind: "text/plain",
        body: format!("{status}\n"),
    };
    whole(status, &answer)
}

fn whole(status: &str, answer: &Answer) -> Vec<u8> {
    let Answer { kind, body } = answer;
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: {POLICY}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status line of the reply to a request.
    fn status(request: &[u8], is_local: bool) -> String {
        let site = |target: &str| {
            (target == "/").then(|| Answer {
                kind: "text/plain",
                body: "here".to_owned(),
            })
        };
        let reply = String::from_utf8(reply(request, &site, is_local)).unwrap();
        reply.lines().next().unwrap().to_owned()
    }

    #[test]
    fn requests_are_answered_or_refused() {
        for (request, expected) in [
            (
                &b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"[..],
                "200 OK",
            ),
            (b"GET / HTTP/1.0\r\n\r\n", "200 OK"),
            (b"GET /else HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"GET ../../etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"POST / HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            (b"\r\n\r\n", "405 Method Not Allowed"),
            (b"\xff\xfe\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(
                status(request, true),
                format!("HTTP/1.1 {expected}"),
                "{request:?}"
            );
        }
    }

    #[test]
    fn on_loopback_the_name_of_another_site_is_refused() {
        for (host, is_taken) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("LOCALHOST", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
        ] {
            let request = format!("GET / HTTP/1.1\r\nhOsT: {host}\r\n\r\n");
            assert_eq!(
                status(request.as_bytes(), true).contains("200"),
                is_taken,
                "{host}"
            );
            assert!(status(request.as_bytes(), false).contains("200"), "{host}");
        }
    }
}
