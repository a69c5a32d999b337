//! `-o prefault`: memory is there before the server is ready, and statistics say whose it is.

use std::fs;

use corecached_engine::{KeyHash, KeyHasher};

use super::eventually;
use super::memory::{OVERHEAD_BYTES, OVERHEAD_SHARD_BYTES};
use crate::client::Client;
use crate::server::{Server, command, free_port};

const MEGABYTES: u64 = 96;
const LIMIT: u64 = MEGABYTES << 20;

fn overhead(shards: usize) -> u64 {
    OVERHEAD_BYTES + shards as u64 * OVERHEAD_SHARD_BYTES
}

fn of_memory(client: &mut Client, name: &str) -> u64 {
    client.stats("memory")[name].parse().unwrap()
}

/// The shard of a key, as shard-aware clients find it.
fn shard_of(key: &str, seed: u64, shards: u64) -> u64 {
    let KeyHash(hash) = KeyHasher::new(seed).hash(key.as_bytes());
    ((hash >> 32) * shards) >> 32
}

/// Stores `count` values of 2000 bytes.
fn store(client: &mut Client, prefix: &str, count: usize) {
    for first in (0..count).step_by(500) {
        let mut requests = Vec::new();
        for number in first..(first + 500).min(count) {
            requests.extend(format!("set {prefix}-{number} 0 0 2000 noreply\r\n").bytes());
            requests.resize(requests.len() + 2000, b'v');
            requests.extend(b"\r\n");
        }
        client.send(requests);
    }
    assert_eq!(client.ask("mn"), "MN");
}

#[test]
fn memory_is_there_at_the_start_and_is_counted_once() {
    for (shards, options) in [(1, vec![]), (4, vec![]), (1, vec!["-L"]), (4, vec!["-L"])] {
        let memory = MEGABYTES.to_string();
        let given = [&["-m", &memory, "-o", "prefault"], options.as_slice()].concat();
        let server = Server::start(shards, &given);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        // A shard's first pages were there before, and it has whole steps of pages.
        let slack = shards as u64 * (1 << 20);
        let check = |client: &mut Client, when: &str| {
            let (total, unused) = (of_memory(client, "total"), of_memory(client, "prefaulted"));
            let resident = server.resident_bytes();
            let text = format!("{when}, {shards} shards: {total} + {unused}, {resident} resident");
            assert!(total + unused <= LIMIT, "{text}");
            assert!(resident <= LIMIT + overhead(shards), "{text}");
            // What is resident is what the page says, and what the process needs beside it.
            assert!(
                resident <= total + unused + slack + overhead(shards),
                "{text}"
            );
            assert!(resident + slack >= total + unused, "{text}");
            (total, unused, resident)
        };
        let (total, unused, resident) = check(&mut client, "at the start");
        assert!(total < LIMIT / 8, "nothing is used: {total}");
        assert!(resident + slack >= LIMIT, "{resident} of {LIMIT} resident");
        store(&mut client, "key", 20_000);
        let (later, left, _) = check(&mut client, "half full");
        assert!(later > total + 40_000_000 && left + 40_000_000 < unused);
        store(&mut client, "more", 60_000);
        let (_, left, resident) = check(&mut client, "full");
        assert!(left < slack, "all of it is used: {left}");
        assert!(resident + slack >= LIMIT);
        assert!(client.stat("evictions") > 0);
        assert_eq!(client.ask("cache_memlimit 32"), "OK");
        eventually("a lower limit gives memory back", || {
            server.resident_bytes() <= (32 << 20) + overhead(shards)
        });
    }
}

#[test]
fn without_it_memory_comes_as_it_is_used() {
    let server = Server::start(2, &["-m", "96", "-L"]);
    assert!(server.resident_bytes() < LIMIT / 2);
}

#[test]
fn an_unused_part_is_given_up_without_evictions() {
    let server = Server::start_with_seed(4, &["-m", "96", "-o", "prefault"]);
    if server.is_old_memcached {
        return;
    }
    let mut client = server.connect();
    // Half of the memory, in one shard, which has populated a quarter.
    let seed = client.stats("shards")["hash_seed"].parse().unwrap();
    let keys = (0..).map(|number: u64| format!("key-{number}"));
    let keys = keys.filter(|key| shard_of(key, seed, 4) == 0).take(20_000);
    for key in keys {
        client.send(format!("set {key} 0 0 2000 noreply\r\n{:2000}\r\n", "v"));
    }
    assert_eq!(client.ask("mn"), "MN");
    assert_eq!(client.stat("evictions"), 0);
    assert_eq!(client.stat("curr_items"), 20_000);
    assert!(of_memory(&mut client, "0:total") > 40_000_000);
    assert_eq!(of_memory(&mut client, "0:prefaulted"), 0);
    assert!(server.resident_bytes() <= LIMIT + overhead(4));
}

#[test]
fn more_than_the_machine_has_is_refused_with_advice() {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal"));
    let kilobytes: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let megabytes = kilobytes / 1024 + 1024;
    // A shard has 32 GiB of address space.
    let shards = megabytes / 32_000 + 1;
    let output = command()
        .args(["-l", "127.0.0.1", "-p", &free_port().to_string()])
        .args(["-m", &megabytes.to_string(), "-t", &shards.to_string()])
        .args(["-o", "prefault"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("Illegal suboption") {
        return;
    }
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("MiB left: lower -m, "), "{text}");
}
