//! Streams of events: from every shard to a watcher on any of them, and never at the cost of those who make them.

mod operations;

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

/// A watcher that does not read costs a bounded amount of memory and no client anything; when it reads again it is told
/// how much it has lost.
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
