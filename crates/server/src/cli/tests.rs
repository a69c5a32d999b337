//! Every option that memcached 1.6.45 has, one by one, and the words for bad values.

use super::*;
use crate::config::{BindingProtocol, ListenAddress, Port};

fn try_draft(args: &[&str]) -> Result<Draft, CliError> {
    let argv = std::iter::once("corecached").chain(args.iter().copied());
    match parse(argv)? {
        Request::Run(draft) => Ok(*draft),
        Request::Print(text) => panic!("{args:?} prints {text}"),
    }
}

fn config(args: &[&str]) -> Config {
    try_draft(args)
        .unwrap_or_else(|error| panic!("{args:?}: {error}"))
        .config
}

fn printed(args: &[&str]) -> String {
    let argv = std::iter::once("corecached").chain(args.iter().copied());
    match parse(argv) {
        Ok(Request::Print(text)) => text,
        other => panic!("{args:?}: {other:?}"),
    }
}

/// The configuration of these options differs from the default in just what `change` changes.
#[track_caller]
fn check(args: &[&str], change: impl FnOnce(&mut Config)) {
    let mut expected = Config::default();
    change(&mut expected);
    assert_eq!(config(args), expected, "{args:?}");
}

#[track_caller]
fn refused(args: &[&str], code: u8, message: &str) {
    let error = try_draft(args).expect_err(&args.join(" "));
    assert_eq!(
        (error.message.as_str(), error.code),
        (message, code),
        "{args:?}"
    );
}

#[track_caller]
fn comes_later(args: &[&str]) {
    let error = try_draft(args).expect_err(&args.join(" "));
    assert!(
        error
            .message
            .ends_with("is not supported by this version of corecached"),
        "{args:?}: {error}"
    );
    assert_eq!(error.code, EXIT_USAGE);
}

#[test]
fn without_options_all_is_default() {
    check(&[], |_| {});
    let config = Config::default();
    assert_eq!(
        (
            config.memory_limit_bytes,
            config.conn_limit,
            config.reqs_per_event
        ),
        (64 << 20, 1024, 20)
    );
    assert_eq!(
        (config.item_size_max, config.slab_chunk_max),
        (1 << 20, 512 << 10)
    );
}

#[test]
fn values_may_be_attached_or_apart() {
    for args in [
        &["-p5001"][..],
        &["-p", "5001"],
        &["--port=5001"],
        &["--port", "5001"],
        &["--por=5001"],
    ] {
        check(args, |config| config.tcp_port = Port::Fixed(5001));
    }
    check(&["-p", "5001", "-p", "5002"], |config| {
        config.tcp_port = Port::Fixed(5002)
    });
    check(&["-vvMp5001"], |config| {
        config.verbosity = 2;
        config.evictions = false;
        config.tcp_port = Port::Fixed(5001);
    });
}

#[test]
fn socket_options() {
    check(&["-p", "-1"], |config| config.tcp_port = Port::Ephemeral);
    check(&["-p", "0"], |config| config.tcp_port = Port::Off);
    check(&["-U", "0"], |_| {});
    check(&["-b", "4096"], |config| config.backlog = 4096);
    check(&["--listen-backlog=1"], |config| config.backlog = 1);
    check(&["-a", "0770", "--unix-mask=666"], |config| {
        config.unix_mask = 0o666
    });
    check(&["-l", "10.0.0.1,[::1]:5", "--listen=*"], |config| {
        config.listen = vec![
            ListenAddress::host("10.0.0.1"),
            ListenAddress {
                port: Some(Port::Fixed(5)),
                ..ListenAddress::host("::1")
            },
            ListenAddress {
                host: None,
                ..ListenAddress::host("")
            },
        ];
        config.listen_text = Some("10.0.0.1,[::1]:5,*".into());
    });
    refused(&["-p", "65536"], 64, "ERROR: Invalid port number 65536.");
    refused(&["-p", "abc"], 64, "ERROR: Invalid port number abc.");
    refused(
        &["-a", "999"],
        64,
        "Invalid unix socket mask 999: it is an octal mode up to 777",
    );
    refused(&["-b", "x"], 1, "Invalid listen backlog: x");
    comes_later(&["-U", "11211"]);
}

#[test]
fn a_unix_socket_alone_is_the_only_one() {
    let path = Some("/run/c.sock".into());
    check(&["-s", "/run/c.sock"], |config| {
        config.unix_socket = path.clone();
        config.listen.clear();
    });
    check(&["-s", "/run/c.sock", "-p", "11211"], |config| {
        config.unix_socket = path.clone()
    });
    let both = config(&["--unix-socket=/run/c.sock", "-l", "127.0.0.1"]);
    assert_eq!((both.unix_socket, both.listen.len()), (path, 1));
}

#[test]
fn connection_and_shard_options() {
    check(&["-c", "20000"], |config| config.conn_limit = 20000);
    check(&["--conn-limit=7"], |config| config.conn_limit = 7);
    check(&["-t", "3"], |config| config.threads = 3);
    check(&["--threads=1"], |config| config.threads = 1);
    check(&["-R", "5", "--max-reqs-per-event=6"], |config| {
        config.reqs_per_event = 6
    });
    check(&["-B", "auto"], |_| {});
    check(&["--protocol=ascii"], |config| {
        config.binding_protocol = BindingProtocol::Ascii
    });
    check(&["-t1", "-N", "1"], |config| {
        (config.threads, config.napi_ids) = (1, 1)
    });
    check(&["-t1", "--napi_ids=1"], |config| {
        (config.threads, config.napi_ids) = (1, 1)
    });
    refused(
        &["-c", "0"],
        1,
        "Maximum connections must be greater than 0",
    );
    refused(
        &["-c", "x"],
        1,
        "Maximum connections must be greater than 0",
    );
    refused(&["-t", "0"], 1, "Number of threads must be greater than 0");
    refused(&["-t", "1025"], 1, "Number of threads must be at most 1024");
    refused(
        &["-R", "0"],
        1,
        "Number of requests per event must be greater than 0",
    );
    refused(
        &["-N", "0"],
        1,
        "Maximum number of NAPI IDs must be greater than 0",
    );
    refused(
        &["-t4", "-N", "9"],
        64,
        "Number of napi_ids(9) cannot be greater than number of threads(4)",
    );
    refused(
        &["-B", "foo"],
        64,
        "Invalid value for binding protocol: foo\n -- should be one of auto, binary, or ascii",
    );
    comes_later(&["-B", "binary"]);
    let warnings = try_draft(&["-t", "65"]).unwrap().warnings;
    assert!(warnings[0].starts_with("WARNING: Setting a high number of worker threads"));
}

#[test]
fn memory_options() {
    check(&["-m", "1024"], |config| {
        config.memory_limit_bytes = 1 << 30
    });
    check(&["--memory-limit=100m"], |config| {
        config.memory_limit_bytes = 100 << 20
    });
    check(&["-M"], |config| config.evictions = false);
    check(&["--disable-evictions"], |config| config.evictions = false);
    check(&["-f", "1.08"], |config| config.growth_factor = Some(1.08));
    check(&["--slab-growth-factor=2"], |config| {
        config.growth_factor = Some(2.0)
    });
    check(&["-n", "64"], |config| config.chunk_size_min = Some(64));
    check(&["--slab-min-size=5"], |config| {
        config.chunk_size_min = Some(5)
    });
    check(&["-C"], |config| config.cas_enabled = false);
    check(&["--disable-cas"], |config| config.cas_enabled = false);
    check(&["-L"], |config| config.large_pages = true);
    check(&["--enable-largepages"], |config| config.large_pages = true);
    check(&["-k"], |config| config.lock_memory = true);
    check(&["--lock-memory"], |config| config.lock_memory = true);
    check(&["-I", "2m"], |config| config.item_size_max = 2 << 20);
    check(&["--max-item-size=512k"], |config| {
        config.item_size_max = 512 << 10
    });
    check(&["-m4096", "-I1g"], |config| {
        (config.memory_limit_bytes, config.item_size_max) = (4 << 30, 1 << 30)
    });
    refused(&["-f", "1"], 1, "Factor must be greater than 1");
    refused(&["-n", "0"], 1, "Chunk size must be greater than 0");
    refused(&["-m", "x"], 64, "Invalid memory limit: x");
    refused(
        &["-m", "1"],
        64,
        "Cannot set item size limit higher than 1/2 of memory max.",
    );
    refused(
        &["-I", "64m"],
        64,
        "Cannot set item size limit higher than 1/2 of memory max.",
    );
    refused(
        &["-m8192", "-I", "1025m"],
        64,
        "Cannot set item size limit higher than a gigabyte.",
    );
    for tiny in ["1000", "abc", "1", "-5k"] {
        refused(
            &["-I", tiny],
            64,
            "Item max size cannot be less than 1024 bytes.",
        );
    }
    refused(
        &["-I", "1500"],
        64,
        "slab_chunk_max (bytes: 524288) cannot be larger than -I (item_size_max 1500)",
    );
    refused(
        &["-I", "1500k"],
        64,
        "-I (item_size_max: 1536000) must be evenly divisible by slab_chunk_max (bytes: 524288)",
    );
}

#[test]
fn command_options() {
    check(&["-A"], |config| config.shutdown_enabled = true);
    check(&["--enable-shutdown"], |config| {
        config.shutdown_enabled = true
    });
    check(&["-F"], |config| config.flush_enabled = false);
    check(&["--disable-flush-all"], |config| {
        config.flush_enabled = false
    });
    check(&["-X"], |config| config.dump_enabled = false);
    check(&["--disable-dumping"], |config| config.dump_enabled = false);
    check(&["-W"], |config| config.watch_enabled = false);
    check(&["--disable-watch"], |config| config.watch_enabled = false);
    check(&["-D", "/"], |config| {
        (config.prefix_delimiter, config.detail_enabled) = (b'/', true)
    });
    check(&["-D_x"], |config| {
        (config.prefix_delimiter, config.detail_enabled) = (b'_', true)
    });
}

#[test]
fn process_options() {
    check(&["-d"], |config| config.daemonize = true);
    check(&["--daemon"], |config| config.daemonize = true);
    check(&["-r"], |config| config.coredumps = true);
    check(&["--enable-coredumps"], |config| config.coredumps = true);
    check(&["-u", "memcache"], |config| {
        config.user = Some("memcache".into())
    });
    check(&["--user=root"], |config| config.user = Some("root".into()));
    check(&["-P", "/run/c.pid"], |config| {
        config.pidfile = Some("/run/c.pid".into())
    });
    check(&["-v"], |config| config.verbosity = 1);
    check(&["-vv", "-v"], |config| config.verbosity = 3);
    check(&["--verbose", "--verbose"], |config| config.verbosity = 2);
    assert!(
        config(&["--pidfile=c.pid"])
            .pidfile
            .is_some_and(|path| path.is_absolute())
    );
}

#[test]
fn extended_switches() {
    check(&["-o", "no_maxconns_fast"], |config| {
        config.maxconns_fast = false
    });
    check(&["-o", "no_maxconns_fast,maxconns_fast=1"], |_| {});
    check(&["-o", "no_hashexpand"], |config| {
        config.hash_expand = false
    });
    check(&["-o", "no_slab_reassign"], |config| {
        config.slab_reassign = false
    });
    check(&["-o", "no_slab_reassign", "-o", "slab_reassign"], |_| {});
    check(&["-o", "no_slab_automove"], |config| {
        config.slab_automove = 0
    });
    check(&["-o", "no_lru_crawler"], |config| {
        config.lru_crawler = false
    });
    check(&["-o", "no_lru_crawler,lru_crawler"], |_| {});
    check(&["--extended=no_lru_maintainer"], |config| {
        (config.lru_maintainer, config.lru_segmented) = (false, false)
    });
    check(&["-o", "no_lru_maintainer,lru_maintainer"], |_| {});
    check(&["-o", "track_sizes,"], |config| config.track_sizes = true);
    check(&["-o", "no_chunked_items"], |config| {
        config.slab_chunk_max = 1 << 20
    });
    check(&["-o", "drop_privileges"], |config| {
        config.drop_privileges = true
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
        config.slab_automove = 2
    });
    check(&["-o", "slab_automove=0,slab_automove"], |config| {
        config.slab_automove = 1
    });
    check(&["-o", "slab_automove_ratio=0.5"], |config| {
        config.slab_automove_ratio = 0.5
    });
    check(&["-o", "slab_automove_window=30"], |config| {
        config.slab_automove_window = 30
    });
    check(&["-o", "tail_repair_time=10"], |config| {
        config.tail_repair_time = 10
    });
    check(&["-o", "hash_algorithm=murmur3"], |config| {
        config.hash_algorithm = "murmur3"
    });
    check(&["-o", "lru_crawler_sleep=0"], |config| {
        config.lru_crawler_sleep = 0
    });
    check(&["-o", "lru_crawler_tocrawl=9"], |config| {
        config.lru_crawler_tocrawl = 9
    });
    check(&["-o", "hot_lru_pct=40,warm_lru_pct=39"], |config| {
        (config.hot_lru_pct, config.warm_lru_pct) = (40, 39)
    });
    check(&["-o", "hot_max_factor=0.1"], |config| {
        config.hot_max_factor = 0.1
    });
    check(&["-o", "warm_max_factor=3"], |config| {
        config.warm_max_factor = 3.0
    });
    check(&["-o", "temporary_ttl=60"], |config| {
        (config.temp_lru, config.temporary_ttl) = (true, 60)
    });
    check(&["-o", "idle_timeout=30"], |config| {
        config.idle_timeout_seconds = 30
    });
    check(&["-o", "watcher_logbuf_size=1"], |config| {
        config.watcher_logbuf_bytes = 1024
    });
    check(&["-o", "worker_logbuf_size=2"], |config| {
        config.worker_logbuf_bytes = 2048
    });
    check(&["-o", "slab_sizes=100-200-300"], |config| {
        config.slab_sizes = Some(vec![100, 200, 300])
    });
    check(&["-o", "slab_chunk_max=16"], |config| {
        config.slab_chunk_max = 16 << 10
    });
    check(&["-o", "read_buf_mem_limit=5"], |config| {
        config.read_buf_mem_limit_bytes = 5 << 20
    });
    check(&["-o", "sock_cookie_id=77"], |config| {
        config.socket_mark = 77
    });
}

#[test]
fn extended_values_that_are_missing() {
    for (name, message) in [
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
        (
            "watcher_logbuf_size",
            "Missing watcher_logbuf_size argument",
        ),
        ("worker_logbuf_size", "Missing worker_logbuf_size argument"),
        ("slab_sizes", "Missing slab_sizes argument"),
        ("slab_chunk_max", "Missing slab_chunk_max argument"),
        ("read_buf_mem_limit", "Missing read_buf_mem_limit argument"),
        ("sock_cookie_id", "Missing sock_cookie_id argument"),
    ] {
        refused(&["-o", name], 1, message);
    }
}

#[test]
fn extended_values_that_are_bad() {
    for (suboption, message) in [
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
        ("temporary_ttl=x", "temporary_ttl takes a number, not \"x\""),
        (
            "idle_timeout=-1",
            "idle_timeout must be between 0 and 4294967295",
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
            "read_buf_mem_limit=x",
            "could not parse argument to read_buf_mem_limit",
        ),
        (
            "slab_chunk_max=x",
            "could not parse argument to slab_chunk_max",
        ),
        ("slab_chunk_max=0", "slab_chunk_max must be > 0"),
        (
            "sock_cookie_id=x",
            "sock_cookie_id takes a number, not \"x\"",
        ),
    ] {
        refused(&["-o", suboption], 1, message);
    }
    for (suboption, message) in [
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
    ] {
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
fn features_of_later_versions_are_refused() {
    comes_later(&["-S"]);
    comes_later(&["--enable-sasl"]);
    comes_later(&["-Z"]);
    comes_later(&["--enable-ssl"]);
    comes_later(&["-Y", "/etc/passwords"]);
    comes_later(&["--auth-file=/etc/passwords"]);
    comes_later(&["-e", "/mnt/items"]);
    comes_later(&["--memory-file=/mnt/items"]);
    for suboption in [
        "ssl_chain_cert=c.pem",
        "ssl_key=k.pem",
        "ssl_keyformat=1",
        "ssl_verify_mode=2",
        "ssl_ciphers=x",
        "ssl_ca_cert=x",
        "ssl_wbuf_size=16",
        "ssl_session_cache",
        "ssl_kernel_tls",
        "ssl_min_version=3",
        "ext_path=/f:1G",
        "ext_page_size=64",
        "ext_wbuf_size=4",
        "ext_threads=1",
        "ext_io_depth=1",
        "ext_item_size=512",
        "ext_item_age=1",
        "ext_low_ttl=1",
        "ext_recache_rate=1",
        "ext_compact_under=1",
        "ext_drop_under=1",
        "ext_max_frag=0.8",
        "ext_max_sleep=1",
        "ext_drop_unread",
        "slab_automove_freeratio=0.01",
        "proxy_config=x",
        "proxy_arg=x",
        "proxy_uring",
        "proxy_memprofile",
    ] {
        comes_later(&["-o", suboption]);
    }
}

#[test]
fn what_has_no_effect_is_said() {
    for args in [
        &["-o", "hash_algorithm=xxh3"][..],
        &["-o", "hot_lru_pct=20"],
        &["-t2", "-N2"],
        &["-l", "tag[a]:127.0.0.1"],
        &["stray"],
    ] {
        assert_eq!(try_draft(args).unwrap().notes.len(), 1, "{args:?}");
    }
    assert!(
        try_draft(&["-o", "idle_timeout=3", "-vv"])
            .unwrap()
            .notes
            .is_empty()
    );
}

#[test]
fn words_that_are_no_options() {
    refused(
        &["-x"],
        1,
        "corecached: invalid option -- 'x'\nIllegal argument \"?\"",
    );
    refused(
        &["--foo"],
        1,
        "corecached: unrecognized option '--foo'\nIllegal argument \"?\"",
    );
    refused(
        &["-p"],
        1,
        "corecached: option '--port' requires an argument\nIllegal argument \"?\"",
    );
    refused(
        &["--daemon=1"],
        1,
        "corecached: option '--daemon' doesn't allow an argument\nIllegal argument \"?\"",
    );
}

#[test]
fn what_is_printed() {
    let version = format!(
        "memcached 1.6.45\ncorecached {}\n",
        env!("CARGO_PKG_VERSION")
    );
    for args in [&["-V"][..], &["--version"], &["-m64", "-V"]] {
        assert_eq!(printed(args), version);
    }
    let help = printed(&["-h"]);
    assert_eq!(help, printed(&["--help"]));
    assert!(help.starts_with(&version));
    for option in options::command()
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
    {
        let long = format!(
            "--{}",
            option.get_long().expect("all shown options have one")
        );
        assert!(help.contains(&long), "{long}");
    }
    // Tools search the help for features, so those that do not exist are not in it.
    for absent in ["sasl", "ssl", "ext_path", "proxy", "auth-file"] {
        assert!(!help.contains(absent), "{absent}");
    }
    assert!(printed(&["-i"]).contains("Apache License"));
    assert!(printed(&["--license"]).contains("Apache License"));
}
