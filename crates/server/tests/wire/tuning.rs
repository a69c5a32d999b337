//! Settings changed at run time, and pages moved on request.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::faults::eventually;
use crate::server::Server;

#[test]
fn settings_show_what_commands_have_set() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    for command in [
        "slabs automove 2",
        "slabs automove ratio 0.55",
        "slabs automove window 44",
        "lru tune 11 22 0.33 4.4",
        "lru mode flat",
        "lru temp_ttl 77",
        "lru_crawler disable",
        "lru_crawler sleep 88",
        "lru_crawler tocrawl 99",
        "stats detail on",
    ] {
        assert_eq!(client.ask(command), "OK", "{command}");
    }
    let mut other = server.connect();
    let settings = other.stats("settings");
    for (name, value) in [
        ("slab_automove", "2"),
        ("slab_automove_ratio", "0.55"),
        ("slab_automove_window", "44"),
        ("hot_lru_pct", "11"),
        ("warm_lru_pct", "22"),
        ("hot_max_factor", "0.33"),
        ("warm_max_factor", "4.40"),
        ("lru_segmented", "no"),
        ("temp_lru", "yes"),
        ("temporary_ttl", "77"),
        ("lru_crawler", "no"),
        ("lru_crawler_sleep", "88"),
        ("lru_crawler_tocrawl", "99"),
        ("detail_enabled", "yes"),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
}

/// The slab classes that have items, each with its pages.
fn pages(client: &mut Client) -> Vec<(u32, u64)> {
    let slabs = client.stats("slabs");
    let pages = slabs.iter().filter_map(|(name, value)| {
        let class = name.strip_suffix(":total_pages")?;
        Some((class.parse().unwrap(), value.parse().unwrap()))
    });
    pages.collect()
}

fn pages_move_on_request(shards: usize) {
    const ITEMS: usize = 4000;
    let server = Server::start(shards, &["-m", "100"]);
    let mut client = server.connect();
    for number in 0..ITEMS {
        assert_eq!(
            client.set(&format!("key{number}"), vec![b'x'; 4000]),
            "STORED"
        );
    }
    let (class, before) = pages(&mut client)[0];
    assert!(before >= 2 * shards as u64, "{before} pages");
    assert_eq!(client.ask(&format!("slabs reassign {class} 1")), "OK");
    let end = Instant::now() + Duration::from_secs(60);
    while client.stat("slabs_moved") < shards as u64 {
        assert!(Instant::now() < end, "no page has moved");
        thread::sleep(Duration::from_millis(10));
    }
    let after = pages(&mut client);
    let of = |wanted: u32| {
        let found = after.iter().find(|(class, _)| *class == wanted);
        found.map_or(0, |(_, pages)| *pages)
    };
    assert_eq!(of(1), shards as u64, "{after:?} {before}");
    // Most of the memory is free: what lay in the pages that moved has found room there.
    let present = (0..ITEMS)
        .filter(|number| client.get(&format!("key{number}")).is_some())
        .count();
    assert_eq!((present, client.stat("evictions")), (ITEMS, 0));
}

#[test]
fn pages_move_on_request_one_shard() {
    pages_move_on_request(1);
}

#[test]
fn pages_move_on_request_four_shards() {
    pages_move_on_request(4);
}

/// Fills a server with small values, then stores larger ones; returns which part of the small values' pages is left,
/// and how many pages have moved. Waits for that to be `enough`, but not longer than `patience`.
fn pages_after_a_shift(
    shards: usize,
    automove: u32,
    enough: fn(f64, u64) -> bool,
    patience: Duration,
) -> (f64, u64) {
    let server = Server::start(shards, &["-m", "64"]);
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("slabs automove {automove}")), "OK");
    let mut store = |name: &str, count: usize, bytes: usize| {
        let value = "v".repeat(bytes);
        for number in 0..count {
            client.send(format!(
                "set {name}-{number} 0 0 {bytes} noreply\r\n{value}\r\n"
            ));
        }
        assert_eq!(client.ask("mn"), "MN");
    };
    store("first", 1, 1);
    // The upkeep takes over settings before it crawls.
    let mut client = server.connect();
    assert_eq!(client.ask("lru_crawler crawl all"), "OK");
    eventually("the crawl ends", || client.stat("lru_crawler_running") == 0);
    store("small", 150_000, 500);
    let small = pages(&mut client)
        .into_iter()
        .max_by_key(|&(_, pages)| pages);
    let (class, before) = small.unwrap();
    store("large", 100_000, 2000);
    let end = Instant::now() + patience;
    let (kept, moved) = loop {
        let after = pages(&mut client);
        let of_small = after.iter().find(|&&(of, _)| of == class);
        let left = of_small.map_or(0, |&(_, pages)| pages);
        let (kept, moved) = (left as f64 / before as f64, client.stat("slabs_moved"));
        if enough(kept, moved) || Instant::now() > end {
            break (kept, moved);
        }
        thread::sleep(Duration::from_millis(50));
    };
    let emptied =
        client.stat("slab_reassign_inline_reclaim") + client.stat("slab_reassign_rescues");
    // Each page that has moved held some hundred items.
    assert!(emptied >= 50 * moved, "{emptied} items, {moved} pages");
    assert!(client.stat("slab_reassign_running") <= 1);
    (kept, moved)
}

#[test]
fn pages_move_by_themselves_unless_told_otherwise() {
    for shards in [1, 4] {
        let never = |_, _| false;
        let (kept, moved) = pages_after_a_shift(shards, 0, never, Duration::from_secs(1));
        println!("{shards} shards, automove 0: {kept:.2} of the pages left, {moved} moved");
        assert!(
            kept > 0.9,
            "{shards} shards, automove 0: {kept:.2}, {moved}"
        );
        let enough = |kept, moved| kept < 0.5 && moved > 50;
        for automove in [1, 2] {
            let patience = Duration::from_secs(30);
            let (kept, moved) = pages_after_a_shift(shards, automove, enough, patience);
            println!(
                "{shards} shards, automove {automove}: {kept:.2} of the pages left, {moved} moved"
            );
            assert!(
                enough(kept, moved),
                "{shards} shards, automove {automove}: {kept:.2}, {moved}"
            );
        }
    }
}
