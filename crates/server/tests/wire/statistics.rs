//! Statistics: names and order are an interface of monitoring tools, and the counts must be right
//! however many shards keep them.

mod counted;

mod kinds;

use std::collections::BTreeMap;

use crate::client::Client;

use crate::server::Server;

/// General statistics in order, as memcached 1.6.45 without optional parts prints them.
const GENERAL: &str = "pid uptime time version libevent pointer_size rusage_user rusage_system \
    max_connections curr_connections total_connections rejected_connections \
    connection_structures response_obj_oom response_obj_count response_obj_bytes \
    read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds cmd_get \
    cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed \
    delete_misses delete_hits incr_misses incr_hits decr_misses decr_hits cas_misses cas_hits \
    cas_badval touch_hits touch_misses store_too_large store_no_memory auth_cmds auth_errors \
    bytes_read bytes_written limit_maxbytes accepting_conns listen_disabled_num \
    time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes \
    hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues \
    slab_reassign_inline_reclaim slab_reassign_busy_items slab_reassign_busy_deletes \
    slab_reassign_busy_nomem slab_reassign_last_busy_status slab_reassign_running slabs_moved \
    lru_crawler_running lru_crawler_starts lru_maintainer_juggles malloc_fails \
    log_worker_dropped log_worker_written log_watcher_skipped log_watcher_sent log_watchers \
    unexpected_napi_ids round_robin_fallback bytes curr_items total_items \
    slab_global_page_pool expired_unfetched evicted_unfetched evicted_active evictions \
    reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold \
    moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped";

pub(crate) const SETTINGS: &str = "maxbytes maxconns tcpport udpport inter verbosity oldest evictions \
    domain_socket umask shutdown_command growth_factor chunk_size num_threads \
    num_threads_per_udp stat_key_prefix detail_enabled reqs_per_event cas_enabled tcp_backlog \
    binding_protocol auth_enabled_sasl auth_enabled_ascii item_size_max maxconns_fast \
    hashpower_init slab_reassign slab_automove slab_automove_ratio slab_automove_window \
    slab_chunk_max lru_crawler lru_crawler_sleep lru_crawler_tocrawl tail_repair_time \
    flush_enabled dump_enabled hash_algorithm lru_maintainer_thread lru_segmented hot_lru_pct \
    warm_lru_pct hot_max_factor warm_max_factor temp_lru temporary_ttl idle_timeout \
    watcher_logbuf_size worker_logbuf_size read_buf_mem_limit track_sizes \
    inline_ascii_response slab_automove_freeratio ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode ssl_keyformat \
    ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls ssl_min_version \
    num_napi_ids memory_file client_flags_size";

/// Per class of `stats items`. `number_temp` is there only with a TEMP list.
const ITEMS: &str = "number number_hot number_warm number_cold age_hot age_warm age \
    mem_requested evicted evicted_nonzero evicted_time outofmemory tailrepairs reclaimed \
    expired_unfetched evicted_unfetched evicted_active crawler_reclaimed \
    crawler_items_checked lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru \
    direct_reclaims hits_to_hot hits_to_warm hits_to_cold hits_to_temp";

const SLABS: &str = "chunk_size chunks_per_page total_pages total_chunks used_chunks \
    free_chunks free_chunks_end get_hits cmd_set delete_hits incr_hits decr_hits cas_hits \
    cas_badval touch_hits";

pub(crate) fn words(list: &str) -> Vec<&str> {
    list.split_whitespace().collect()
}

/// The general statistics with these behind `place`.
pub(crate) fn general_with(place: &str, added: &[&'static str]) -> Vec<&'static str> {
    let mut names = words(GENERAL);
    let index = names.iter().position(|name| *name == place).unwrap();
    names.splice(index + 1..=index, added.iter().copied());
    names
}

/// Checks names and order. Debian's memcached has a few more and a few fewer: of it only
/// the order of the common names is checked.
fn assert_names(server: &Server, got: &[(String, String)], expected: &str) {
    let mut got: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = words(expected);
    if server.is_old_memcached {
        let names = got.clone();
        got.retain(|name| expected.contains(name));
        expected.retain(|name| names.contains(name));
    }
    assert_eq!(got, expected);
}

#[test]
fn general_statistics_have_their_names_in_order() {
    let server = Server::start(2, &[]);
    let list = server.connect().stats_list("");
    assert_names(&server, &list, GENERAL);
    let stats: BTreeMap<String, String> = list.into_iter().collect();
    assert_eq!(stats["pid"], server.pid().to_string());
    assert_eq!(stats["pointer_size"], "64");
    assert_eq!(stats["limit_maxbytes"], "67108864");
    assert_eq!(stats["max_connections"], "1024");
    assert_eq!(stats["accepting_conns"], "1");
    assert_eq!(stats["threads"], "2");
    assert_eq!(stats["curr_items"], "0");
    assert!(
        stats["uptime"].parse::<u64>().unwrap() >= 2,
        "tools divide by it"
    );
}

/// A store over a flushed or expired item counts as reclaimed, on whatever shard.
#[test]
fn what_takes_the_place_of_the_dead_is_reclaimed() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-o", "no_lru_crawler"]);
        let mut client = server.connect();
        for key in 0..20 {
            client.set(&format!("k{key}"), "1");
        }
        client.ask("flush_all");
        for key in 0..10 {
            client.set(&format!("k{key}"), "2");
        }
        client.send("set e 0 -1 1\r\n1\r\n");
        assert_eq!(client.line(), "STORED");
        client.set("e", "2");
        assert_eq!(client.stat("reclaimed"), 11);
        assert_eq!(client.stat("get_flushed"), 10);
    }
}

/// The crawler's statistics are there while it is on, whoever has switched it on.
#[test]
fn the_crawler_shows_while_it_is_on() {
    let server = Server::start(1, &["-o", "no_lru_crawler"]);
    let mut client = server.connect();
    let names = ["lru_crawler_running", "lru_crawler_starts"];
    let shown = |client: &mut Client| {
        let stats = client.stats("");
        names.map(|name| stats.contains_key(name))
    };
    assert_eq!(shown(&mut client), [false; 2]);
    assert_eq!(client.ask("lru_crawler enable"), "OK");
    assert_eq!(shown(&mut client), [true; 2]);
    assert_eq!(client.ask("lru_crawler disable"), "OK");
    assert_eq!(shown(&mut client), [false; 2]);
}

#[test]
fn the_free_ratio_is_a_setting() {
    let server = Server::start(1, &[]);
    let mut client = server.connect();
    let shown = |client: &mut Client| client.stats("settings")["slab_automove_freeratio"].clone();
    assert_eq!(shown(&mut client), "0.010");
    assert_eq!(client.ask("slabs automove freeratio 0.25"), "OK");
    assert_eq!(shown(&mut client), "0.250");
}

#[test]
fn settings_have_their_names_in_order_and_show_the_options() {
    let options = [
        "-m",
        "100",
        "-c",
        "500",
        "-I",
        "2m",
        "-f",
        "1.5",
        "-o",
        "idle_timeout=77",
    ];
    let server = Server::start(3, &options);
    let list = server.connect().stats_list("settings");
    assert_names(&server, &list, SETTINGS);
    let settings: BTreeMap<String, String> = list.into_iter().collect();
    for (name, value) in [
        ("maxbytes", "104857600"),
        ("maxconns", "500"),
        ("udpport", "0"),
        ("inter", "127.0.0.1"),
        ("verbosity", "0"),
        ("evictions", "on"),
        ("domain_socket", "NULL"),
        ("umask", "700"),
        ("growth_factor", "1.50"),
        ("num_threads", "3"),
        ("stat_key_prefix", ":"),
        ("detail_enabled", "no"),
        ("reqs_per_event", "20"),
        ("cas_enabled", "yes"),
        ("tcp_backlog", "1024"),
        ("binding_protocol", "auto-negotiate"),
        ("auth_enabled_sasl", "no"),
        ("auth_enabled_ascii", "no"),
        ("item_size_max", "2097152"),
        ("maxconns_fast", "yes"),
        ("flush_enabled", "yes"),
        ("dump_enabled", "yes"),
        ("idle_timeout", "77"),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
    assert_eq!(settings["tcpport"], server.address().port().to_string());
    let server = Server::start(1, &["-M", "-C", "-F", "-A"]);
    let settings = server.connect().stats("settings");
    assert_eq!(settings["evictions"], "off");
    assert_eq!(settings["cas_enabled"], "no");
    assert_eq!(settings["flush_enabled"], "no");
    assert_eq!(settings["shutdown_command"], "yes");
}

/// Splits `items:<class>:<name>` or `<class>:<name>` into names per class.
fn names_by_class(list: &[(String, String)], prefix: &str) -> BTreeMap<u32, Vec<String>> {
    let mut classes: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (name, _) in list {
        let rest = name
            .strip_prefix(prefix)
            .unwrap_or_else(|| panic!("{name}"));
        let (class, name) = rest.split_once(':').unwrap_or_else(|| panic!("{rest}"));
        let class = class.parse().expect("a class number");
        classes.entry(class).or_default().push(name.to_owned());
    }
    classes
}

#[test]
fn items_and_slabs_have_their_names_for_each_class() {
    let server = Server::start(4, &[]);
    let mut client = server.connect();
    assert_eq!(client.stats_list("items"), []);
    for number in 0..20 {
        client.set(&format!("small-{number}"), "x");
        client.set(&format!("medium-{number}"), "x".repeat(3000));
    }
    let items = names_by_class(&client.stats_list("items"), "items:");
    assert_eq!(items.len(), 2, "two classes are in use: {:?}", items.keys());
    for names in items.values() {
        assert_eq!(*names, words(ITEMS));
    }
    let mut slabs = client.stats_list("slabs");
    let totals: Vec<(String, String)> = slabs.split_off(slabs.len() - 2);
    assert_eq!(totals[0].0, "active_slabs");
    assert_eq!(totals[1].0, "total_malloced");
    let slabs = names_by_class(&slabs, "");
    for class in items.keys() {
        assert!(slabs.contains_key(class), "class {class} is in both lists");
    }
    assert!(slabs.values().all(|names| *names == words(SLABS)));
    let stats = client.stats("items");
    let number: u64 = stats
        .iter()
        .filter(|(name, _)| name.ends_with(":number"))
        .map(|(_, value)| value.parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(number, 40);
}

/// Values of some general statistics.
fn counts<const N: usize>(client: &mut Client, names: [&str; N]) -> [u64; N] {
    let stats = client.stats("");
    names.map(|name| stats[name].parse().expect("a number"))
}

/// The parts of `stats memory` add up, over the shards and within each.
#[test]
fn stats_memory_accounts_for_every_byte() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-m", "32"]);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        let mut payload = 0;
        for number in 0..2000 {
            let key = format!("key-{number}");
            let value = vec![b'v'; number * 13 % 3000];
            payload += (key.len() + value.len()) as u64;
            assert_eq!(client.set(&key, &value), "STORED");
        }
        let memory = client.stats("memory");
        let number = |name: &str| memory[name].parse::<u64>().expect("a number");
        let parts = [
            "payload",
            "headers",
            "index",
            "rounding",
            "free_chunks",
            "free_pages",
        ];
        assert_eq!(number("payload"), payload);
        assert!(number("headers") >= 2000 * 14 && number("headers") <= 2000 * 24);
        assert_eq!(number("limit_maxbytes"), 32 << 20);
        assert_eq!(parts.map(number).iter().sum::<u64>(), number("total"));
        for name in parts.iter().chain(&["total"]) {
            let of_shards = (0..shards).map(|shard| number(&format!("{shard}:{name}")));
            assert_eq!(of_shards.sum::<u64>(), number(name), "{name}");
        }
        assert!(number("total") <= number("limit_maxbytes"));
    }
}

/// Options add names in their place, and take away those of what they turn off.
#[test]
fn options_change_the_names() {
    let names = |options: &[&str], what: &str| -> Vec<String> {
        let server = Server::start(2, options);
        let mut client = server.connect();
        client.set("key", "value");
        let list = client.stats_list(what);
        let last = |name: String| name.rsplit(':').next().unwrap().to_owned();
        list.into_iter().map(|(name, _)| last(name)).collect()
    };
    let without = |names: &[&str]| {
        let mut left = words(GENERAL);
        left.retain(|name| !names.iter().any(|prefix| name.starts_with(prefix)));
        left
    };
    let idle = names(&["-o", "idle_timeout=77"], "");
    assert_eq!(idle, general_with("auth_errors", &["idle_kicks"]));
    let slow = names(&["-o", "no_maxconns_fast"], "");
    assert_eq!(slow, without(&["rejected_connections"]));
    let fixed = names(&["-o", "no_slab_reassign"], "");
    assert_eq!(fixed, without(&["slab_reassign_", "slabs_moved"]));
    let flat = names(&["-o", "no_lru_crawler,no_lru_maintainer"], "");
    let lists = ["lru_", "evicted_active", "moves_", "direct_reclaims"];
    assert_eq!(flat, without(&lists));
    let mut temp = words(ITEMS);
    temp.insert(4, "number_temp");
    assert_eq!(names(&["-o", "temporary_ttl=61"], "items"), temp);
    // What has no name of its own there changes nothing.
    assert_eq!(names(&["-M", "-C", "-F", "-A"], ""), words(GENERAL));
    assert_eq!(names(&["-X", "-W"], "settings"), words(SETTINGS));
}
