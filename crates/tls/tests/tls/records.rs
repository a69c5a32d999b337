//! After the handshake: records of every size, goodbyes, and what a peer cannot do to the memory.

use corecached_tls::{RECORD_BYTES_MAX, SessionError, Settings};
use rustls::version;

use crate::files::Files;
use crate::pair::{BOTH, Pair, client_config};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn requests_arrive_whole_wherever_they_are_cut() {
    let files = Files::new();
    let mut pair = Pair::open(&files, files.settings());
    let request = pattern(300);
    for piece in 1..330 {
        pair.received.clear();
        pair.send(&request, piece).unwrap();
        assert_eq!(pair.received, request, "pieces of {piece}");
    }
}

#[test]
fn large_values_pass_both_ways() {
    let files = Files::new();
    let mut pair = Pair::open(&files, files.settings());
    let value = pattern(3_000_000);
    pair.send(&value, 8192).unwrap();
    assert!(pair.received == value);
    let mut out = Vec::new();
    pair.session.encrypt(&value, &mut out).unwrap();
    let records = value.len().div_ceil(RECORD_BYTES_MAX);
    assert!(out.len() < value.len() + records * 64);
    pair.to_client = out;
    assert!(pair.client_reads() == value);
}

#[test]
fn many_small_records_come_in_one_piece() {
    let files = Files::new();
    for version in BOTH {
        let config = client_config(&files, &[version], None);
        let certificates = corecached_tls::Certificates::load(files.settings()).unwrap();
        let mut pair = Pair::new(&certificates, corecached_tls::ClientAuth::Default, &config);
        pair.handshake(usize::MAX).unwrap();
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for n in 0..5000 {
            let request = format!("get key{n}\r\n");
            std::io::Write::write_all(&mut pair.client.writer(), request.as_bytes()).unwrap();
            bytes.extend(pair.client_sends());
            wanted.extend_from_slice(request.as_bytes());
        }
        pair.feed(&bytes).unwrap();
        assert!(pair.received == wanted);
        let mut replies = Vec::new();
        for n in 0..5000 {
            let reply = format!("VALUE {n}\r\n");
            pair.session
                .encrypt(reply.as_bytes(), &mut pair.to_client)
                .unwrap();
            replies.extend_from_slice(reply.as_bytes());
        }
        assert!(pair.client_reads() == replies);
    }
}

#[test]
fn either_end_can_say_goodbye_first() {
    let files = Files::new();
    let mut pair = Pair::open(&files, files.settings());
    pair.client.send_close_notify();
    let bytes = pair.client_sends();
    pair.feed(&bytes).unwrap();
    assert!(pair.session.peer_has_closed());
    // Half closed: what was asked for before is still answered.
    pair.session
        .encrypt(b"STORED\r\n", &mut pair.to_client)
        .unwrap();
    pair.session.close(&mut pair.to_client);
    assert_eq!(pair.client_reads(), b"STORED\r\n");
    let mut pair = Pair::open(&files, files.settings());
    pair.session.close(&mut pair.to_client);
    let sent = pair.to_client.len();
    pair.session.close(&mut pair.to_client);
    assert_eq!(pair.to_client.len(), sent, "a goodbye is said once");
    assert!(pair.session.encrypt(b"more", &mut pair.to_client).is_err());
    pair.deliver().unwrap();
    assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn a_record_that_was_changed_ends_the_session_with_an_alert() {
    let files = Files::new();
    for version in BOTH {
        let config = client_config(&files, &[version], None);
        let certificates = corecached_tls::Certificates::load(files.settings()).unwrap();
        let mut pair = Pair::new(&certificates, corecached_tls::ClientAuth::Default, &config);
        pair.handshake(usize::MAX).unwrap();
        std::io::Write::write_all(&mut pair.client.writer(), b"flush_all\r\n").unwrap();
        let mut bytes = pair.client_sends();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(pair.feed(&bytes), Err(SessionError::Protocol(_))));
        assert!(pair.received.is_empty());
        assert!(!pair.to_client.is_empty(), "an alert");
        assert!(pair.deliver().is_err(), "the client hears of it");
        assert!(pair.session.encrypt(b"x", &mut pair.to_client).is_err());
    }
}

#[test]
fn key_updates_go_on_without_a_hitch_and_pile_up_nothing() {
    let files = Files::new();
    let certificates = corecached_tls::Certificates::load(files.settings()).unwrap();
    let config = client_config(&files, &[&version::TLS13], None);
    let mut pair = Pair::new(&certificates, corecached_tls::ClientAuth::Default, &config);
    pair.handshake(usize::MAX).unwrap();
    for n in 0..200 {
        pair.client.refresh_traffic_keys().unwrap();
        let request = format!("get {n}\r\n");
        pair.received.clear();
        pair.send(request.as_bytes(), 7).unwrap();
        assert_eq!(pair.received, request.as_bytes());
        // The peer does not read: answers to its requests for new keys do not pile up.
        assert!(pair.to_client.len() < 2048, "{n}: {}", pair.to_client.len());
    }
    pair.session
        .encrypt(b"END\r\n", &mut pair.to_client)
        .unwrap();
    assert_eq!(pair.client_reads(), b"END\r\n");
}

#[test]
fn a_record_that_is_too_long_is_refused_at_its_header() {
    let files = Files::new();
    let mut pair = Pair::open(&files, files.settings());
    assert!(pair.feed(&[23, 3, 3, 0xff, 0xff]).is_err());
    let mut pair = Pair::open(
        &files,
        Settings {
            session_cache: true,
            ..files.settings()
        },
    );
    // A whole record of nothing that can be decrypted.
    let mut record = vec![23, 3, 3, 0x41, 0];
    record.resize(5 + 0x4100, 7);
    assert!(pair.feed(&record).is_err());
}
