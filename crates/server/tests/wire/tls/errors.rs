//! What does not fit: plain text at the encrypted address and the other way round, garbage, bad files, too many
//! clients.

use std::io::Write;
use std::net::TcpStream;

use super::{Certificates, TlsClient, TlsServer};
use crate::client::Client;
use crate::server::{command, free_port};

#[test]
fn plain_text_at_an_encrypted_address_is_closed_without_a_word() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        for (n, text) in [
            "version\r\n",
            "get k\r\n",
            "\u{80}\u{b}",
            "GET / HTTP/1.1\r\n\r\n",
        ]
        .into_iter()
        .enumerate()
        {
            let mut client = Client::connect(tls.address);
            client.send(text);
            assert_eq!(client.byte().unwrap(), None);
            assert_eq!(tls.stat("ssl_handshake_errors"), n as u64 + 1);
        }
        assert_eq!(tls.connect().ask("version"), "VERSION 1.6.45");
        assert_eq!(tls.stat("ssl_proto_errors"), 0);
    }
}

/// Also if its first bytes come one by one; the rest of the record is no command.
#[test]
fn tls_at_a_plain_address_is_answered_as_an_unknown_command() {
    for shards in [1, 2] {
        let tls = TlsServer::start(shards, "");
        let plain = tls.server.address();
        let refused = TlsClient::connect(plain, &tls.settings());
        assert!(refused.is_err());
        let mut hello = vec![22, 3, 1, 1, 0];
        hello.extend(b"get k\r\n".repeat(40));
        hello.truncate(5 + 256);
        for cuts in [&[][..], &[1], &[1, 2, 3, 4, 5], &[5, 200]] {
            let mut client = Client::connect(plain);
            let mut sent = 0;
            for &cut in cuts.iter().chain([&hello.len()]) {
                client.send(&hello[sent..cut]);
                sent = cut;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            assert_eq!(client.line(), "ERROR");
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
        }
        // No TLS.
        let mut client = Client::connect(plain);
        client.send([22, 3, 13, 10]);
        assert_eq!(client.line(), "ERROR");
    }
}

#[test]
fn garbage_after_the_handshake_ends_one_connection() {
    let tls = TlsServer::start(2, "");
    let mut other = tls.connect();
    for n in 1..5 {
        let mut client = tls.connect();
        client.ask("version");
        client.socket().write_all(&[23, 3, 3, 0, 40]).unwrap();
        client.socket().write_all(&[7; 40]).unwrap();
        assert!(client.end().is_err(), "an alert");
        assert_eq!(tls.stat("ssl_proto_errors"), n);
        assert_eq!(other.ask("version"), "VERSION 1.6.45");
    }
    // A handshake that is left in the middle.
    for _ in 0..20 {
        let mut half = TcpStream::connect(tls.address).unwrap();
        half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    }
    assert_eq!(tls.connect().ask("version"), "VERSION 1.6.45");
}

#[test]
fn bad_files_end_the_start_with_a_sentence() {
    let certificates = Certificates::new();
    let path = |name: &str| certificates.path(name).display().to_string();
    for (chain, key, word) in [
        ("missing.pem", "server.key", "missing.pem"),
        ("server.pem", "missing.key", "missing.key"),
        ("server.key", "server.key", "no certificate"),
        ("server.pem", "server.pem", "no private key"),
        ("server.pem", "client.key", "does not belong"),
    ] {
        let options = format!("ssl_chain_cert={},ssl_key={}", path(chain), path(key));
        let ended = command()
            .args(["-Z", "-l", "127.0.0.1", "-p"])
            .arg(free_port().to_string())
            .args(["-o", &options])
            .output()
            .unwrap();
        assert!(!ended.status.success());
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(
            said.contains("Error loading the ") && said.contains(word),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn clients_above_the_limit_are_closed() {
    let tls = TlsServer::start_with(1, "", &["-c", "8"]);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut client = tls.connect();
            client.ask("version");
            client
        })
        .collect();
    assert!(TlsClient::connect(tls.address, &tls.settings()).is_err());
    drop(clients);
}
