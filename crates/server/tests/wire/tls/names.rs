//! Names of statistics that TLS adds, and what it shows to those who watch.

use std::collections::HashSet;

use super::TlsServer;
use crate::client::Client;
use crate::statistics::{SETTINGS, general_with, words};
use crate::watch::{event, field};

const ADDED: [&str; 3] = [
    "ssl_handshake_errors",
    "ssl_proto_errors",
    "time_since_server_cert_refresh",
];

#[test]
fn statistics_have_the_names_of_tls_in_their_place() {
    for session_cache in [false, true] {
        let suboptions = if session_cache {
            "ssl_session_cache"
        } else {
            ""
        };
        let tls = TlsServer::start(2, suboptions);
        let names = |what: &str| -> Vec<String> {
            let list = tls.server.connect().stats_list(what);
            list.into_iter().map(|(name, _)| name).collect()
        };
        let mut added = ADDED.to_vec();
        if session_cache {
            added.insert(0, "ssl_new_sessions");
        }
        assert_eq!(names(""), general_with("log_watchers", &added));
        assert_eq!(names("settings"), words(SETTINGS));
    }
}

/// The three lines of a connection that fails: it is new, it fails, it is closed.
fn expect_failure(line: &mut impl FnMut() -> String, message: &str) {
    let new = line();
    assert_eq!(event(&new), "type=conn_new rip=127.0.0.1 transport=tcp");
    let descriptor = field(&new, "cfd").to_owned();
    let error = line();
    let wanted = format!(" type=conntlserr fd={descriptor} msg={message}");
    assert!(error.contains(&wanted), "{error}");
    let closed = line();
    assert!(closed.contains(" type=conn_close "), "{closed}");
    assert_eq!(field(&closed, "reason"), "error");
    assert_eq!(field(&closed, "cfd"), descriptor);
}

#[test]
fn watchers_see_why_tls_failed() {
    for shards in [1, 4] {
        let tls = TlsServer::start(shards, "");
        let mut watcher = tls.connect();
        assert_eq!(watcher.ask("watch connevents"), "OK");
        // The connection that waited for the server's start may end only now: it is new to nobody here.
        let mut open = HashSet::new();
        let mut line = || loop {
            let line = watcher.try_log_line().expect("a line in time");
            assert!(line.starts_with("ts="), "{line}");
            if line.contains(" type=conn_new ") {
                open.insert(field(&line, "cfd").to_owned());
            }
            if !line.contains(" type=conn_close ") || open.remove(field(&line, "cfd")) {
                return line;
            }
        };
        for garbage in ["version\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            let mut client = Client::connect(tls.address);
            client.send(garbage);
            assert_eq!(client.byte().unwrap(), None);
            expect_failure(&mut line, "the client does not speak TLS");
        }
        // A record that says it is a handshake, and is none.
        let mut client = Client::connect(tls.address);
        client.send([22, 3, 1, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9]);
        while client.byte().unwrap().is_some() {}
        expect_failure(&mut line, "handshake failed: ");
        // One that goes well is only new, and then closed.
        let mut client = tls.connect();
        client.send("quit\r\n");
        client.end().unwrap();
        assert!(line().contains(" type=conn_new "));
        assert_eq!(field(&line(), "reason"), "normal");
    }
}
