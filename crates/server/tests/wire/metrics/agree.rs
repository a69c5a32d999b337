//! A scrape says what `stats` and its subcommands say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::client::{Client, set_request};
use crate::faults::eventually;
use crate::server::free_port;
use crate::tls::Encrypted;

use super::{Measured, Told, ask, check, connect, is_other_server};

/// Statistics that change by being asked for, or with time.
const RESTLESS: [&str; 12] = [
    "bytes_read",
    "bytes_written",
    "rusage_user",
    "rusage_system",
    "uptime",
    "time",
    "ticks",
    "parks",
    "loans",
    "messages",
    "doorbells",
    "crawler_items_checked",
];

/// Counters of `stats`, by the samples that tell them.
const COUNTERS: &str = "
    total_connections memcached_connections_total
    rejected_connections memcached_connections_rejected_total
    cmd_get memcached_command_requests_total{command=get}
    cmd_set memcached_command_requests_total{command=set}
    cmd_flush memcached_command_requests_total{command=flush}
    cmd_flush memcached_commands_total{command=flush,status=hit}
    cmd_touch memcached_command_requests_total{command=touch}
    cmd_meta memcached_command_requests_total{command=meta}
    get_hits memcached_commands_total{command=get,status=hit}
    get_misses memcached_commands_total{command=get,status=miss}
    get_expired memcached_gets_expired_total
    get_flushed memcached_gets_flushed_total
    delete_hits memcached_commands_total{command=delete,status=hit}
    delete_misses memcached_commands_total{command=delete,status=miss}
    incr_hits memcached_commands_total{command=incr,status=hit}
    incr_misses memcached_commands_total{command=incr,status=miss}
    decr_hits memcached_commands_total{command=decr,status=hit}
    decr_misses memcached_commands_total{command=decr,status=miss}
    cas_hits memcached_commands_total{command=cas,status=hit}
    cas_misses memcached_commands_total{command=cas,status=miss}
    cas_badval memcached_commands_total{command=cas,status=badval}
    touch_hits memcached_commands_total{command=touch,status=hit}
    touch_misses memcached_commands_total{command=touch,status=miss}
    store_too_large memcached_item_too_large_total
    store_no_memory memcached_item_no_memory_total
    auth_cmds memcached_auth_commands_total
    idle_kicks memcached_connections_idle_closed_total
    listen_disabled_num memcached_connections_listener_disabled_total
    conn_yields memcached_connections_yielded_total
    slabs_moved memcached_slab_pages_moved_total
    lru_crawler_starts memcached_lru_crawler_starts_total
    total_items memcached_items_total
    expired_unfetched memcached_items_expired_unfetched_total
    evicted_unfetched memcached_items_evicted_unfetched_total
    evictions memcached_items_evicted_total
    reclaimed memcached_items_reclaimed_total
    crawler_reclaimed memcached_lru_crawler_reclaimed_total
    max_connections memcached_max_connections
    curr_connections memcached_current_connections
    limit_maxbytes memcached_limit_bytes
    threads memcached_threads
    bytes memcached_current_bytes
    curr_items memcached_current_items
    accepting_conns memcached_accepting_connections
";

/// Every kind of command, with every outcome, on many keys, so that each shard has its part.
fn work(client: &mut Client) {
    let mut lines = 0;
    let mut request = Vec::new();
    for number in 0..200 {
        let key = format!("k{number}");
        request.extend(set_request(&key, &vec![b'x'; number * 20]));
        request.extend(set_request(&format!("n{number}"), b"5"));
        let text = format!(
            "delete gone\r\nincr n{number} 1\r\ndecr n{number} 1\r\nincr gone 1\r\ndecr gone 1\r\n\
             touch {key} 0\r\ntouch gone 0\r\nmg {key}\r\nmg gone\r\nme {key}\r\ncas gone 0 0 1 1\r\nx\r\ncas {key} 0 0 1 1\r\nx\r\n"
        );
        request.extend(text.into_bytes());
        lines += 14;
        if number % 3 == 0 {
            request.extend(format!("delete {key}\r\n").into_bytes());
            lines += 1;
        }
    }
    client.send(&request);
    for _ in 0..lines {
        client.line();
    }
    for number in 0..100 {
        client.get(&format!("k{number}"));
    }
    let (_, unique) = client.gets("n0").unwrap();
    assert_eq!(client.ask(&format!("cas n0 0 0 1 {unique}\r\ny")), "STORED");
    client.send("set huge 0 0 2000000\r\n");
    client.send(vec![b'x'; 2_000_000]);
    client.send("\r\n");
    assert_eq!(client.line(), "SERVER_ERROR object too large for cache");
}

/// The sample that `name{label=value,...}` names.
fn sample(told: &Told, written: &str) -> Option<f64> {
    let (name, labels) = written.split_once('{').unwrap_or((written, ""));
    let labels = labels.trim_end_matches('}').split(',');
    let labels: Vec<_> = labels.filter_map(|label| label.split_once('=')).collect();
    told.value(name, &labels)
}

fn number(stats: &BTreeMap<String, String>, name: &str) -> f64 {
    let value = stats.get(name).unwrap_or_else(|| panic!("no {name}"));
    value.parse().unwrap()
}

fn agrees(shards: usize) {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(shards, &["-m", "64", "-o", "idle_timeout=600"]);
    let mut client = measured.server.connect();
    work(&mut client);
    assert_eq!(client.ask("flush_all 1000"), "OK");
    let stats = client.stats("");
    let told = measured.scrape();
    let rows: Vec<_> = COUNTERS.split_whitespace().collect();
    for row in rows.chunks(2) {
        let (stat, written) = (row[0], row[1]);
        assert_eq!(sample(&told, written), Some(number(&stats, stat)), "{stat}");
    }
    let sets = ["cas_hits", "cas_misses", "cas_badval"].map(|it| number(&stats, it));
    let sets = number(&stats, "cmd_set") - sets.iter().sum::<f64>();
    let labels = [("command", "set"), ("status", "hit")];
    assert_eq!(told.value("memcached_commands_total", &labels), Some(sets));
    for name in ["cmd_meta", "cas_hits", "store_too_large", "delete_hits"] {
        assert!(number(&stats, name) > 0.0, "{name} was to be tried");
    }
    classes_agree(&mut client, &measured);
    shards_agree(&mut client, &measured, shards);
    durations_agree(&mut client, &measured);
}

fn classes_agree(client: &mut Client, measured: &Measured) {
    let (slabs, items) = (client.stats("slabs"), client.stats("items"));
    let told = measured.scrape();
    let classes = slabs
        .keys()
        .filter_map(|name| name.strip_suffix(":chunk_size"));
    let classes: Vec<_> = classes.collect();
    assert!(classes.len() > 5, "{classes:?}");
    for class in classes {
        let of_slabs = |stat: &str| Some(number(&slabs, &format!("{class}:{stat}")));
        let labels = [("slab", class)];
        for (stat, name) in [
            ("chunk_size", "memcached_slab_chunk_size_bytes"),
            ("total_pages", "memcached_slab_current_pages"),
            ("used_chunks", "memcached_slab_chunks_used"),
        ] {
            assert_eq!(told.value(name, &labels), of_slabs(stat), "{class}:{stat}");
        }
        for (stat, command) in [
            ("get_hits", "get"),
            ("touch_hits", "touch"),
            ("incr_hits", "incr"),
        ] {
            let labels = [("slab", class), ("command", command), ("status", "hit")];
            let value = told.value("memcached_slab_commands_total", &labels);
            assert_eq!(value, of_slabs(stat), "{class}:{stat}");
        }
        let number_of_items = items.get(&format!("items:{class}:number"));
        let number_of_items = number_of_items.map(|it| it.parse::<f64>().unwrap());
        let value = told.value("memcached_slab_current_items", &labels);
        assert_eq!(value, number_of_items, "{class}");
    }
    assert_eq!(
        told.value("memcached_active_slabs", &[]),
        Some(number(&slabs, "active_slabs"))
    );
}

fn shards_agree(client: &mut Client, measured: &Measured, shards: usize) {
    let (stats, memory) = (client.stats("shards"), client.stats("memory"));
    let told = measured.scrape();
    for shard in 0..shards {
        let shard = shard.to_string();
        let labels = [("shard", &*shard)];
        for (stat, name) in [
            ("curr_items", "corecached_shard_current_items"),
            ("bytes", "corecached_shard_current_bytes"),
            ("get_hits", "corecached_shard_get_hits_total"),
            ("curr_connections", "corecached_shard_current_connections"),
            ("pages_given", "corecached_shard_pages_given_total"),
        ] {
            let expected = number(&stats, &format!("{shard}:{stat}"));
            assert_eq!(told.value(name, &labels), Some(expected), "{shard}:{stat}");
        }
        let labels = [("shard", &*shard), ("purpose", "payload")];
        let expected = number(&memory, &format!("{shard}:payload"));
        let value = told.value("corecached_shard_memory_bytes", &labels);
        assert_eq!(value, Some(expected), "{shard}:payload");
    }
    let payload = told.value("corecached_memory_bytes", &[("purpose", "payload")]);
    assert_eq!(payload, Some(number(&memory, "payload")));
}

fn durations_agree(client: &mut Client, measured: &Measured) {
    let latency = client.stats("latency");
    let told = measured.scrape();
    let name = "corecached_command_duration_seconds";
    for kind in ["get", "set", "delete", "arith", "touch"] {
        let labels = [("kind", kind), ("stage", "total")];
        let count = told.value(&format!("{name}_count"), &labels).unwrap();
        assert_eq!(count, number(&latency, &format!("{kind}:count")), "{kind}");
        assert!(count > 0.0, "{kind}");
        let mean = told.value(&format!("{name}_sum"), &labels).unwrap() / count;
        let longest = number(&latency, &format!("{kind}:max_us")) / 1e6;
        assert!(mean > 0.0 && mean <= longest * 1.1, "{kind}: {mean}");
        for stage in ["queue", "execution", "other_shard", "sending"] {
            let labels = [("kind", kind), ("stage", stage)];
            let part = told.value(&format!("{name}_count"), &labels).unwrap();
            assert!(part <= count, "{kind} {stage}");
        }
    }
}

#[test]
fn a_scrape_says_what_statistics_say_1() {
    agrees(1);
}

#[test]
fn a_scrape_says_what_statistics_say_4() {
    agrees(4);
}

#[test]
fn a_client_that_knows_no_open_metrics_gets_the_older_format() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    let plain = measured.get("/metrics", "Accept: text/plain\r\n");
    let kind = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
    assert!(plain.head.contains(kind), "{}", plain.head);
    assert!(
        plain
            .body
            .contains("\n# TYPE memcached_connections_total counter\n")
    );
    assert!(!plain.body.contains("# EOF"));
    let open = measured.get("/metrics", "Accept: application/openmetrics-text\r\n");
    let kind = "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(open.head.contains(kind), "{}", open.head);
    assert!(
        open.body
            .contains("\n# TYPE memcached_connections counter\n")
    );
    assert!(open.body.ends_with("\n# EOF\n"));
}

/// A scrape is no connection of the cache, and no request.
#[test]
fn a_scrape_changes_no_counter() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    let mut client = measured.server.connect();
    eventually("the connection that waited for the start is closed", || {
        client.stat("connection_structures") == 1
    });
    let before = client.stats("");
    for _ in 0..20 {
        measured.scrape();
    }
    let mut after = client.stats("");
    for restless in RESTLESS {
        after.insert(
            restless.to_owned(),
            before.get(restless).cloned().unwrap_or_default(),
        );
    }
    let before: BTreeMap<_, _> = before.into_iter().collect();
    for (name, value) in before {
        assert_eq!(after[&name], value, "{name}");
    }
}

#[test]
fn a_reset_sets_counters_back() {
    if is_other_server() {
        return;
    }
    let measured = Measured::start(2, &[]);
    let mut client = measured.server.connect();
    client.set("k", "v");
    let items = || measured.scrape().value("memcached_items_total", &[]);
    assert_eq!(items(), Some(1.0));
    assert_eq!(client.ask("stats reset"), "RESET");
    assert_eq!(items(), Some(0.0));
    assert_eq!(
        measured.scrape().value("memcached_current_items", &[]),
        Some(1.0)
    );
}

/// Certificates have statistics of their own.
#[test]
fn statistics_of_tls_are_told() {
    if is_other_server() {
        return;
    }
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let metrics = format!("metrics={address},ssl_session_cache");
    let encrypted = Encrypted::start(2, &["-o", &metrics]);
    drop(encrypted.connect());
    let request = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n";
    let scrape = || check(&ask(connect(address), request).body);
    // The client has ended the handshake before the server has.
    eventually("the session is counted", || {
        scrape().value("memcached_ssl_new_sessions_total", &[]) == Some(1.0)
    });
    let told = scrape();
    for name in [
        "memcached_ssl_handshake_errors_total",
        "memcached_ssl_protocol_errors_total",
        "memcached_ssl_certificate_age_seconds",
    ] {
        assert!(told.value(name, &[]).is_some(), "{name}");
    }
}
