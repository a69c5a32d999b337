//! `stats hotkeys` and `stats mrc`: a hot key is found wherever its gets are answered, and the miss ratios of streams
//! whose miss ratios are known.

use std::collections::BTreeMap;

use corecached_client::wire::binary::{self, Opcode};
use corecached_engine::KeyHasher;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::auth::binary_stats;
use crate::client::{Client, set_request, written};
use crate::faults::eventually;
use crate::server::Server;

const SHARDS: [usize; 3] = [1, 2, 16];
/// Keys of one request.
const BATCH: usize = 50;

/// A number among statistics.
fn number(stats: &BTreeMap<String, String>, name: &str) -> f64 {
    let value = stats
        .get(name)
        .unwrap_or_else(|| panic!("no {name}: {stats:?}"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

/// Reads keys through, as an application does: get, and on a miss set.
fn read_through(client: &mut Client, keys: &[String], value: &[u8]) {
    for batch in keys.chunks(BATCH) {
        client.send(format!("get {}\r\n", batch.join(" ")));
        let found = client.values();
        let mut found = found.iter().map(|value| &value.key).peekable();
        for key in batch {
            if found.next_if_eq(&key).is_none() {
                client.send(set_request(key, value));
                assert_eq!(client.line(), "STORED");
            }
        }
    }
}

/// Waits until the estimate has been told of this many gets and has seen the samples of them: at one shard all, at
/// several all but a few, which may be lost.
fn settle(client: &mut Client, gets: usize, shards: usize) -> BTreeMap<String, String> {
    let least = if shards == 1 { gets } else { gets * 9 / 10 };
    let mut stats = BTreeMap::new();
    let mut before = 0.0;
    eventually("the estimate knows all gets", || {
        stats = client.stats("mrc");
        let sampled = number(&stats, "sampled_gets");
        let is_stable = std::mem::replace(&mut before, sampled) == sampled;
        number(&stats, "gets") as usize == gets && sampled >= least as f64 && is_stable
    });
    stats
}

#[test]
fn a_key_with_a_third_of_the_requests_is_found_first() {
    const HOT: &str = "hot%key";
    for shards in SHARDS {
        let server = Server::start_with_seed(shards, &["-o", "debugtime"]);
        let mut client = server.connect();
        assert_eq!(client.ask("debugtime p"), "OK");
        assert_eq!(client.set(HOT, "value"), "STORED");
        let seed = client.stats("shards")["hash_seed"].parse().unwrap();
        let hash = KeyHasher::new(seed).hash(HOT.as_bytes()).0;
        let owner = ((hash >> 32) as usize * shards) >> 32;
        let mut others = 0..;
        for _ in 0..100 {
            // Text, meta and binary, on connections that lie on any shard.
            let mut client = server.connect();
            let keys: Vec<String> = others.by_ref().take(40).map(|n| format!("k{n}")).collect();
            client.send(format!(
                "get {HOT} {HOT} {HOT} {HOT} {}\r\n",
                keys.join(" ")
            ));
            assert_eq!(client.values().len(), 4);
            for _ in 0..8 {
                assert_eq!(client.ask(&format!("mg {HOT}")), "HD");
            }
            let mut client = server.connect();
            for _ in 0..8 {
                client.send(written(|out| {
                    binary::keyed(out, Opcode::Get, 0, HOT, 0);
                }));
                assert_eq!(client.packet().value, b"value");
            }
        }
        // 20 of 60, beside the one set.
        let stats = client.stats("hotkeys");
        assert_eq!(stats["1:key"], "hot%25key");
        let (share, error) = (
            number(&stats, "1:percent"),
            number(&stats, "1:error_percent"),
        );
        assert!((24.0..=43.0).contains(&share), "{shards} shards: {share}");
        assert!(error < 3.0, "{shards} shards: {error}");
        assert!(number(&stats, "1:changes_percent") < 1.0);
        assert_eq!(number(&stats, "1:shard") as usize, owner);
        let requests = number(&stats, "requests");
        assert!((5_000.0..7_200.0).contains(&requests), "{requests}");
        assert!(number(&stats, "2:percent") < 1.0);
        assert_eq!(stats.len(), 1 + 20 * 6, "{stats:?}");
        // The binary protocol tells the same.
        let same = binary_stats(&mut server.connect(), b"hotkeys");
        assert!(same.contains(&("1:key".to_owned(), "hot%25key".to_owned())));
        assert_eq!(client.ask("stats hotkeys reset"), "RESET");
        assert_eq!(client.stats("hotkeys")["requests"], "0");
    }
}

/// Three rounds over keys that all fit: a third of the gets misses, whatever the size.
#[test]
fn keys_that_fit_miss_once_at_every_size() {
    for shards in SHARDS {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let keys: Vec<String> = (0..1000).map(|number| format!("key-{number}")).collect();
        for _ in 0..3 {
            read_through(&mut client, &keys, b"value");
        }
        let stats = settle(&mut client, 3000, shards);
        assert_eq!(stats["miss_percent_measured"], "33.33");
        assert_eq!(stats["sampled_percent"], "100.0000");
        for size in ["0.5", "1.0", "1.5", "2.0", "4.0"] {
            let misses = number(&stats, &format!("{size}:miss_percent"));
            // With several shards a few samples may be lost.
            let tolerance = if shards == 1 { 0.011 } else { 3.0 };
            assert!(
                (misses - 33.33).abs() < tolerance,
                "{shards} shards, {size}: {misses}"
            );
        }
        assert_eq!(stats["4.0:bytes"], (256u64 << 20).to_string());
        // The counts go, what is known of the keys stays.
        assert_eq!(client.ask("stats mrc reset"), "RESET");
        assert_eq!(client.stats("mrc")["gets"], "0");
        read_through(&mut client, &keys, b"value");
        let stats = settle(&mut client, 1000, shards);
        assert!(number(&stats, "0.5:miss_percent") < 3.0, "{stats:?}");
        let same = binary_stats(&mut server.connect(), b"mrc");
        assert!(same.contains(&("gets".to_owned(), "1000".to_owned())));
    }
}

/// Keys that are asked for equally often: a cache finds as many as it has room for, so half the memory finds half as
/// many, and twice the memory twice as many.
#[test]
fn of_keys_asked_for_alike_hits_are_proportional_to_memory() {
    const KEYS: usize = 3600;
    let value = vec![b'v'; 4000];
    for shards in [1, 2] {
        let server = Server::start(shards, &["-m", "8"]);
        let mut client = server.connect();
        let mut random = StdRng::seed_from_u64(5);
        let mut visit = |client: &mut Client, gets: usize| {
            let mut before = number(&client.stats("mrc"), "gets") as usize;
            for _ in 0..gets / 1000 {
                let draw = |_| format!("key-{}", random.random_range(0..KEYS));
                let keys: Vec<String> = (0..1000).map(draw).collect();
                read_through(client, &keys, &value);
                before += 1000;
                settle(client, before, shards);
            }
        };
        visit(&mut client, 20_000);
        assert_eq!(client.ask("stats mrc reset"), "RESET");
        visit(&mut client, 10_000);
        let stats = client.stats("mrc");
        let hits = 100.0 - number(&stats, "miss_percent_measured");
        assert!((30.0..60.0).contains(&hits), "{stats:?}");
        for (size, factor) in [("0.5", 0.5), ("1.0", 1.0), ("1.5", 1.5), ("2.0", 2.0)] {
            let estimated = 100.0 - number(&stats, &format!("{size}:miss_percent"));
            let expected = (hits * factor).min(100.0);
            assert!(
                (estimated - expected).abs() < 5.0,
                "{size}: {expected}, {stats:?}"
            );
        }
    }
}

#[test]
fn what_is_switched_off_says_so_and_what_shows_keys_can_be_forbidden() {
    let server = Server::start(2, &["-o", "no_hotkeys,no_mrc"]);
    let mut client = server.connect();
    assert_eq!(client.set("key", "value"), "STORED");
    assert_eq!(client.stats("hotkeys")["hotkeys_status"], "disabled");
    assert_eq!(client.stats("mrc")["mrc_status"], "disabled");
    assert_eq!(client.stats("memory")["insight"], "0");
    assert_eq!(client.ask("stats mrc reset"), "RESET");
    let server = Server::start(1, &["-X"]);
    let mut client = server.connect();
    let refused = "CLIENT_ERROR stats hotkeys not allowed";
    assert_eq!(client.ask("stats hotkeys"), refused);
    assert_eq!(client.ask("stats hotkeys reset"), refused);
    // No key is shown here.
    assert_eq!(client.stats("mrc")["gets"], "0");
}

/// The memory of both is there from the start and does not grow.
#[test]
fn hot_keys_and_estimates_take_no_more_memory_than_they_say() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    let insight = number(&client.stats("memory"), "insight");
    assert!((2e6..6e6).contains(&insight), "{insight}");
    let keys: Vec<String> = (0..20_000).map(|number| format!("key-{number}")).collect();
    read_through(&mut client, &keys, b"value");
    assert_eq!(number(&client.stats("memory"), "insight"), insight);
}

#[test]
fn a_flush_and_deletes_are_seen() {
    let server = Server::start(1, &[]);
    let mut client = server.connect();
    let keys: Vec<String> = (0..500).map(|number| format!("key-{number}")).collect();
    read_through(&mut client, &keys, b"value");
    settle(&mut client, 500, 1);
    assert_eq!(client.ask("stats mrc reset"), "RESET");
    assert_eq!(client.ask("flush_all"), "OK");
    read_through(&mut client, &keys, b"value");
    assert_eq!(settle(&mut client, 500, 1)["4.0:miss_percent"], "100.00");
    for key in &keys[..250] {
        assert_eq!(client.ask(&format!("delete {key}")), "DELETED");
    }
    assert_eq!(client.ask("stats mrc reset"), "RESET");
    read_through(&mut client, &keys, b"value");
    assert_eq!(settle(&mut client, 500, 1)["4.0:miss_percent"], "50.00");
}
