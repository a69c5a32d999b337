//! Clients that ask for much and read late: their sends wait in the kernel, beside those of others.

use std::thread;
use std::time::Duration;

use super::link::{Link, TRANSPORTS, Transport};
use super::speech::{PROTOCOLS, Protocol};
use super::values::Values;
use super::{Reader, fill, seed};

/// Threads, and clients of each.
const THREADS: u64 = 8;
const CLIENTS: u64 = 30;
/// Bytes of the values of one request, at most.
const REQUEST_BYTES_MAX: usize = 3 << 20;
/// How long a client lets its replies lie: some go on at once, some when all sockets are full.
const REST_MAX: Duration = Duration::from_millis(600);

/// Runs all clients on a server, and gives the bytes verified.
pub(super) fn run(link: &Link, values: &Values, seed: u64) -> u64 {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| scope.spawn(move || some(link, values, seed + number * CLIENTS, number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    })
}

/// The clients of one thread: all ask, then one after the other reads.
fn some(link: &Link, values: &Values, seed: u64, thread: u64) -> u64 {
    let mut readers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let protocol = match number % 4 {
                0 => PROTOCOLS[number as usize / 4 % PROTOCOLS.len()],
                _ => Protocol::Text,
            };
            let mut reader = Reader::new(link.connect_tight(), protocol, values, seed + number);
            let requests: Vec<_> = (0..1 + number % 3)
                .map(|_| reader.keys(REQUEST_BYTES_MAX))
                .collect();
            reader.ask(&requests);
            (reader, requests)
        })
        .collect();
    thread::sleep(REST_MAX * thread as u32 / THREADS as u32);
    for (reader, requests) in &mut readers {
        reader.verify(requests);
    }
    // Once more, now that all have been blocked.
    for (reader, requests) in &mut readers {
        reader.ask(&requests[..1]);
    }
    for (reader, requests) in &mut readers {
        reader.verify(&requests[..1]);
    }
    readers
        .iter()
        .map(|(reader, _)| reader.verified_bytes)
        .sum()
}

fn over(transport: &Transport, name: &str) {
    let (values, seed) = (Values::new(), seed());
    for shards in [1, 2] {
        let link = Link::start(transport, shards, &format!("slow-{name}-{shards}"));
        fill(&link, &values);
        let verified = run(&link, &values, seed);
        assert_eq!(link.streams_in_doubt(), 0);
        println!("{name}, {shards} shards: {verified} bytes verified");
    }
}

#[test]
fn slow_clients_over_tcp() {
    over(&TRANSPORTS[0], "tcp");
}

#[test]
fn slow_clients_over_tls() {
    over(&TRANSPORTS[1], "tls");
}

#[test]
fn slow_clients_over_the_unix_socket() {
    over(&TRANSPORTS[2], "unix");
}
