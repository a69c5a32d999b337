//! Requests and replies: small, pipelined, large, in pieces, at the end of a connection.

use std::io::Write;

use rustls::version;

use super::{TlsClient, TlsServer};
use crate::client::{pattern, set_request};

#[test]
fn commands_work_as_without_tls() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        for version in [&version::TLS13, &version::TLS12] {
            let settings = tls.certificates.of_version(version);
            let mut client = TlsClient::connect(tls.address, &settings).unwrap();
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
            client.send(set_request("key", b"value"));
            assert_eq!(client.line(), "STORED");
            assert_eq!(client.get("key"), b"value");
            assert_eq!(client.ask("delete key"), "DELETED");
            assert_eq!(client.ask("get key"), "END");
            assert_eq!(client.ask("set number 0 0 1\r\n9"), "STORED");
            assert_eq!(client.ask("incr number 1"), "10");
            assert_eq!(client.ask("no_such_command"), "ERROR");
            assert_eq!(client.ask("flush_all"), "OK");
        }
        // What one kind of client stores, the other reads.
        tls.connect().send(set_request("shared", b"secret"));
        let mut plain = tls.server.connect();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while plain.get("shared").is_none() {
            assert!(std::time::Instant::now() < end);
        }
    }
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut client = tls.connect();
        let mut requests = Vec::new();
        for n in 0..2000 {
            requests.extend(set_request(
                &format!("key{n}"),
                format!("value{n}").as_bytes(),
            ));
            requests.extend(format!("get key{n}\r\n").bytes());
        }
        client.send(&requests);
        for n in 0..2000 {
            assert_eq!(client.line(), "STORED");
            assert_eq!(
                client.value(&format!("key{n}")),
                format!("value{n}").as_bytes()
            );
            assert_eq!(client.line(), "END");
        }
    }
}

#[test]
fn requests_come_one_byte_a_record() {
    let tls = TlsServer::start(2, "");
    let mut client = tls.connect();
    for byte in set_request("slowly", b"but surely") {
        client.send([byte]);
    }
    assert_eq!(client.line(), "STORED");
    assert_eq!(client.get("slowly"), b"but surely");
}

#[test]
fn large_values_are_sent_out_of_slab_memory() {
    for shards in [1, 4] {
        let tls = TlsServer::start_with(shards, "", &["-m", "256", "-I", "8m"]);
        let mut client = tls.connect();
        for (n, length) in [
            16_383, 16_384, 16_385, 40_000, 600_000, 1_000_000, 5_000_000,
        ]
        .into_iter()
        .enumerate()
        {
            let data = pattern(n as u64, length);
            client.send(set_request("large", &data));
            assert_eq!(client.line(), "STORED");
            assert!(client.get("large") == data, "{length} bytes");
        }
        // A value that is deleted while it is sent arrives whole, and its memory comes back.
        let data = pattern(7, 5_000_000);
        for round in 0..100 {
            client.send(set_request("large", &data));
            assert_eq!(client.line(), "STORED", "round {round}");
            client.send("get large\r\ndelete large\r\nget large\r\n");
            assert!(client.value("large") == data);
            assert_eq!(client.line(), "END");
            assert_eq!(client.line(), "DELETED");
            assert_eq!(client.line(), "END");
        }
    }
}

#[test]
fn a_large_value_may_come_right_after_the_handshake() {
    // TLS 1.3 lets the client go on at once, while the server still has its last message to look at.
    let data = pattern(3, 900_000);
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        for _ in 0..40 {
            let mut client = tls.connect();
            client.send(set_request("large", &data));
            assert_eq!(client.line(), "STORED");
        }
        assert_eq!(tls.stat("ssl_handshake_errors"), 0);
    }
}

#[test]
fn a_get_of_many_large_values_is_one_answer() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut client = tls.connect();
        let values: Vec<Vec<u8>> = (0..60).map(|n| pattern(n, 500 * n as usize + 10)).collect();
        let mut request = String::from("get");
        for (n, value) in values.iter().enumerate() {
            client.send(set_request(&format!("k{n}"), value));
            assert_eq!(client.line(), "STORED");
            request += &format!(" k{n}");
        }
        client.send(format!("{request}\r\n"));
        for (n, value) in values.iter().enumerate() {
            assert!(client.value(&format!("k{n}")) == *value, "k{n}");
        }
        assert_eq!(client.line(), "END");
    }
}

#[test]
fn both_ends_say_goodbye() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut client = tls.connect();
        client.send("set k 0 0 1\r\nv\r\nquit\r\nget k\r\n");
        assert_eq!(client.line(), "STORED");
        client.end().expect("a goodbye after quit");
        // A client that has said goodbye still gets what it has asked for.
        let mut client = tls.connect();
        let requests = "get k\r\n".repeat(300);
        client.send(&requests);
        client.finish_sending();
        for _ in 0..300 {
            assert_eq!(client.value("k"), b"v");
            assert_eq!(client.line(), "END");
        }
        client.end().expect("a goodbye after the last answer");
        // Without a goodbye, too.
        let mut client = tls.connect();
        client.send("get k\r\n");
        client.socket().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.value("k"), b"v");
        assert_eq!(client.line(), "END");
        client.end().unwrap();
    }
}

#[test]
fn the_end_of_the_process_is_said() {
    let mut tls = TlsServer::start(2, "");
    let mut client = tls.connect();
    client.ask("version");
    tls.server.signal(rustix::process::Signal::TERM);
    client.end().expect("a goodbye");
    assert!(
        tls.server
            .wait_for_exit(std::time::Duration::from_secs(60))
            .success()
    );
}

#[test]
fn everything_may_come_at_once() {
    // The last message of the handshake, requests and the end, in one segment as far as the kernel likes.
    let tls = TlsServer::start(1, "");
    for _ in 0..50 {
        let mut client = TlsClient::begin(tls.address, &tls.settings()).unwrap();
        let socket = client.socket().try_clone().unwrap();
        let connection = client.connection();
        let mut wire = &socket;
        while connection.wants_write() {
            connection.write_tls(&mut wire).unwrap();
        }
        while connection.is_handshaking() && !connection.wants_write() {
            connection.read_tls(&mut wire).unwrap();
            connection.process_new_packets().unwrap();
        }
        connection
            .writer()
            .write_all(b"set k 0 0 1\r\nv\r\nget k\r\n")
            .unwrap();
        connection.send_close_notify();
        let mut last = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut last).unwrap();
        }
        wire.write_all(&last).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.line(), "STORED");
        assert_eq!(client.value("k"), b"v");
        assert_eq!(client.line(), "END");
        client.end().unwrap();
    }
}

#[test]
fn long_lines_are_answered_wherever_records_end() {
    let tls = TlsServer::start(2, "");
    let mut client = tls.connect();
    client.send("set k 0 0 1\r\nv\r\n");
    assert_eq!(client.line(), "STORED");
    for (request, expected) in crate::lines::conversations() {
        client.send(&request);
        client.send("mn\r\n");
        let expected = expected + "MN\r\n";
        let got = client.bytes(expected.len());
        assert!(got == expected.as_bytes(), "{} bytes", request.len());
    }
}
