//! Certificates that change while connections are open.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::TlsServer;
use crate::server::Server;

#[test]
fn refresh_certs_is_for_new_connections() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut old = tls.connect();
        let first = old.certificate();
        tls.certificates.renew();
        assert_eq!(
            tls.connect().certificate(),
            first,
            "not before it is told to"
        );
        assert_eq!(old.ask("refresh_certs"), "OK");
        assert_ne!(tls.connect().certificate(), first);
        assert_eq!(old.ask("version"), "VERSION 1.6.45");
        old.send("refresh_certs noreply\r\nversion\r\n");
        assert_eq!(old.line(), "VERSION 1.6.45");
        // A file that cannot be used changes nothing, and is named.
        let current = tls.connect().certificate();
        let key = tls.certificates.path("server.key");
        fs::write(&key, "no key").unwrap();
        let error = old.ask("refresh_certs");
        assert!(
            error.starts_with("Error loading the private key"),
            "{error}"
        );
        assert!(error.contains(&*key.to_string_lossy()), "{error}");
        fs::remove_file(&key).unwrap();
        let error = tls.server.connect().ask("refresh_certs");
        assert!(error.contains("No such file"), "{error}");
        assert_eq!(tls.connect().certificate(), current);
        assert_eq!(old.ask("version"), "VERSION 1.6.45");
    }
}

#[test]
fn sighup_reads_certificates_again() {
    let tls = TlsServer::start(2, "");
    let mut old = tls.connect();
    let first = old.certificate();
    tls.certificates.renew();
    tls.server.signal(Signal::HUP);
    let end = Instant::now() + Duration::from_secs(60);
    while tls.connect().certificate() == first {
        assert!(Instant::now() < end, "{}", tls.server.stderr_text());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(old.ask("version"), "VERSION 1.6.45");
    // What cannot be used is said, and the server goes on.
    fs::write(tls.certificates.path("server.pem"), "").unwrap();
    tls.server.signal(Signal::HUP);
    while !tls.server.stderr_text().contains("no certificate") {
        assert!(Instant::now() < end, "{}", tls.server.stderr_text());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(tls.connect().ask("version"), "VERSION 1.6.45");
}

#[test]
fn without_tls_there_is_nothing_to_refresh() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    assert_eq!(client.ask("refresh_certs"), "Error TLS not enabled");
    assert_eq!(client.stats("settings")["ssl_enabled"], "no");
    let names = client.stats("");
    assert!(names.keys().all(|name| !name.starts_with("ssl_")));
}
