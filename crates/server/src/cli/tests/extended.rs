//! The sub-options of `-o`.

use corecached_reactor::Io;

use super::{check, refused, try_draft};

/// Sub-options that need a value, and the message without one.
const MISSING: [(&str, &str); 26] = [
    ("hashpower", "Missing numeric argument for hashpower"),
    (
        "slab_automove_ratio",
        "Missing slab_automove_ratio argument",
    ),
    (
        "slab_automove_window",
        "Missing slab_automove_window argument",
    ),
    (
        "tail_repair_time",
        "Missing numeric argument for tail_repair_time",
    ),
    ("hash_algorithm", "Missing hash_algorithm argument"),
    ("lru_crawler_sleep", "Missing lru_crawler_sleep value"),
    ("lru_crawler_tocrawl", "Missing lru_crawler_tocrawl value"),
    ("hot_lru_pct", "Missing hot_lru_pct argument"),
    ("warm_lru_pct", "Missing warm_lru_pct argument"),
    ("hot_max_factor", "Missing hot_max_factor argument"),
    ("warm_max_factor", "Missing warm_max_factor argument"),
    ("temporary_ttl", "Missing temporary_ttl argument"),
    ("idle_timeout", "Missing numeric argument for idle_timeout"),
    ("shard_port", "Missing shard_port argument"),
    ("metrics", "Missing metrics argument"),
    ("eviction", "Missing eviction argument"),
    ("io", "Missing io argument"),
    ("log", "Missing log argument"),
    ("slow_us", "Missing slow_us argument"),
    (
        "watcher_logbuf_size",
        "Missing watcher_logbuf_size argument",
    ),
    ("worker_logbuf_size", "Missing worker_logbuf_size argument"),
    ("slab_sizes", "Missing slab_sizes argument"),
    ("slab_chunk_max", "Missing slab_chunk_max argument"),
    ("read_buf_mem_limit", "Missing read_buf_mem_limit argument"),
    ("conn_mem_limit", "Missing conn_mem_limit argument"),
    ("sock_cookie_id", "Missing sock_cookie_id argument"),
];

/// Values that are refused one by one: exit code 1.
const BAD: [(&str, &str); 27] = [
    ("log=xml", "log must be text or json"),
    ("slow_us=-1", "slow_us must be between 0 and 4294967295"),
    ("io=aio", "io must be auto, uring or epoll"),
    (
        "hashpower=x",
        "Initial hashtable multiplier of 0 is too low",
    ),
    (
        "hashpower=11",
        "Initial hashtable multiplier of 11 is too low",
    ),
    (
        "hashpower=33",
        "Initial hashtable multiplier of 33 is too high\nChoose a value based on \"STAT hash_power_level\" from a running instance",
    ),
    ("slab_automove=3", "slab_automove must be between 0 and 2"),
    (
        "slab_automove_ratio=2",
        "slab_automove_ratio must be > 0 and < 1",
    ),
    (
        "slab_automove_ratio=x",
        "slab_automove_ratio must be > 0 and < 1",
    ),
    ("slab_automove_window=2", "slab_automove_window must be > 2"),
    (
        "slab_automove_window=1801",
        "slab_automove_window must be <= 1800",
    ),
    (
        "tail_repair_time=5",
        "Cannot set tail_repair_time to less than 10 seconds",
    ),
    (
        "hash_algorithm=foo",
        "Unknown hash_algorithm option (jenkins, murmur3, xxh3)",
    ),
    (
        "lru_crawler_sleep=1000001",
        "LRU crawler sleep must be between 0 and 1 second",
    ),
    (
        "lru_crawler_tocrawl=x",
        "lru_crawler_tocrawl takes a numeric 32bit value",
    ),
    ("hot_lru_pct=0", "hot_lru_pct must be > 1 and < 80"),
    ("warm_lru_pct=80", "warm_lru_pct must be > 1 and < 80"),
    ("hot_max_factor=0", "hot_max_factor must be > 0"),
    ("warm_max_factor=x", "warm_max_factor must be > 0"),
    ("eviction=lru", "eviction must be s3fifo"),
    (
        "eviction=clock",
        "eviction=clock is no more: s3fifo has fewer misses, and is the only policy; leave the option out",
    ),
    (
        "watcher_logbuf_size=x",
        "could not parse argument to watcher_logbuf_size",
    ),
    (
        "worker_logbuf_size=x",
        "could not parse argument to worker_logbuf_size",
    ),
    (
        "conn_mem_limit=x",
        "could not parse argument to conn_mem_limit",
    ),
    (
        "read_buf_mem_limit=x",
        "could not parse argument to read_buf_mem_limit",
    ),
    (
        "slab_chunk_max=x",
        "could not parse argument to slab_chunk_max",
    ),
    ("slab_chunk_max=0", "slab_chunk_max must be > 0"),
];

/// Values that do not go together: exit code 64.
const INCONSISTENT: [(&str, &str); 8] = [
    (
        "hot_lru_pct=50,warm_lru_pct=50",
        "hot_lru_pct + warm_lru_pct cannot be more than 80% combined",
    ),
    ("slab_sizes=1", "slab size 1 is out of valid range"),
    ("slab_sizes=100-x", "slab size 0 is out of valid range"),
    (
        "slab_sizes=100-600000",
        "slab size 600000 is out of valid range",
    ),
    (
        "slab_sizes=100-90",
        "slab size 90 cannot be lower than or equal to a previous class size",
    ),
    (
        "slab_sizes=100-104",
        "slab size 104 must be at least 8 bytes larger than previous class",
    ),
    (
        "slab_chunk_max=2000",
        "slab_chunk_max (bytes: 2048000) cannot be larger than -I (item_size_max 1048576)",
    ),
    (
        "slab_chunk_max=3",
        "-I (item_size_max: 1048576) must be evenly divisible by slab_chunk_max (bytes: 3072)",
    ),
];

#[test]
fn the_free_ratio_is_shown_as_it_was_set() {
    check(&["-o", "slab_automove_freeratio=0.02"], |config| {
        config.slab_automove_freeratio = 0.02;
    });
}

#[test]
fn metrics_are_at_an_address_with_a_port() {
    for (value, address) in [
        ("9150", "127.0.0.1:9150"),
        ("10.0.0.5:9150", "10.0.0.5:9150"),
        ("[::1]:65535", "[::1]:65535"),
        ("0.0.0.0:1", "0.0.0.0:1"),
    ] {
        check(&["-o", &format!("metrics={value}")], |config| {
            config.metrics = Some(address.parse().unwrap());
        });
    }
    for value in [
        "0",
        "127.0.0.1:0",
        "65536",
        "127.0.0.1",
        "::1:9150",
        "localhost:9150",
        "x",
        "",
    ] {
        let message = format!(
            "metrics takes a port, or an address with a port, such as 9150, 10.0.0.5:9150 or [::1]:9150, not \"{value}\""
        );
        refused(&["-o", &format!("metrics={value}")], 1, &message);
    }
}

#[test]
fn extended_switches() {
    check(&["-o", "no_maxconns_fast"], |config| {
        config.maxconns_fast = false;
    });
    check(&["-o", "no_maxconns_fast,maxconns_fast=1"], |_| {});
    check(&["-o", "no_hashexpand"], |config| {
        config.hash_expand = false;
    });
    check(&["-o", "no_slab_reassign"], |config| {
        config.slab_reassign = false;
    });
    check(&["-o", "no_slab_reassign", "-o", "slab_reassign"], |_| {});
    check(&["-o", "no_slab_automove"], |config| {
        config.slab_automove = 0;
    });
    check(&["-o", "no_lru_crawler"], |config| {
        config.lru_crawler = false;
    });
    check(&["-o", "no_lru_crawler,lru_crawler"], |_| {});
    check(&["--extended=no_lru_maintainer"], |config| {
        (config.lru_maintainer, config.lru_segmented) = (false, false);
    });
    check(&["-o", "no_lru_maintainer,lru_maintainer"], |_| {});
    check(&["-o", "track_sizes,"], |config| config.track_sizes = true);
    check(&["-o", "no_chunked_items"], |config| {
        config.slab_chunk_max = 1 << 20;
    });
    check(&["-o", "drop_privileges"], |config| {
        config.drop_privileges = true;
    });
    check(
        &[
            "-o",
            "drop_privileges,no_drop_privileges,relaxed_privileges",
        ],
        |_| {},
    );
    check(
        &[
            "-o",
            "modern,inline_ascii_resp,no_inline_ascii_resp,resp_obj_mem_limit=3",
        ],
        |_| {},
    );
    check(&["-o", ""], |_| {});
    check(&["-o", "no_modern"], |config| {
        config.slab_reassign = false;
        config.slab_automove = 0;
        config.maxconns_fast = false;
        config.lru_segmented = false;
        config.lru_maintainer = false;
        config.lru_crawler = false;
        config.hash_algorithm = "jenkins";
        config.slab_chunk_max = 1 << 20;
    });
    refused(&["-o", "foo=1"], 1, "Illegal suboption \"foo=1\"");
    refused(&["-o", "modern,,"], 1, "Illegal suboption \"\"");
}

#[test]
fn extended_values() {
    check(&["-o", "hashpower=20"], |config| config.hashpower = 20);
    check(&["-o", "slab_automove=2"], |config| {
        config.slab_automove = 2;
    });
    check(&["-o", "slab_automove=0,slab_automove"], |config| {
        config.slab_automove = 1;
    });
    check(&["-o", "slab_automove_ratio=0.5"], |config| {
        config.slab_automove_ratio = 0.5;
    });
    check(&["-o", "slab_automove_window=30"], |config| {
        config.slab_automove_window = 30;
    });
    check(&["-o", "tail_repair_time=10"], |config| {
        config.tail_repair_time = 10;
    });
    check(&["-o", "hash_algorithm=murmur3"], |config| {
        config.hash_algorithm = "murmur3";
    });
    check(&["-o", "lru_crawler_sleep=0"], |config| {
        config.lru_crawler_sleep = 0;
    });
    check(&["-o", "lru_crawler_tocrawl=9"], |config| {
        config.lru_crawler_tocrawl = 9;
    });
    check(&["-o", "hot_lru_pct=40,warm_lru_pct=39"], |config| {
        (config.hot_lru_pct, config.warm_lru_pct) = (40, 39);
    });
    check(&["-o", "hot_max_factor=0.1"], |config| {
        config.hot_max_factor = 0.1;
    });
    check(&["-o", "warm_max_factor=3"], |config| {
        config.warm_max_factor = 3.0;
    });
    check(&["-o", "temporary_ttl=60"], |config| {
        (config.temp_lru, config.temporary_ttl) = (true, 60);
    });
    check(&["-o", "eviction=s3fifo"], |_| {});
    check(&["-o", "idle_timeout=30"], |config| {
        config.idle_timeout_seconds = 30;
    });
    check(&["-o", "watcher_logbuf_size=1"], |config| {
        config.watcher_logbuf_bytes = 1024;
    });
    check(&["-o", "worker_logbuf_size=2"], |config| {
        config.worker_logbuf_bytes = 2048;
    });
    check(&["-o", "slab_sizes=100-200-300"], |config| {
        config.slab_sizes = Some(vec![100, 200, 300]);
    });
    check(&["-o", "slab_chunk_max=16"], |config| {
        config.slab_chunk_max = 16 << 10;
    });
    check(&["-o", "read_buf_mem_limit=5"], |config| {
        config.read_buf_mem_limit_bytes = 5 << 20;
    });
    check(&["-o", "conn_mem_limit=5"], |config| {
        config.conn_mem_limit_bytes = 5 << 20;
    });
    check(&["-o", "io=epoll"], |config| config.io = Some(Io::Epoll));
    check(&["-o", "io=uring"], |config| config.io = Some(Io::Uring));
    check(&["-o", "io=epoll,io=auto"], |config| config.io = None);
    check(&["-o", "conn_mem_limit=0"], |config| {
        config.conn_mem_limit_bytes = 0;
    });
    check(&["-o", "sock_cookie_id=77"], |config| {
        config.socket_mark = 77;
    });
}

/// memcached reads these with `atoi`, or does not look whether it could read them.
#[test]
fn words_that_memcached_takes_for_0() {
    for word in ["", " ", "x"] {
        check(&["-o", &format!("idle_timeout={word}")], |_| {});
        check(&["-o", &format!("sock_cookie_id={word}")], |_| {});
        check(&["-o", &format!("slab_automove={word}")], |config| {
            config.slab_automove = 0;
        });
        check(&["-o", &format!("lru_crawler_sleep={word}")], |config| {
            config.lru_crawler_sleep = 0;
        });
        check(&["-o", &format!("temporary_ttl={word}")], |config| {
            (config.temp_lru, config.temporary_ttl) = (true, 0);
        });
    }
    let said = |options: &[&str]| try_draft(options).unwrap().warnings;
    let options = ["-o", "idle_timeout=x,lru_crawler_sleep=,sock_cookie_id=7x"];
    assert_eq!(
        said(&options),
        ["WARNING: -o idle_timeout takes a number: \"x\" is 0, as in memcached"]
    );
    check(&["-o", "idle_timeout=-1"], |_| {});
    check(&["-o", "temporary_ttl=-1"], |config| {
        (config.temp_lru, config.temporary_ttl) = (true, u32::MAX);
    });
    check(&["-o", "sock_cookie_id=-1"], |_| {});
}

/// A list with a blank before the comma, and numbers of more than 32 bits.
#[test]
fn extended_values_that_memcached_takes() {
    check(
        &["-o", "watcher_logbuf_size=1 , worker_logbuf_size=2 "],
        |config| {
            (config.watcher_logbuf_bytes, config.worker_logbuf_bytes) = (1024, 2048);
        },
    );
    check(
        &[
            "-o",
            "ext_item_age=4294967296,ext_max_frag=-1,slab_automove_freeratio=0.01 ",
        ],
        |_| {},
    );
    check(&["-o", "tail_repair_time=99999999999"], |config| {
        config.tail_repair_time = 1_215_752_191;
    });
}

#[test]
fn extended_values_that_are_missing() {
    for (name, message) in MISSING {
        refused(&["-o", name], 1, message);
    }
}

#[test]
fn extended_values_that_are_bad() {
    for (suboption, message) in BAD {
        refused(&["-o", suboption], 1, message);
    }
    for (suboption, message) in INCONSISTENT {
        refused(&["-o", suboption], 64, message);
    }
    refused(
        &["-m256", "-I96m", "-o", "slab_chunk_max=768"],
        64,
        "slab_chunk_max (bytes: 786432) must divide evenly into 1048576 (slab_page_size)",
    );
    let many: Vec<_> = (10..75).map(|size| (size * 10).to_string()).collect();
    let many = format!("slab_sizes={}", many.join("-"));
    refused(&["-o", &many], 64, "too many slab classes specified");
}

#[test]
fn what_tunes_flash_storage_is_read() {
    check(
        &["-o", "ext_page_size=64,ext_max_frag=0.5,ext_drop_unread"],
        |_| {},
    );
    refused(
        &["-o", "ext_item_size"],
        1,
        "Missing ext_item_size argument",
    );
    refused(
        &["-o", "ext_item_size=x"],
        1,
        "could not parse argument to ext_item_size",
    );
    refused(
        &["-o", "slab_automove_freeratio=x"],
        1,
        "could not parse argument to slab_automove_freeratio",
    );
    refused(
        &["-o", "ext_path"],
        1,
        "missing argument to ext_path, ie: ext_path=/d/file:5G",
    );
}
