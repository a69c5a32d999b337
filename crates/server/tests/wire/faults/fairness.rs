//! One connection with endless work does not make others wait.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::assert_served_promptly;
use crate::server::Server;

#[test]
fn a_pipeline_of_100_000_gets_delays_nobody() {
    const GETS: usize = 100_000;
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut other = server.connect();
        other.set("k", "value");
        let mut greedy = server.connect();
        let mut writer = greedy.writer();
        let done = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all("get k\r\n".repeat(GETS).as_bytes()));
            scope.spawn(move || {
                let reply = b"VALUE k 0 5\r\nvalue\r\nEND\r\n";
                let replies = greedy.bytes(reply.len() * GETS);
                done.store(true, Ordering::Relaxed);
                assert!(replies.chunks(reply.len()).all(|got| got == reply));
            });
            assert_served_promptly(&server, &mut other, "k", 20);
            while !done.load(Ordering::Relaxed) {
                assert_served_promptly(&server, &mut other, "k", 20);
            }
        });
    }
}

#[test]
fn a_large_value_arriving_slowly_delays_nobody() {
    let server = Server::start(1, &["-m", "128", "-I", "32m"]);
    let mut other = server.connect();
    other.set("k", "v");
    thread::scope(|scope| {
        for number in 0..4 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                let data = vec![b'x'; 8_000_000];
                assert_eq!(client.set(&format!("large-{number}"), &data), "STORED");
                assert!(client.get(&format!("large-{number}")) == Some(data));
            });
        }
        assert_served_promptly(&server, &mut other, "k", 100);
    });
}
