//! Values that begin and do not go on, and a cache that is full or has become small: what is there stays, and everybody
//! else is served.

use std::thread;
use std::time::Duration;

use corecached_client::wire::binary::{self, Opcode};
use corecached_client::wire::text;

use crate::client::{Client, pattern, set_request, written};
use crate::server::Server;

use super::{assert_served_promptly, eventually};

const NO_MEMORY: &str = "SERVER_ERROR out of memory storing object";

/// Stores `count` values of 10 kB, which nobody reads before the end.
fn fill(client: &mut Client, count: u64) {
    for number in 0..count {
        assert_eq!(
            client.set(&format!("live-{number}"), pattern(number, 10_000)),
            "STORED"
        );
    }
}

fn assert_all_there(client: &mut Client, count: u64) {
    for number in 0..count {
        let data = client.get(&format!("live-{number}"));
        assert!(data == Some(pattern(number, 10_000)), "value {number}");
    }
}

#[test]
fn half_sent_values_leave_the_cache_to_others() {
    for (shards, value_bytes, part) in [
        (1, 1_000_000, 200_000),
        (2, 1_000_000, 300_000),
        (3, 60_000, 30_000),
    ] {
        let server = Server::start(shards, &["-m", "64"]);
        let mut client = server.connect();
        fill(&mut client, 3_000);
        let request = |number: usize| {
            let mut request = set_request(&format!("half-{number}"), &vec![b'h'; value_bytes]);
            request.truncate(request.len() - value_bytes + part);
            request
        };
        let half_sent: Vec<Client> = (0..400)
            .map(|number| {
                let half = server.connect();
                // One that is refused is not read while it waits.
                let bytes = request(number);
                let mut writer = half.writer();
                thread::spawn(move || std::io::Write::write_all(&mut writer, &bytes));
                half
            })
            .collect();
        eventually("values are being received", || {
            server.is_old_memcached || client.stats("memory")["uploads_claimed"] != "0"
        });
        assert_served_promptly(&server, &mut client, "live-5", 200);
        for number in 0..1_000 {
            let data = pattern(number, [10, 100, 1_000, 9_000][number as usize % 4]);
            assert_eq!(client.set(&format!("small-{number}"), &data), "STORED");
            assert!(client.get(&format!("small-{number}")).as_deref() == Some(&data[..]));
        }
        assert_all_there(&mut client, 3_000);
        if !server.is_old_memcached {
            assert_eq!(client.stat("evictions"), 0);
            let claimed: u64 = client.stats("memory")["uploads_claimed"].parse().unwrap();
            assert!(claimed <= (64 << 20) / 16 * 5, "{claimed} bytes claimed");
        }
        drop(half_sent);
        eventually("a large value is taken again", || {
            client.set("large", pattern(1, 900_000)) == "STORED"
        });
    }
}

#[test]
fn large_values_wait_for_each_other() {
    const CLIENTS: u64 = 24;
    for shards in [1, 3] {
        // Together they are larger than what values on their way in may claim, and are sent at once.
        let server = Server::start(shards, &["-m", "32"]);
        if server.is_old_memcached {
            return;
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = server.connect();
                thread::spawn(move || client.set(&format!("k{number}"), pattern(number, 900_000)))
            })
            .collect();
        let replies: Vec<String> = clients.into_iter().map(|it| it.join().unwrap()).collect();
        let stored = replies.iter().filter(|&reply| reply == "STORED").count();
        assert!(
            replies
                .iter()
                .all(|reply| reply == "STORED" || reply == NO_MEMORY)
        );
        // On a machine that is starved some may wait in vain.
        assert!(stored >= 8, "{stored} of {CLIENTS} were stored");
        let mut client = server.connect();
        assert_eq!(client.stats("memory")["uploads_claimed"], "0");
        assert_eq!(client.set("again", pattern(7, 900_000)), "STORED");
    }
}

#[test]
fn a_full_cache_does_not_deny_what_it_has() {
    for shards in [1, 2] {
        let server = Server::start(shards, &["-m", "8", "-M"]);
        let mut client = server.connect();
        let mut binary = server.connect();
        let value_bytes = |number: usize| [105, 40, 900, 20_000][number % 4];
        let mut stored = Vec::new();
        for number in 0..100_000 {
            let data = vec![b'v'; value_bytes(number)];
            match client.set(&format!("key{number}"), data).as_str() {
                "STORED" => stored.push(number),
                NO_MEMORY if stored.len() + 1_000 < number => break,
                NO_MEMORY => {}
                other => panic!("{other}"),
            }
        }
        for &number in stored.iter().step_by(29) {
            let (key, length) = (format!("key{number}"), value_bytes(number));
            assert_eq!(client.ask(&format!("touch {key} 1000")), "TOUCHED");
            client.send(written(|out| text::gat(out, 2000, [&key])));
            let lengths: Vec<usize> = client.values().iter().map(|it| it.data.len()).collect();
            assert_eq!(lengths, [length]);
            let meta = client.ask(&format!("mg {key} T3000 s"));
            assert_eq!(meta, format!("HD s{length}"));
            for opcode in [Opcode::Touch, Opcode::Gat, Opcode::GatK] {
                binary.send(written(|out| {
                    binary::touch(out, opcode, 0, &key, 100);
                }));
                let reply = binary.packet();
                assert_eq!(reply.status, 0, "{opcode:?}: {reply:?}");
            }
            // What has to grow says what it lacks, if it does.
            let appended = client.ask(&format!("append {key} 0 0 3\r\nabc"));
            assert!(["STORED", NO_MEMORY].contains(&&appended[..]), "{appended}");
            let added = client.ask(&format!("add {key} 0 0 1\r\n1"));
            assert_eq!(added, "NOT_STORED");
        }
        assert_eq!(client.stat("evictions"), 0);
        assert_eq!(client.stat("touch_misses"), 0);
    }
}

#[test]
fn a_limit_far_below_the_first_one_keeps_what_fits() {
    for shards in [1, 2, 4] {
        let server = Server::start(shards, &["-m", "256"]);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        for number in 0..2_000 {
            assert_eq!(
                client.set(&format!("k{number}"), pattern(number, 500)),
                "STORED"
            );
        }
        for limit in [24, 8, 64, 8, 256] {
            assert_eq!(client.ask(&format!("cache_memlimit {limit}")), "OK");
            assert_eq!(client.set(&format!("at-{limit}"), "x"), "STORED");
            // Some rounds of the upkeep.
            thread::sleep(Duration::from_millis(1_500));
            assert_eq!(
                client.stat("evictions"),
                0,
                "{shards} shards, limit {limit}"
            );
        }
        for number in 0..2_000 {
            assert!(client.get(&format!("k{number}")) == Some(pattern(number, 500)));
        }
    }
}
