//! Streams of events: from every shard to a watcher on any of them, and never at the cost of those who make them.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, set_request};
use crate::server::Server;

/// Fields of a line; every line begins with its time and number.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
    let found = fields.find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} in {line:?}")).1
}

/// The line without its time, number and descriptor, which differ from run to run.
pub(crate) fn event(line: &str) -> String {
    let words = line.split(' ').filter(|word| {
        !["ts=", "gid=", "cfd=", "rport="]
            .iter()
            .any(|name| word.starts_with(name))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn watch(server: &Server, streams: &str) -> Client {
    let mut watcher = server.connect();
    assert_eq!(watcher.ask(format!("watch {streams}").trim_end()), "OK");
    watcher
}

fn expect(watcher: &mut Client, events: &[&str]) {
    for expected in events {
        assert_eq!(&event(&watcher.log_line()), expected);
    }
}

/// One client, whose operations run one after the other, on keys of all shards.
fn each_operation_shows_in_its_streams(shards: usize) {
    let server = Server::start(shards, &["-o", "debugtime"]);
    let mut client = server.connect();
    assert_eq!(client.ask("debugtime p"), "OK");
    let mut all = watch(&server, "fetchers mutations deletions");
    let mut deletions = watch(&server, "deletions");
    for number in 0..20 {
        let key = format!("key {number}").replace(' ', ":");
        let shown = key.replace(':', "%3A");
        client.send(format!("set {key} 0 100 5\r\nvalue\r\n"));
        assert_eq!(client.line(), "STORED");
        let missed = format!("type=item_get key={shown} status=not_found clsid=0 size=0");
        expect(&mut all, &[&missed]);
        let stored = event(&all.log_line());
        let class = field(&stored, "clsid").to_owned();
        assert_eq!(
            stored,
            format!(
                "type=item_store key={shown} status=stored cmd=set ttl=100 clsid={class} size=5"
            )
        );
        let found = format!("type=item_get key={shown} status=found clsid={class} size=5");
        assert!(client.get(&key).is_some());
        client.send(format!("add {key} 0 0 2\r\nxy\r\n"));
        assert_eq!(client.line(), "NOT_STORED");
        expect(&mut all, &[&found, &found]);
        let refused = event(&all.log_line());
        assert_eq!(
            refused,
            format!(
                "type=item_store key={shown} status=not_stored cmd=add ttl=0 clsid={} size=2",
                field(&refused, "clsid")
            )
        );
        client.send(format!("cas {key} 0 0 2 1000000\r\nxy\r\n"));
        assert_eq!(client.line(), "EXISTS");
        expect(&mut all, &[&found]);
        assert!(event(&all.log_line()).contains("status=exists cmd=cas"));
        assert_eq!(client.ask(&format!("delete {key}")), "DELETED");
        assert_eq!(client.ask(&format!("delete {key}")), "NOT_FOUND");
        let deleted = format!("type=deleted key={shown} cmd=delete clsid={class} size=5");
        expect(&mut all, &[&found, &deleted, &missed]);
        expect(&mut deletions, &[&deleted]);
    }
    client.set("mortal", "x");
    client.ask("touch mortal 5");
    client.ask("debugtime 6");
    assert!(client.get("mortal").is_none());
    client.set("flushed", "x");
    client.ask("flush_all");
    assert!(client.get("flushed").is_none());
    let mut statuses = Vec::new();
    while statuses.last().map(String::as_str) != Some("flushed") {
        let line = all.log_line();
        if line.contains("type=item_get") {
            statuses.push(field(&line, "status").to_owned());
        }
    }
    assert_eq!(
        statuses,
        ["not_found", "found", "expired", "not_found", "flushed"]
    );
}

/// Everything that stores: numbers that are created, and values that are taken away; not what only changes a number.
#[test]
fn whatever_stores_is_a_mutation() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let mut mutations = watch(&server, "mutations");
        for number in 0..8 {
            let key = format!("k{number}");
            let mut expect = |status: &str, command: &str, size: usize| {
                let line = event(&mutations.log_line());
                let class = field(&line, "clsid").to_owned();
                let ttl = field(&line, "ttl").to_owned();
                assert_eq!(
                    line,
                    format!(
                        "type=item_store key={key} status={status} cmd={command} ttl={ttl} clsid={class} size={size}"
                    )
                );
            };
            assert_eq!(client.ask(&format!("ma {key} N0 J100")), "HD");
            expect("stored", "add", 3);
            assert_eq!(client.ask(&format!("ma {key} N0 v")), "VA 3");
            client.line();
            assert_eq!(client.ask(&format!("incr {key} 1")), "102");
            assert_eq!(client.ask(&format!("md {key} x")), "HD");
            expect("stored", "set", 0);
            assert_eq!(client.ask(&format!("md {key} I T30")), "HD");
            assert_eq!(client.ask(&format!("md {key}x x")), "NF");
            assert_eq!(client.ask(&format!("incr {key}x 1")), "NOT_FOUND");
            client.set(&key, "end");
            expect("stored", "set", 3);
            // INCR that creates, by 1 from 7.
            let mut binary = server.connect();
            let name = format!("b{number}");
            let mut packet = vec![
                0x80,
                5,
                0,
                name.len() as u8,
                20,
                0,
                0,
                0,
                0,
                0,
                0,
                20 + name.len() as u8,
            ];
            packet.extend([0; 12]);
            packet.extend(1_u64.to_be_bytes());
            packet.extend(7_u64.to_be_bytes());
            packet.extend(0_u32.to_be_bytes());
            packet.extend(name.as_bytes());
            binary.send(&packet);
            binary.bytes(24 + 8);
            let line = event(&mutations.log_line());
            assert!(
                line.starts_with(&format!("type=item_store key={name} status=stored cmd=add")),
                "{line}"
            );
            assert_eq!(field(&line, "size"), "1");
        }
    }
}

#[test]
fn each_operation_shows_in_its_streams_one_shard() {
    each_operation_shows_in_its_streams(1);
}

#[test]
fn each_operation_shows_in_its_streams_four_shards() {
    each_operation_shows_in_its_streams(4);
}

#[test]
fn without_a_word_lookups_are_shown_and_some_words_show_nothing() {
    let server = Server::start(2, &[]);
    let mut silent = watch(&server, "rawcmds proxyreqs proxyevents proxyuser");
    let mut watcher = watch(&server, "");
    let mut client = server.connect();
    for key in ["a", "b", "c"] {
        assert!(client.get(key).is_none());
        let line = watcher.log_line();
        assert!(line.starts_with("ts=") && line.split(' ').nth(1).unwrap().starts_with("gid="));
        assert_eq!(
            event(&line),
            format!("type=item_get key={key} status=not_found clsid=0 size=0")
        );
    }
    silent.shorten_timeout();
    assert!(silent.byte().is_err(), "a line of a stream that has none");
}

#[test]
fn a_value_in_pieces_and_one_too_large_show_too() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    let mut watcher = watch(&server, "mutations");
    for number in 0..8 {
        let key = format!("large{number}");
        assert_eq!(client.set(&key, vec![b'x'; 300_000]), "STORED");
        let line = watcher.log_line();
        assert_eq!(
            event(&line),
            format!(
                "type=item_store key={key} status=stored cmd=set ttl=0 clsid={} size=300000",
                field(&line, "clsid")
            )
        );
    }
    let answer = client.set("huge", vec![b'x'; 2_000_000]);
    assert_eq!(answer, "SERVER_ERROR object too large for cache");
    expect(
        &mut watcher,
        &["type=item_store key=huge status=too_large cmd=set ttl=0 clsid=0 size=0"],
    );
}

/// Many clients on all shards: every operation shows once, and ids are unique and of one time.
#[test]
fn nothing_is_lost_or_shown_twice() {
    const CLIENTS: usize = 4;
    const OPERATIONS: usize = 500;
    let server = Server::start(4, &[]);
    let mut watchers = [watch(&server, "fetchers"), watch(&server, "fetchers")];
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = server.connect();
            scope.spawn(move || {
                for operation in 0..OPERATIONS {
                    assert!(client.get(&format!("c{number}-{operation}")).is_none());
                }
            });
        }
    });
    for watcher in &mut watchers {
        let mut keys = Vec::new();
        let mut ids = Vec::new();
        while keys.len() < CLIENTS * OPERATIONS {
            let line = watcher.log_line();
            keys.push(field(&line, "key").to_owned());
            ids.push(field(&line, "gid").parse::<u64>().unwrap());
        }
        keys.sort_unstable();
        keys.dedup();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            (keys.len(), ids.len()),
            (CLIENTS * OPERATIONS, CLIENTS * OPERATIONS)
        );
    }
    let mut client = server.connect();
    assert_eq!(client.stat("log_watchers"), 2);
    assert_eq!(
        client.stat("log_watcher_sent"),
        2 * (CLIENTS * OPERATIONS) as u64
    );
    assert_eq!(
        client.stat("log_worker_written"),
        (CLIENTS * OPERATIONS) as u64
    );
    assert_eq!(client.stat("log_watcher_skipped"), 0);
    assert_eq!(client.stat("log_worker_dropped"), 0);
}

fn wait_for(client: &mut Client, name: &str, wanted: u64) {
    let end = Instant::now() + Duration::from_secs(60);
    while client.stat(name) != wanted {
        assert!(Instant::now() < end, "{name} is not {wanted}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn there_are_twenty_watchers() {
    let server = Server::start(4, &[]);
    let mut client = server.connect();
    let mut watchers: Vec<Client> = (0..20).map(|_| watch(&server, "connevents")).collect();
    assert_eq!(
        client.ask("watch"),
        "WATCHER_TOO_MANY log watcher limit reached"
    );
    // What a watcher sends is dropped; leaving is noticed.
    let mut leaving = watchers.pop().unwrap();
    leaving.send("get a\r\nquit\r\n");
    drop(leaving);
    wait_for(&mut client, "log_watchers", 19);
    assert_eq!(client.ask("watch fetchers"), "OK");
    let mut other = server.connect();
    assert_eq!(other.stat("log_watchers"), 20);
    drop((client, watchers));
    wait_for(&mut other, "log_watchers", 0);
}

#[test]
fn watch_stands_alone_on_its_connection() {
    let server = Server::start(2, &[]);
    let mut client = server.connect();
    client.send("get a b c d\r\nwatch\r\n");
    assert_eq!(client.line(), "END");
    assert_eq!(
        client.line(),
        "ERROR cannot pipeline other commands before watch"
    );
    client.send("watch fetchers\r\nget a\r\n");
    assert_eq!(client.line(), "OK");
    let mut other = server.connect();
    assert!(other.get("b").is_none());
    assert_eq!(field(&client.log_line(), "key"), "b");
    let states = other.stats("conns");
    assert!(
        states.values().any(|state| state == "conn_watch"),
        "{states:?}"
    );
}

/// A watcher that does not read costs a bounded amount of memory and no client anything; when it reads again it is told how
/// much it has lost.
fn a_slow_watcher_loses_lines(shards: usize) {
    let server = Server::start(shards, &["-o", "watcher_logbuf_size=64"]);
    let mut client = server.connect();
    let mut slow = watch(&server, "fetchers");
    let key = "k".repeat(200);
    let request = format!("get {key}\r\n").repeat(200);
    let mut gets = 0;
    let end = Instant::now() + Duration::from_secs(60);
    while client.stat("log_watcher_skipped") < 1000 {
        assert!(Instant::now() < end, "nothing is skipped");
        client.send(&request);
        for _ in 0..200 {
            assert_eq!(client.line(), "END");
        }
        gets += 200;
    }
    let skipped = client.stat("log_watcher_skipped");
    let sent = client.stat("log_watcher_sent");
    assert_eq!(sent + skipped + client.stat("log_worker_dropped"), gets);
    let (mut lines, mut told) = (0, 0);
    let mut read = |wanted: &str| {
        let line = slow.log_line();
        match line.strip_prefix("skipped=") {
            Some(lost) => told += lost.parse::<u64>().unwrap(),
            None => assert_eq!(field(&line, "key"), wanted),
        }
        !line.starts_with("skipped=")
    };
    while lines < sent {
        lines += u64::from(read(&key));
    }
    // All is read: there is room again, and what was lost last is told before the next line.
    assert!(client.get("after").is_none());
    while !read("after") {}
    assert_eq!(client.stat("log_watcher_skipped"), skipped);
    assert_eq!(told, skipped);
}

#[test]
fn a_slow_watcher_loses_lines_one_shard() {
    a_slow_watcher_loses_lines(1);
}

#[test]
fn a_slow_watcher_loses_lines_four_shards() {
    a_slow_watcher_loses_lines(4);
}

#[test]
fn evictions_show() {
    let server = Server::start(2, &["-m", "8"]);
    let mut client = server.connect();
    let mut watcher = watch(&server, "evictions");
    let value = vec![b'x'; 10_000];
    for number in 0..3000 {
        client.send(set_request(&format!("key{number}"), &value));
        assert_eq!(client.line(), "STORED");
    }
    let evictions = client.stat("evictions");
    assert!(evictions > 1000, "{evictions}");
    for _ in 0..evictions {
        let line = watcher.log_line();
        assert_eq!(field(&line, "type"), "eviction");
        assert_eq!([field(&line, "fetch"), field(&line, "ttl")], ["no", "-1"]);
        assert_eq!(field(&line, "size"), "10000");
        assert!(field(&line, "key").starts_with("key"));
    }
}

#[test]
fn connections_show() {
    let server = Server::start(2, &[]);
    let mut watcher = watch(&server, "connevents");
    let mut client = server.connect();
    assert!(client.ask("version").starts_with("VERSION"));
    let line = line_of(&mut watcher, &client);
    assert_eq!(event(&line), "type=conn_new rip=127.0.0.1 transport=tcp");
    let descriptor = field(&line, "cfd").to_owned();
    assert!(
        client
            .stats("conns")
            .contains_key(&format!("{descriptor}:state"))
    );
    client.send("quit\r\n");
    let line = line_of(&mut watcher, &client);
    assert_eq!(
        event(&line),
        "type=conn_close rip=127.0.0.1 transport=tcp reason=normal"
    );
    assert_eq!(field(&line, "cfd"), descriptor);
    assert_closed_for("error", "GET / HTTP/1.1\r\n", &server, &mut watcher);
}

#[test]
fn idle_connections_show_and_a_watcher_is_none() {
    let server = Server::start(2, &["-o", "idle_timeout=1"]);
    let mut watcher = watch(&server, "connevents");
    for _ in 0..3 {
        assert_closed_for("idle_timeout", "version\r\n", &server, &mut watcher);
    }
}

/// Connects, sends `input`, and waits for the server to close the connection.
fn assert_closed_for(reason: &str, input: &str, server: &Server, watcher: &mut Client) {
    let mut client = server.connect();
    client.send(input);
    assert!(event(&line_of(watcher, &client)).starts_with("type=conn_new"));
    assert!(event(&line_of(watcher, &client)).ends_with(&format!("reason={reason}")));
}

/// The next line about this client: the connection that waited for the server's start may end only now.
fn line_of(watcher: &mut Client, client: &Client) -> String {
    let port = client.writer().local_addr().unwrap().port().to_string();
    loop {
        let line = watcher.log_line();
        if field(&line, "rport") == port {
            return line;
        }
    }
}

#[test]
fn the_crawler_and_moved_pages_show() {
    let server = Server::start(1, &["-m", "64"]);
    let mut client = server.connect();
    let mut watcher = watch(&server, "sysevents");
    let mut next = |kind: &str| loop {
        let line = watcher.log_line();
        if field(&line, "type") == kind {
            return line;
        }
    };
    for number in 0..4000 {
        client.set(&format!("key{number}"), vec![b'x'; 4000]);
    }
    let class = client
        .stats("items")
        .keys()
        .find_map(|name| Some(name.strip_prefix("items:")?.split_once(':')?.0.to_owned()))
        .expect("a class with items");
    assert_eq!(client.ask(&format!("slabs reassign {class} 1")), "OK");
    let line = next("slab_move");
    assert_eq!([field(&line, "src"), field(&line, "dst")], [&class, "1"]);
    wait_for(&mut client, "slabs_moved", 1);
    wait_for(&mut client, "slab_reassign_running", 0);
    assert_eq!(client.ask("lru_crawler crawl all"), "OK");
    let line = next("lru_crawler");
    assert_eq!(field(&line, "reclaimed"), "0");
}

/// The event for the key; keys are of all shards, so that lines come by loans and messages, too.
fn next_of(watcher: &mut Client, key: &str) -> String {
    let line = watcher.log_line();
    assert_eq!(field(&line, "key"), key, "{line}");
    event(&line)
}

/// The event of a lookup of this item, which is there.
fn next_of_get(client: &mut Client, watcher: &mut Client, key: &str) -> String {
    assert!(client.get(key).is_some());
    next_of(watcher, key)
}

#[test]
fn meta_commands_show_as_what_they_do() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let mut client = server.connect();
        let mut all = watch(&server, "fetchers mutations deletions");
        let mut deletions = watch(&server, "deletions");
        for number in 0..12 {
            let key = format!("key{number}");
            let missed = format!("type=item_get key={key} status=not_found clsid=0 size=0");
            assert_eq!(client.ask(&format!("mg {key} v")), "EN");
            assert_eq!(next_of(&mut all, &key), missed);
            client.send(format!("ms {key} 5 T90\r\nvalue\r\n"));
            assert_eq!(client.line(), "HD");
            assert_eq!(next_of(&mut all, &key), missed);
            let stored = next_of(&mut all, &key);
            let class = field(&stored, "clsid").to_owned();
            let rest = format!("cmd=set ttl=90 clsid={class} size=5");
            assert_eq!(
                stored,
                format!("type=item_store key={key} status=stored {rest}")
            );
            let found = format!("type=item_get key={key} status=found clsid={class} size=5");
            assert_eq!(client.ask(&format!("mg {key} s")), "HD s5");
            assert_eq!(next_of(&mut all, &key), found);
            client.send(format!("ms {key} 1 ME\r\nx\r\n"));
            assert_eq!(client.line(), "NS");
            assert_eq!(next_of(&mut all, &key), found);
            let refused = next_of(&mut all, &key);
            assert!(refused.contains("status=not_stored cmd=add"), "{refused}");
            // What keeps the item is no deletion.
            assert_eq!(client.ask(&format!("md {key} I T60")), "HD");
            assert_eq!(next_of(&mut all, &key), found);
            assert_eq!(client.ask(&format!("md {key} C1000000")), "EX");
            assert_eq!(next_of(&mut all, &key), found);
            assert_eq!(client.ask(&format!("md {key} x F3")), "HD");
            assert_eq!(next_of(&mut all, &key), found);
            let stored = next_of(&mut all, &key);
            assert!(stored.contains("status=stored cmd=set"), "{stored}");
            let emptied = next_of_get(&mut client, &mut all, &key);
            assert_eq!(client.ask(&format!("md {key}")), "HD");
            assert_eq!(next_of(&mut all, &key), emptied);
            let rest = format!("cmd=md clsid={} size=0", field(&emptied, "clsid"));
            let deleted = format!("type=deleted key={key} {rest}");
            assert_eq!(next_of(&mut all, &key), deleted);
            assert_eq!(client.ask(&format!("md {key}")), "NF");
            assert_eq!(next_of(&mut all, &key), missed);
            // Nothing but the deletion stands in the stream of deletions.
            assert_eq!(next_of(&mut deletions, &key), deleted);
            // An increment is a lookup; that of a key that is not there makes the item by itself.
            client.set(&key, "5");
            next_of(&mut all, &key);
            next_of(&mut all, &key);
            assert_eq!(client.ask(&format!("ma {key}")), "HD");
            assert!(next_of(&mut all, &key).contains("type=item_get"));
            client.send(format!("md {key} q\r\nmn\r\n"));
            assert_eq!(client.line(), "MN");
            assert!(next_of(&mut all, &key).contains("status=found"));
            assert!(next_of(&mut all, &key).contains("cmd=md"));
            assert!(next_of(&mut deletions, &key).contains("cmd=md"));
        }
    }
}
