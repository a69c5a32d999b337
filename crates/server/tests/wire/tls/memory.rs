//! What clients cost: idle ones, and those that do not read.

use std::io::Write;

use super::{TlsClient, TlsServer};
use crate::client::{pattern, set_request, write_until_blocked};

/// What a connection may cost, with glibc's and the kernel's rounding. docs/benchmarks.md has the figure.
const IDLE_BYTES_MAX: u64 = 16 << 10;
/// Memory that one slow client may cost.
const RESIDENT_GROWTH_MAX: u64 = 32 << 20;

#[test]
fn an_idle_connection_costs_little() {
    const CLIENTS: u64 = 800;
    let tls = TlsServer::start_with(1, "", &["-c", "2000"]);
    let settings = tls.settings();
    let connect = || {
        let mut client = TlsClient::connect(tls.address, &settings).unwrap();
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        client
    };
    let warm: Vec<_> = (0..100).map(|_| connect()).collect();
    let before = tls.server.resident_bytes();
    let clients: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
    let growth = tls.server.resident_bytes().saturating_sub(before);
    println!("{} bytes for an idle connection", growth / CLIENTS);
    assert!(growth / CLIENTS < IDLE_BYTES_MAX, "{}", growth / CLIENTS);
    drop((warm, clients));
}

#[test]
fn a_client_that_never_reads_costs_little() {
    const VALUE_BYTES: usize = 900_000;
    for shards in [1, 4] {
        let tls = TlsServer::start_with(shards, "", &["-m", "64"]);
        let data = pattern(1, VALUE_BYTES);
        let mut other = tls.connect();
        other.send(set_request("big", &data));
        assert_eq!(other.line(), "STORED");
        let before = tls.server.resident_bytes();
        let mut slow: Vec<_> = (0..4).map(|_| tls.connect()).collect();
        for client in &mut slow {
            send_until_blocked(client);
        }
        assert!(other.get("big") == data);
        let growth = tls.server.resident_bytes().saturating_sub(before);
        assert!(growth < RESIDENT_GROWTH_MAX, "{growth} bytes");
        // Now they read, and nothing is missing or wrong.
        for client in &mut slow {
            for _ in 0..20 {
                assert!(client.value("big") == data);
                assert_eq!(client.line(), "END");
            }
        }
        // Those who go without reading leave nothing pinned: the memory can be written again.
        drop(slow);
        for n in 0..200 {
            other.send(set_request(&format!("other{}", n % 50), &data));
            assert_eq!(other.line(), "STORED");
        }
    }
}

/// Sends gets until the server takes no more for a while.
fn send_until_blocked(client: &mut TlsClient) {
    let mut wire = client.socket().try_clone().unwrap();
    let connection = client.connection();
    let mut ciphertext = Vec::new();
    for _ in 0..40 {
        connection
            .writer()
            .write_all("get big\r\n".repeat(500).as_bytes())
            .unwrap();
        while connection.wants_write() {
            connection.write_tls(&mut ciphertext).unwrap();
        }
    }
    let sent = write_until_blocked(&mut wire, &ciphertext);
    assert!(sent > 1000);
}
