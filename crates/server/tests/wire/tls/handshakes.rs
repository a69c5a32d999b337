//! Who gets in: versions, clients' certificates, resumed sessions, crowds.

use std::io;
use std::thread;

use rustls::version;

use super::{Settings, TlsClient, TlsServer};
use crate::client::Client;
use crate::server::free_port;

/// Whether a client gets an answer.
fn is_served(address: std::net::SocketAddr, settings: &Settings) -> bool {
    let asked: io::Result<String> =
        TlsClient::connect(address, settings).and_then(|mut client| client.try_ask("version"));
    asked.is_ok()
}

#[test]
fn the_minimum_version_is_kept() {
    for (suboption, tls12) in [("ssl_min_version=2", true), ("ssl_min_version=3", false)] {
        let tls = TlsServer::start(1, suboption);
        let of = |version| tls.certificates.of_version(version);
        assert!(is_served(tls.address, &of(&version::TLS13)));
        assert_eq!(is_served(tls.address, &of(&version::TLS12)), tls12);
        assert_eq!(tls.stat("ssl_handshake_errors"), u64::from(!tls12));
    }
}

#[test]
fn certificates_are_asked_for_as_listeners_say() {
    let (basic, mutual) = (free_port(), free_port());
    let listen = format!("btls:127.0.0.1:{basic},mtls:127.0.0.1:{mutual}");
    let at = |port: u16| ([127, 0, 0, 1], port).into();
    for (mode, without) in [(0, true), (1, true), (2, false), (3, false)] {
        let certificates = super::Certificates::new();
        let ca = certificates.path("ca.pem").display().to_string();
        // The server's own folder of certificates has another issuer: clients come from this one.
        let suboptions = format!("ssl_verify_mode={mode},ssl_ca_cert={ca}");
        let tls = TlsServer::start_with(4, &suboptions, &["-l", &listen]);
        let bare = tls.settings();
        let known = tls.certificates.trusting_and_showing(&certificates);
        let stranger = tls.certificates.showing();
        assert_eq!(is_served(tls.address, &bare), without, "mode {mode}");
        assert!(is_served(tls.address, &known), "mode {mode}");
        assert_eq!(is_served(tls.address, &stranger), mode == 0, "mode {mode}");
        for settings in [&bare, &known, &stranger] {
            assert!(is_served(at(basic), settings));
        }
        assert!(!is_served(at(mutual), &bare));
        assert!(is_served(at(mutual), &known));
        assert!(!is_served(at(mutual), &stranger));
        // A ticket from the listener that asks for nothing opens no other one.
        assert!(is_served(at(basic), &bare) && !is_served(at(mutual), &bare));
    }
}

#[test]
fn sessions_resume_on_any_shard() {
    for version in [&version::TLS13, &version::TLS12] {
        let tls = TlsServer::start(4, "ssl_session_cache");
        let settings = tls.certificates.of_version(version);
        let mut resumed = 0;
        for _ in 0..12 {
            let mut client = TlsClient::connect(tls.address, &settings).unwrap();
            client.ask("version");
            resumed += u64::from(client.is_resumed());
        }
        assert!(resumed >= 11, "{resumed}");
        assert_eq!(tls.stat("ssl_new_sessions"), 12 - resumed);
    }
}

#[test]
fn a_crowd_gets_in_and_delays_nobody_for_long() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut other: Client = tls.server.connect();
        other.set("k", "v");
        thread::scope(|scope| {
            let crowd: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let clients: Vec<_> = (0..40)
                            .map(|_| {
                                // No ticket of an earlier one: each handshake is a full one.
                                let settings = tls.settings();
                                TlsClient::connect(tls.address, &settings).unwrap()
                            })
                            .collect();
                        for mut client in clients {
                            assert_eq!(client.get("k"), b"v");
                        }
                    })
                })
                .collect();
            while crowd.iter().any(|thread| !thread.is_finished()) {
                assert_eq!(other.get("k").unwrap(), b"v");
            }
        });
        assert_eq!(tls.stat("ssl_handshake_errors"), 0);
    }
}

#[test]
fn names_of_tls_are_among_the_statistics() {
    let tls = TlsServer::start(2, "ssl_session_cache,ssl_verify_mode=0,ssl_min_version=3");
    let mut client = tls.connect();
    client.ask("version");
    let mut watcher = tls.server.connect();
    let list = watcher.stats_list("");
    let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    let at = names
        .iter()
        .position(|name| *name == "log_watchers")
        .unwrap();
    assert_eq!(
        names[at + 1..at + 6],
        [
            "ssl_new_sessions",
            "ssl_handshake_errors",
            "ssl_proto_errors",
            "time_since_server_cert_refresh",
            "unexpected_napi_ids"
        ]
    );
    assert_eq!(watcher.stat("ssl_new_sessions"), 1);
    assert!(watcher.stat("time_since_server_cert_refresh") < 60);
    let settings = watcher.stats("settings");
    assert_eq!(settings["ssl_enabled"], "yes");
    let chain = tls.certificates.path("server.pem").display().to_string();
    assert_eq!(settings["ssl_chain_cert"], chain);
    assert_eq!(settings["ssl_min_version"], "tlsv1.3");
    assert_eq!(settings["ssl_ca_cert"], "NULL");
    assert_eq!(settings["ssl_session_cache"], "yes");
}
