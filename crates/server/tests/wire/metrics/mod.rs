//! `-o metrics`: what is told there is what `stats` tells, whoever asks and however.
//!
//! ```text
//!   checker.rs   reads OpenMetrics, and takes nothing else; the server's own tests use it, too
//!   agree.rs     every counter of `stats` against a scrape
//!   health.rs    /healthz, of shards that answer and of those that do not
//!   ports.rs     busy ports, users, the line about the start
//!   clients.rs   clients that are slow, silent, or talk about something else
//! ```

mod agree;
mod checker;
mod clients;
mod health;
mod ports;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::server::{Server, binary, free_port};
use checker::{Told, check};

/// No answer takes longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(60);
/// What Prometheus 2.42 accepts.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Tells which shards are late.
const REPORT_AGE: &str = "corecached_shard_report_age_seconds";

/// memcached has none of this.
fn is_other_server() -> bool {
    binary().ends_with("memcached")
}

/// A server with a metrics port.
struct Measured {
    server: Server,
    /// Where its metrics are.
    address: SocketAddr,
}

impl Measured {
    fn start(shards: usize, options: &[&str]) -> Measured {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let metrics = format!("metrics={address}");
        let server = Server::start(shards, &[options, &["-o", &metrics]].concat());
        Measured { server, address }
    }

    fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// The reply to a GET: its status line, its headers and its body.
    fn get(&self, target: &str, headers: &str) -> Reply {
        ask(
            self.connect(),
            &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"),
        )
    }

    /// A scrape as Prometheus makes it, with the figures of now: on a busy machine a shard may be late.
    fn scrape(&self) -> Told {
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = self.get("/metrics", &format!("Accept: {PROMETHEUS}\r\n"));
            let mut lines = reply.body.lines();
            let is_old = |line: &str| line.starts_with(REPORT_AGE) && !line.ends_with(" 0");
            if reply.status == "200 OK" && !lines.any(is_old) {
                return check(&reply.body);
            }
            assert!(Instant::now() < until, "{} {}", reply.status, reply.body);
        }
    }
}

struct Reply {
    status: String,
    head: String,
    body: String,
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(mut stream: TcpStream, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).unwrap();
    read(stream)
}

/// The reply, up to the end of the connection.
fn read(mut stream: TcpStream) -> Reply {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{text:?}"));
    let status = head
        .lines()
        .next()
        .unwrap()
        .strip_prefix("HTTP/1.1 ")
        .unwrap();
    Reply {
        status: status.to_owned(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
