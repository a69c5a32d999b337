//! Clients that read as fast as they can: what ordinary ones do.

use std::thread;
use std::time::Instant;

use super::link::{Link, TRANSPORTS, Transport};
use super::speech::{PROTOCOLS, Protocol};
use super::values::Values;
use super::{Reader, duration, fill, seed};

const CLIENTS: u64 = 12;
/// Bytes of the values of one request, at most.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// Runs all clients on a server, and gives the bytes verified. Each has a protocol and a depth of its own.
pub(super) fn run(link: &Link, values: &Values, seed: u64) -> u64 {
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn(move || {
                    let protocol = match number {
                        // Most speak text: its gets of many keys are one request.
                        0..6 => Protocol::Text,
                        _ => PROTOCOLS[number as usize % PROTOCOLS.len()],
                    };
                    let depth = [1, 4][number as usize / 2 % 2];
                    let mut reader = Reader::new(link.connect(), protocol, values, seed + number);
                    let mut rounds = 0;
                    while rounds < 2 || Instant::now() < end {
                        let requests: Vec<_> =
                            (0..depth).map(|_| reader.keys(REQUEST_BYTES_MAX)).collect();
                        reader.ask(&requests);
                        reader.verify(&requests);
                        rounds += 1;
                    }
                    reader.verified_bytes
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    })
}

fn over(transport: &Transport, name: &str) {
    let (values, seed) = (Values::new(), seed());
    for shards in [1, 2, 3] {
        let link = Link::start(transport, shards, &format!("quick-{name}-{shards}"));
        fill(&link, &values);
        let verified = run(&link, &values, seed);
        assert_eq!(link.streams_in_doubt(), 0);
        println!("{name}, {shards} shards: {verified} bytes verified");
    }
}

#[test]
fn quick_clients_over_tcp() {
    over(&TRANSPORTS[0], "tcp");
}

#[test]
fn quick_clients_over_tls() {
    over(&TRANSPORTS[1], "tls");
}

#[test]
fn quick_clients_over_the_unix_socket() {
    over(&TRANSPORTS[2], "unix");
}
