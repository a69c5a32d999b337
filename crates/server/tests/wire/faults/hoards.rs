//! Memory that clients make the server keep for them: replies that they do not read, requests that they do not end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use corecached_client::wire::binary::{self, Opcode};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{assert_served_promptly, eventually};
use crate::client::{Client, pattern, write_until_blocked, written};
use crate::server::{Server, free_port};
use crate::shard_port::connect_to_shard;

/// Values that are copied into replies, if only just.
const VALUE_BYTES: usize = 16_000;

/// Connects with a small receive buffer, so that replies stay with the server.
fn connect(server: &Server) -> Client {
    let client = server.connect();
    set_socket_recv_buffer_size(client.writer(), 4096).unwrap();
    client
}

/// Bytes of `stats memory` that are there because of connections.
fn held(client: &mut Client) -> u64 {
    let stats = client.stats("memory");
    ["conn_input", "conn_output", "conn_work"]
        .map(|name| stats[name].parse::<u64>().unwrap())
        .iter()
        .sum()
}

fn of_memory(client: &mut Client, name: &str) -> u64 {
    client.stats("memory")[name].parse().unwrap()
}

/// Resident memory once it has stopped growing.
fn settled_bytes(server: &Server) -> u64 {
    let (mut last, mut calm) = (0, 0);
    while calm < 5 {
        std::thread::sleep(Duration::from_millis(100));
        let now = server.resident_bytes();
        calm = if now <= last + (64 << 10) {
            calm + 1
        } else {
            0
        };
        last = now;
    }
    last
}

/// Binary requests for `key`: GETKQ, which is answered if it hits.
fn getkq(key: &str, count: usize) -> Vec<u8> {
    let packet = written(|out| binary::keyed(out, Opcode::GetKQ, 0, key, 0));
    packet.repeat(count)
}

#[test]
fn replies_that_nobody_reads_cost_a_bounded_sum_each() {
    /// What a connection may have queued, as much again for what is awaited, and what its kinds of requests need.
    const EACH_MAX: u64 = 700 << 10;
    const CLIENTS: usize = 60;
    let kinds: [(&str, Vec<u8>); 7] = [
        (
            "get",
            [b"get", b" k".repeat(512).as_slice(), b"\r\n"]
                .concat()
                .repeat(4),
        ),
        (
            "gat",
            [b"gat 0", b" k".repeat(500).as_slice(), b"\r\n"]
                .concat()
                .repeat(40),
        ),
        ("pipeline", b"get k\r\n".repeat(4000)),
        ("mg", b"mg k v k Oabc\r\n".repeat(4000)),
        ("getkq", getkq("k", 4000)),
        (
            "different",
            (0..40)
                .map(|_| {
                    let keys: String = (0..100).map(|number| format!(" k{number}")).collect();
                    format!("get{keys}\r\n")
                })
                .collect::<String>()
                .into_bytes(),
        ),
        (
            "stats",
            b"stats\r\nstats slabs\r\nstats items\r\nstats settings\r\n".repeat(500),
        ),
    ];
    for shards in [1, 2, 4] {
        for (kind, requests) in &kinds {
            let server = Server::start(shards, &["-m", "64"]);
            let mut other = server.connect();
            other.set("k", pattern(1, VALUE_BYTES));
            for number in 0..100 {
                other.set(&format!("k{number}"), pattern(number, VALUE_BYTES));
            }
            other.stats("");
            let before = settled_bytes(&server);
            let clients: Vec<Client> = (0..CLIENTS).map(|_| connect(&server)).collect();
            for client in &clients {
                write_until_blocked(&mut client.writer(), requests);
            }
            let growth = settled_bytes(&server).saturating_sub(before);
            let held = held(&mut other);
            println!(
                "{shards} shards, {kind}: {} KiB each, {} KiB each counted",
                (growth / CLIENTS as u64) >> 10,
                (held / CLIENTS as u64) >> 10
            );
            assert!(
                growth < CLIENTS as u64 * EACH_MAX + (8 << 20),
                "{shards} shards, {kind}: {growth} bytes"
            );
            // Most of it is accounted for; pages that the allocator keeps are not.
            assert!(
                held + (16 << 20) > growth / 2,
                "{shards} shards, {kind}: {held} counted of {growth} bytes"
            );
            assert_eq!(of_memory(&mut other, "conn_mem_closed"), 0);
            assert_served_promptly(&server, &mut other, "k", 20);
            drop(clients);
            eventually("all is given back", || {
                other.stat("curr_connections") == 1 && self::held(&mut other) < 64 << 10
            });
        }
    }
}

/// Clients that read slowly, but read: nothing is missing, whatever has been held back.
#[test]
fn those_who_read_late_miss_nothing_when_memory_is_short() {
    const CLIENTS: usize = 40;
    const GETS: usize = 4;
    for shards in [1, 2] {
        // Half of it is less than 256 KiB for each.
        let server = Server::start(shards, &["-m", "64", "-o", "conn_mem_limit=64"]);
        let mut other = server.connect();
        let value = pattern(3, VALUE_BYTES);
        other.set("k", &value);
        let line = [b"get", b" k".repeat(200).as_slice(), b"\r\n"].concat();
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(line.repeat(GETS));
        }
        settled_bytes(&server);
        for client in &mut clients {
            for _ in 0..GETS {
                let values = client.values();
                assert!(values.len() == 200 && values.iter().all(|it| it.data == value));
            }
            assert_eq!(client.ask("mn"), "MN");
        }
        assert_eq!(of_memory(&mut other, "conn_mem_closed"), 0);
    }
}

#[test]
fn above_the_limit_the_largest_are_closed_and_counted() {
    const LIMIT: u64 = 8 << 20;
    const HOGS: usize = 40;
    for shards in [1, 2] {
        let server = Server::start(shards, &["-m", "64", "-o", "conn_mem_limit=8"]);
        let mut other = server.connect();
        other.set("k", pattern(1, VALUE_BYTES));
        // It has its share of memory, too, but a small one.
        let mut modest = server.connect();
        modest.send(format!("get {}", "k ".repeat(1500)));

        // Lines that do not end: 40 MiB, and room to grow.
        let line = [b"get".as_slice(), &b" k".repeat(512 << 10)].concat();
        let hogs: Vec<Client> = (0..HOGS).map(|_| connect(&server)).collect();
        for hog in &hogs {
            // Some are closed while they send.
            let mut writer = hog.writer();
            writer.set_nonblocking(false).unwrap();
            let _ = writer.write_all(&line);
        }
        eventually("lines are within the limit", || {
            of_memory(&mut other, "conn_input") <= LIMIT
        });
        eventually("most of them are closed", || {
            other.stat("read_buf_oom") >= HOGS as u64 - 8
        });
        drop(hogs);
        eventually("all is given back", || held(&mut other) < 64 << 10);

        // Replies that nobody reads.
        let line = [b"get", b" k".repeat(512).as_slice(), b"\r\n"].concat();
        let hogs: Vec<Client> = (0..HOGS).map(|_| connect(&server)).collect();
        for hog in &hogs {
            let _ = hog.writer().write_all(&line.repeat(4));
        }
        eventually("replies are within the limit", || {
            of_memory(&mut other, "conn_output") <= LIMIT
        });
        // Some replies may still be in the making.
        eventually("all that are closed are counted by what they had", || {
            let both = other.stat("response_obj_oom") + other.stat("read_buf_oom");
            of_memory(&mut other, "conn_mem_closed") == both
        });
        println!("{} closed for replies", other.stat("response_obj_oom"));
        assert_served_promptly(&server, &mut other, "k", 20);
        drop(hogs);
        modest.send("\r\n");
        assert_eq!(modest.values().len(), 1500);
    }
}

/// Connections of a shard that rests are closed, too, when those of other shards make the sum too large.
#[test]
fn memory_of_the_idle_counts_when_others_grow() {
    const LIMIT: u64 = 8 << 20;
    let port = free_port();
    let shard_port = format!("conn_mem_limit=8,shard_port={port}");
    let server = Server::start(4, &["-m", "64", "-o", &shard_port]);
    let mut other = server.connect();
    // Lines that do not end: on one shard as many as fit, and then fewer than its share on each of two others, so that
    // only the first shard has anything to close.
    let (line, held_each) = endless_line();
    let mut hogs = Vec::new();
    for (shard, count) in [(0, LIMIT / held_each - 1), (1, 3), (2, 3)] {
        hogs.extend((0..count).map(|_| hog(port, shard, &line)));
        eventually("each line is counted, or its connection is closed", || {
            let counted = of_memory(&mut other, "conn_input") / held_each;
            counted + of_memory(&mut other, "conn_mem_closed") == hogs.len() as u64
        });
        // In this time, a shard that does not look again falls asleep.
        std::thread::sleep(Duration::from_millis(200));
    }
    eventually("lines are within the limit", || {
        of_memory(&mut other, "conn_input") <= LIMIT
    });
    assert!(other.stat("read_buf_oom") >= 5);
}

/// A line that does not end, and the memory that it takes.
fn endless_line() -> (Vec<u8>, u64) {
    let line = [b"get".as_slice(), &b" k".repeat(200 << 10)].concat();
    let held = line.len().next_power_of_two() as u64;
    (line, held)
}

/// A client of this shard that has sent this line.
fn hog(port: u16, shard: u16, line: &[u8]) -> TcpStream {
    let mut hog = connect_to_shard(port, shard);
    hog.write_all(line).unwrap();
    hog.set_nonblocking(true).unwrap();
    hog
}

/// As above, but nobody asks for statistics, which would wake the shards.
#[test]
fn a_shard_is_woken_when_others_make_it_too_much() {
    const LIMIT: u64 = 8 << 20;
    let port = free_port();
    let options = format!("conn_mem_limit=8,shard_port={port}");
    let server = Server::start(4, &["-m", "64", "-o", &options]);
    let mut other = server.connect();
    let (line, held_each) = endless_line();
    let fit = LIMIT / held_each - 1;
    let hogs: Vec<TcpStream> = (0..fit).map(|_| hog(port, 0, &line)).collect();
    eventually("each line is counted", || {
        of_memory(&mut other, "conn_input") / held_each == fit
    });
    // In this time the shard falls asleep.
    std::thread::sleep(Duration::from_secs(1));
    // Fewer than the share of their shard, which has nothing to close.
    let _more: Vec<TcpStream> = (0..3).map(|_| hog(port, 1, &line)).collect();
    let is_closed = |mut hog: &TcpStream| {
        let read = hog.read(&mut [0]);
        !read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    eventually("two of the sleeping shard's are closed", || {
        hogs.iter().filter(|hog| is_closed(hog)).count() >= 2
    });
}

/// A shard that holds more than its share sleeps, as long as all together are within the limit.
#[test]
fn a_shard_above_its_share_sleeps() {
    const SECONDS: u64 = 4;
    let port = free_port();
    let options = format!("conn_mem_limit=16,shard_port={port}");
    let server = Server::start(4, &["-m", "64", "-o", &options]);
    let mut other = server.connect();
    let (line, held_each) = endless_line();
    let _hogs: Vec<TcpStream> = (0..24).map(|_| hog(port, 0, &line)).collect();
    eventually("each line is counted", || {
        of_memory(&mut other, "conn_input") / held_each == 24
    });
    let mut ticks = || -> u64 { other.stats("shards")["0:ticks"].parse().unwrap() };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(SECONDS));
    let made = ticks() - before;
    println!("{made} turns in {SECONDS} s");
    // Awake it makes 500 in a second, or 60 if nothing waits for its windows. Asleep it is woken once a second for its
    // upkeep, and makes some turns then and after each request that look whether more comes.
    assert!(made < 30 * SECONDS, "{made} turns in {SECONDS} s");
}

/// Each has no more than it may have while memory is short, and there are so many that it is too much.
#[test]
fn those_with_most_replies_are_closed_and_counted() {
    const HOGS: usize = 150;
    for shards in [1, 2] {
        let server = Server::start(shards, &["-m", "64", "-o", "conn_mem_limit=1"]);
        let mut other = server.connect();
        other.set("k", pattern(1, VALUE_BYTES));
        let line = [b"get", b" k".repeat(512).as_slice(), b"\r\n"].concat();
        let hogs: Vec<Client> = (0..HOGS).map(|_| connect(&server)).collect();
        for hog in &hogs {
            let _ = hog.writer().write_all(&line);
        }
        eventually("replies are too much", || {
            other.stat("response_obj_oom") > 0
        });
        eventually("replies are within the limit", || {
            of_memory(&mut other, "conn_output") <= 1 << 20
        });
        // Some may still be on their way out.
        let mut replies = 0;
        eventually("all that are closed are counted by what they had", || {
            replies = other.stat("response_obj_oom");
            let both = replies + other.stat("read_buf_oom");
            of_memory(&mut other, "conn_mem_closed") == both
        });
        println!("{shards} shards: {replies} closed for replies");
        assert!(replies < HOGS as u64, "as few as will do");
        drop(hogs);
        eventually("all is given back", || held(&mut other) < 64 << 10);
        other.ask("stats reset");
        assert_eq!(other.stat("response_obj_oom"), 0);
        assert_served_promptly(&server, &mut other, "k", 20);
    }
}

#[test]
fn without_a_limit_nobody_is_closed() {
    let server = Server::start(2, &["-m", "64", "-o", "conn_mem_limit=0"]);
    let mut other = server.connect();
    let line = [b"get".as_slice(), &b" k".repeat(512 << 10)].concat();
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(&line);
    }
    eventually("they are counted", || {
        of_memory(&mut other, "conn_input") >= 20 << 20
    });
    for client in &mut clients {
        client.send("\r\n");
        assert_eq!(client.line(), "END");
    }
    assert_eq!(of_memory(&mut other, "conn_mem_closed"), 0);
}
