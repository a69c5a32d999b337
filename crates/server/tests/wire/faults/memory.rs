//! Full memory: a store evicts, and never fails while there is something to evict.

use crate::client::{Client, pattern};
use crate::server::Server;

/// Stores `count` values and checks that each is stored and found just after.
fn fill(client: &mut Client, prefix: &str, count: usize, length: impl Fn(usize) -> usize) {
    for number in 0..count {
        let key = format!("{prefix}-{number}");
        let data = pattern(number as u64, length(number));
        assert_eq!(
            client.set(&key, &data),
            "STORED",
            "{key}, {} bytes",
            data.len()
        );
        if number % 16 == 0 {
            assert!(client.get(&key) == Some(data), "{key} is gone at once");
        }
    }
}

fn assert_present(
    client: &mut Client,
    prefix: &str,
    numbers: std::ops::Range<usize>,
    length: impl Fn(usize) -> usize,
) {
    for number in numbers {
        let key = format!("{prefix}-{number}");
        assert!(
            client.get(&key) == Some(pattern(number as u64, length(number))),
            "{key}"
        );
    }
}

#[test]
fn four_times_the_memory_is_stored_without_an_error() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "16"]);
        let mut client = server.connect();
        let length = |_| 1000;
        fill(&mut client, "key", 64_000, length);
        // A twentieth of what fits is surely there.
        assert_present(&mut client, "key", 63_500..64_000, length);
        assert!(client.stat("evictions") > 10_000);
        let bytes = client.stat("bytes");
        assert!(
            (8 << 20..=16 << 20).contains(&bytes),
            "{bytes} bytes of 16 MiB"
        );
    }
}

#[test]
fn values_of_all_sizes_are_stored_without_an_error() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "32"]);
        if server.is_old_memcached {
            // It runs out of memory in classes that came late.
            return;
        }
        let mut client = server.connect();
        // 10 bytes to 300 kB in steps of a half, then back.
        let lengths: Vec<usize> = (0..27)
            .map(|step| (10.0 * 1.5_f64.powi(step).min(30_000.0)) as usize)
            .collect();
        for (round, length) in lengths.iter().chain(lengths.iter().rev()).enumerate() {
            let count = (4_000_000 / length).clamp(20, 5000);
            fill(&mut client, &format!("round-{round}"), count, |_| *length);
        }
        fill(&mut client, "mixed", 3000, |number| {
            lengths[number * 7 % lengths.len()]
        });
    }
}

#[test]
fn the_smallest_memory_holds_values_of_66_kilobytes() {
    for memory in ["2", "3"] {
        let server = Server::start(1, &["-m", memory, "-I", "1m"]);
        let mut client = server.connect();
        let length = |_| 66_560;
        fill(&mut client, "key", 200, length);
        // Some 30 fit; new values that nobody has read may be the first to go.
        assert_present(&mut client, "key", 198..200, length);
    }
}

#[test]
fn without_evictions_a_store_fails_and_the_old_values_stay() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "8", "-M"]);
        let mut client = server.connect();
        let mut stored = 0;
        loop {
            let data = pattern(stored, 10_000);
            match client.set(&format!("key-{stored}"), data).as_str() {
                "STORED" => stored += 1,
                "SERVER_ERROR out of memory storing object" => break,
                other => panic!("{other}"),
            }
            assert!(stored < 1000, "no end of memory");
        }
        assert!(stored > 400, "{stored} values of 10 kB in 8 MiB");
        assert_present(&mut client, "key", 0..stored as usize, |_| 10_000);
        assert_eq!(client.stat("evictions"), 0);
        client.ask("delete key-0");
        // Another shard's or class's memory may be what is free; half of all must be enough.
        for number in 0..stored / 2 {
            client.ask(&format!("delete key-{number}"));
        }
        assert_eq!(client.set("again", pattern(1, 10_000)), "STORED");
    }
}

#[test]
fn a_lower_limit_gives_memory_back() {
    let server = Server::start(2, &["-m", "64"]);
    if server.is_old_memcached {
        // It keeps the pages it has.
        return;
    }
    let mut client = server.connect();
    fill(&mut client, "key", 5000, |_| 10_000);
    assert_eq!(client.ask("cache_memlimit 16"), "OK");
    assert_eq!(client.stat("limit_maxbytes"), 16 << 20);
    super::eventually("the memory is given back", || {
        client.stat("bytes") <= 16 << 20
    });
    fill(&mut client, "more", 2000, |_| 10_000);
    // Nobody has read them: what is surely there is a part of the fifteenth that is on probation.
    assert_present(&mut client, "more", 1980..2000, |_| 10_000);
}

/// What a server may need beside `-m`: code and stacks, and for each shard its rings, buffers and the address tables of
/// its segment.
pub(super) const OVERHEAD_BYTES: u64 = 12 << 20;
/// The same for each shard.
pub(super) const OVERHEAD_SHARD_BYTES: u64 = 4 << 20;

/// The limit is hard: resident memory stays below `-m` and a fixed overhead, whatever is stored.
#[test]
fn resident_memory_stays_below_the_limit() {
    const LIMIT_MEGABYTES: u64 = 64;
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", &LIMIT_MEGABYTES.to_string()]);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        let lengths: [fn(usize) -> usize; 5] = [
            |_| 10,
            |_| 700,
            |_| 20_000,
            |_| 900_000,
            |number| 40 << (number * 7 % 12),
        ];
        for (round, length) in lengths.iter().enumerate() {
            let (mut sent, mut number) = (0, 0);
            while sent < 2 * LIMIT_MEGABYTES as usize * 1_000_000 && number < 1_000_000 {
                let mut requests = Vec::new();
                while requests.len() < 1_000_000 {
                    let bytes = length(number);
                    requests
                        .extend(format!("set {round}-{number} 0 0 {bytes} noreply\r\n").bytes());
                    requests.resize(requests.len() + bytes, b'v');
                    requests.extend(b"\r\n");
                    (sent, number) = (sent + bytes, number + 1);
                }
                client.send(requests);
            }
            assert_eq!(client.ask("mn"), "MN");
            let overhead = OVERHEAD_BYTES + shards as u64 * OVERHEAD_SHARD_BYTES;
            let resident = server.resident_bytes();
            println!("{shards} shards, round {round}: {} MiB", resident >> 20);
            assert!(
                resident < (LIMIT_MEGABYTES << 20) + overhead,
                "{shards} shards, round {round}: {resident} bytes"
            );
        }
    }
}
