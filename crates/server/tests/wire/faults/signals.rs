//! SIGTERM and SIGINT: replies on their way are delivered, then the server ends with status 0.

use std::time::Duration;

use rustix::process::Signal;

use crate::client::{Client, pattern};
use crate::server::Server;

const EXIT_TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn the_server_ends_by_itself() {
    for signal in [Signal::TERM, Signal::INT] {
        for shards in [1, 4] {
            let mut server = Server::start(shards, &[]);
            // Connections in every state do not hold it up.
            let mut idle = server.connect();
            idle.ask("mn");
            let mut half = server.connect();
            half.send("set a 0 0 1000\r\n123");
            let mut cut = server.connect();
            cut.send("get abc");
            server.signal(signal);
            let status = server.wait_for_exit(EXIT_TIMEOUT);
            assert_eq!(status.code(), Some(0), "{signal:?}: {status}");
            assert_eq!(idle.byte().unwrap(), None);
        }
    }
}

#[test]
fn replies_on_their_way_are_delivered_first() {
    const GETS: usize = 20;
    let value = pattern(1, 1_000_000);
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(2, &["-m", "64"]);
        let mut client = server.connect();
        client.set("big", &value);
        client.send("get big\r\n".repeat(GETS));
        // The first reply has begun: the server has the requests.
        assert!(client.peek().unwrap().is_some(), "it has not closed");
        server.signal(signal);
        if !server.is_old_memcached {
            assert_whole_replies(&mut client, &value);
        }
        assert_eq!(server.wait_for_exit(EXIT_TIMEOUT).code(), Some(0));
    }
}

/// What follows up to the end of the connection are whole replies.
fn assert_whole_replies(client: &mut Client, value: &[u8]) {
    while client.peek().unwrap().is_some() {
        let values = client.values();
        assert!(values.len() == 1 && values[0].data == value);
    }
}

#[test]
fn a_client_that_never_reads_cannot_keep_the_server() {
    let mut server = Server::start(2, &["-m", "64"]);
    let mut slow = server.connect();
    slow.set("big", pattern(1, 1_000_000));
    slow.send("get big\r\n".repeat(100));
    slow.peek().unwrap();
    server.signal(Signal::TERM);
    let status = server.wait_for_exit(EXIT_TIMEOUT);
    assert_eq!(status.code(), Some(0), "{status}");
}
