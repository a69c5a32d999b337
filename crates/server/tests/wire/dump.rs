//! Dumps of all items: complete on a quiet server, bounded on a busy one, and gone with their connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Server;

/// Stores `count` items under keys that only `name` has.
fn fill(client: &mut Client, name: &str, count: usize) {
    for first in (0..count).step_by(100) {
        let mut request = Vec::new();
        for number in first..count.min(first + 100) {
            request.extend_from_slice(
                format!("set {name}:{number} 7 0 5 noreply\r\nvalue\r\n").as_bytes(),
            );
        }
        client.send(request);
    }
    assert_eq!(client.ask("mn"), "MN");
}

/// The lines of a dump up to its `end`, without what ends each.
fn dump(client: &mut Client, command: &str, end: &str) -> Vec<String> {
    assert_eq!(client.ask(command), "OK", "{command}");
    let mut lines = Vec::new();
    loop {
        let line = client.log_line();
        if line == end {
            return lines;
        }
        lines.push(line);
    }
}

fn metadump(client: &mut Client, target: &str) -> Vec<String> {
    dump(client, &format!("lru_crawler metadump {target}"), "END")
}

/// The value of one field of a line.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
    let found = fields.find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} in {line}")).1
}

fn a_quiet_server_lists_exactly_its_live_keys(shards: usize) {
    let server = Server::start(shards, &["-o", "debugtime"]);
    let mut client = server.connect();
    fill(&mut client, "key", 5000);
    for number in 0..1000 {
        assert_eq!(client.ask(&format!("delete key:{number}")), "DELETED");
    }
    for number in 1000..1100 {
        assert_eq!(client.ask(&format!("touch key:{number} 10")), "TOUCHED");
    }
    assert_eq!(client.ask("debugtime 11"), "OK");
    let live: BTreeSet<String> = (1100..5000).map(|number| format!("key:{number}")).collect();

    let mut listed = BTreeSet::new();
    for line in metadump(&mut client, "all") {
        assert!(line.ends_with(" flags=7 "), "{line:?}");
        assert_eq!(field(&line, "exp"), "-1");
        assert_eq!(field(&line, "fetch"), "no");
        assert!(listed.insert(field(&line, "key").replace("%3A", ":")));
    }
    assert_eq!(listed, live);

    let commands = dump(&mut client, "lru_crawler mgdump hash", "EN");
    let keys: BTreeSet<String> = commands
        .iter()
        .map(|line| line.strip_prefix("mg ").expect("a command").to_owned())
        .collect();
    assert_eq!((commands.len(), keys), (live.len(), live));
    assert_eq!(client.stat("lru_crawler_running"), 0);
    assert_eq!(client.stat("lru_crawler_starts"), 2);
}

#[test]
fn a_quiet_server_lists_exactly_its_live_keys_one_shard() {
    a_quiet_server_lists_exactly_its_live_keys(1);
}

#[test]
fn a_quiet_server_lists_exactly_its_live_keys_four_shards() {
    a_quiet_server_lists_exactly_its_live_keys(4);
}

#[test]
fn a_list_of_classes_selects() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    fill(&mut client, "small", 50);
    for number in 0..20 {
        client.set(&format!("large:{number}"), vec![b'x'; 3000]);
    }
    let all = metadump(&mut client, "all");
    assert_eq!(all.len(), 70);
    let classes: BTreeSet<&str> = all.iter().map(|line| field(line, "cls")).collect();
    let mut sum = 0;
    for class in classes {
        let listed = metadump(&mut client, class);
        assert!(listed.iter().all(|line| field(line, "cls") == class));
        let counted = client.stats("items");
        let number = &counted[&format!("items:{class}:number")];
        assert_eq!(number, &listed.len().to_string(), "class {class}");
        client.send(format!("stats cachedump {class} 5\r\n"));
        let mut shown = 0;
        loop {
            let line = client.line();
            if line == "END" {
                break;
            }
            assert!(
                line.starts_with("ITEM ") && line.ends_with(" b; 0 s]"),
                "{line}"
            );
            shown += 1;
        }
        assert_eq!(shown, listed.len().min(5));
        sum += listed.len();
    }
    assert_eq!(sum, all.len());
}

#[test]
fn a_dump_stands_alone_on_its_connection() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    client.send("version\r\nlru_crawler metadump all\r\nlru_crawler mgdump all\r\n");
    assert!(client.line().starts_with("VERSION"));
    assert_eq!(
        client.line(),
        "ERROR cannot pipeline other commands before metadump"
    );
    assert_eq!(
        client.line(),
        "ERROR cannot pipeline other commands before mgdump"
    );
    // What is sent behind it waits for its end.
    client.send("lru_crawler metadump all\r\nmn\r\n");
    assert_eq!(
        [client.line(), client.line(), client.line()],
        ["OK", "END", "MN"]
    );
}

/// A reader that does not read stops its own dump and nothing else; while it lasts there is no other, and closing it in
/// the middle makes room for the next.
fn a_reader_that_does_not_read(shards: usize) {
    const ITEMS: usize = 200_000;
    let server = Server::start(shards, &[]);
    let mut client = server.connect();
    fill(&mut client, "key", ITEMS);
    let before = server.resident_bytes();
    let mut slow = server.connect();
    slow.send("lru_crawler metadump all\r\n");
    assert_eq!(slow.line(), "OK");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(client.stat("lru_crawler_running"), 1);
    for command in ["metadump all", "mgdump all", "crawl all"] {
        assert_eq!(
            client.ask(&format!("lru_crawler {command}")),
            "BUSY currently processing crawler request"
        );
    }
    assert_eq!(client.get("key:7").as_deref(), Some(b"value".as_slice()));
    let grown = server.resident_bytes().saturating_sub(before);
    // The dump has some 20 MB of lines.
    assert!(grown < 8 << 20, "{grown} bytes");
    slow.reset();
    let end = Instant::now() + Duration::from_secs(60);
    while client.stat("lru_crawler_running") == 1 {
        assert!(Instant::now() < end, "the dump outlives its connection");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(metadump(&mut client, "all").len(), ITEMS);
}

#[test]
fn a_reader_that_does_not_read_one_shard() {
    a_reader_that_does_not_read(1);
}

#[test]
fn a_reader_that_does_not_read_four_shards() {
    a_reader_that_does_not_read(4);
}

#[test]
fn what_stays_is_listed_while_other_items_come_and_go() {
    const STAYING: usize = 20_000;
    let server = Server::start(4, &[]);
    let mut client = server.connect();
    fill(&mut client, "stays", STAYING);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let mut other = server.connect();
            let done = &done;
            scope.spawn(move || {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    let key = format!("writer{writer}:{}", number % 3000);
                    assert_eq!(other.set(&key, "x".repeat(number % 200)), "STORED");
                    let old = (number + 1500) % 3000;
                    let answer = other.ask(&format!("delete writer{writer}:{old}"));
                    assert!(["DELETED", "NOT_FOUND"].contains(&answer.as_str()));
                    number += 1;
                }
            });
        }
        for _ in 0..5 {
            let lines = metadump(&mut client, "all");
            let staying: BTreeSet<&str> = lines
                .iter()
                .map(|line| field(line, "key"))
                .filter(|key| key.starts_with("stays"))
                .collect();
            assert_eq!(staying.len(), STAYING);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn sizes_are_counted_if_they_are_tracked() {
    let server = Server::start(2, &["-o", "track_sizes"]);
    let mut client = server.connect();
    assert!(client.stats_list("sizes").is_empty());
    fill(&mut client, "key", 300);
    client.set("large", vec![b'x'; 100_000]);
    let sizes = client.stats_list("sizes");
    let count: u64 = sizes.iter().map(|(_, n)| n.parse::<u64>().unwrap()).sum();
    assert_eq!(count, 301);
    let largest: u64 = sizes.last().unwrap().0.parse().unwrap();
    assert!(largest.is_multiple_of(32) && (100_000..100_128).contains(&largest));
}

#[test]
fn a_crawl_reclaims_what_is_dead() {
    let server = Server::start(2, &["-o", "debugtime"]);
    let mut client = server.connect();
    for number in 0..100 {
        client.send(format!("set key:{number} 0 5 1\r\nx\r\n"));
        assert_eq!(client.line(), "STORED");
    }
    assert_eq!(client.ask("debugtime 6"), "OK");
    let answer = client.ask("lru_crawler crawl all");
    assert_eq!(answer, "OK");
    let end = Instant::now() + Duration::from_secs(60);
    while client.stat("curr_items") > 0 || client.stat("lru_crawler_running") == 1 {
        assert!(Instant::now() < end, "dead items are still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.stat("crawler_reclaimed"), 100);
}

/// A crawl of a few items is through at once, although the upkeep is at rest; 20 crawls, each with its dump, would take
/// 20 seconds and more if each waited for the upkeep's next round.
#[test]
fn a_small_crawl_does_not_keep_others_waiting() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        fill(&mut client, "key", 90);
        let mut waited = Duration::ZERO;
        for _ in 0..20 {
            // The upkeep has gone to rest.
            thread::sleep(Duration::from_millis(150));
            let begun = Instant::now();
            assert_eq!(client.ask("lru_crawler crawl all"), "OK");
            while client.stat("lru_crawler_running") == 1 {
                thread::sleep(Duration::from_millis(1));
            }
            waited += begun.elapsed();
            assert_eq!(metadump(&mut client, "all").len(), 90);
        }
        assert!(waited < Duration::from_secs(8), "{waited:?}");
    }
}
