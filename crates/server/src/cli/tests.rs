//! Every option that memcached 1.6.45 has, one by one, and the words for bad values.

mod auth;
mod documented;
mod extended;
mod memory;
mod sockets;
mod ssl;

use super::error::EXIT_USAGE;
use super::*;
use crate::base::cpus::Pinning;
use crate::base::listeners::{BindingProtocol, ListenAddress, Port};

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

/// Checks that the configuration of these options differs from the default in exactly the settings that `change`
/// changes.
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

/// Checks what is said below memcached's words: which option is refused, and what it takes.
#[track_caller]
fn advised(args: &[&str], advice: &str) {
    let error = try_draft(args).expect_err(&args.join(" "));
    let shown = error.to_string();
    let (_, said) = shown.split_once("\ncorecached: ").expect(&shown);
    assert_eq!(said, advice, "{args:?}");
}

#[track_caller]
fn unsupported(args: &[&str]) {
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
        config.tcp_port = Port::Fixed(5002);
    });
    // Beginnings that memcached takes, beside our own long names.
    check(&["--c=7"], |config| config.conn_limit = 7);
    check(&["--pr", "ascii"], |config| {
        config.binding_protocol = BindingProtocol::Ascii;
    });
    check(&["--verbose=9", "--verb=x", "--verbos"], |config| {
        config.verbosity = 3;
    });
    check(&["-vvMp5001"], |config| {
        config.verbosity = 2;
        config.evictions = false;
        config.tcp_port = Port::Fixed(5001);
    });
}

#[test]
fn connection_and_shard_options() {
    check(&["-c", "20000"], |config| config.conn_limit = 20000);
    check(&["--conn-limit=7"], |config| config.conn_limit = 7);
    check(&["--cpus", "0-2,7"], |config| {
        (config.threads, config.cpus) = (4, vec![0, 1, 2, 7]);
        config.pinning = Pinning::Listed;
    });
    check(&["--cpus=3,1", "-t", "1"], |config| {
        (config.threads, config.cpus) = (1, vec![3, 1]);
        config.pinning = Pinning::Listed;
    });
    check(&["-o", "no_pin"], |config| config.pinning = Pinning::Never);
    refused(
        &["--cpus", "2-1"],
        64,
        "Invalid list of CPUs 2-1: it is like 0-3,8",
    );
    check(&["-t", "3"], |config| config.threads = 3);
    check(&["--threads=1"], |config| config.threads = 1);
    check(&["-R", "5", "--max-reqs-per-event=6"], |config| {
        config.reqs_per_event = 6;
    });
    check(&["-B", "auto"], |_| {});
    check(&["--protocol=ascii"], |config| {
        config.binding_protocol = BindingProtocol::Ascii;
    });
    check(&["-t1", "-N", "1"], |config| {
        (config.threads, config.napi_ids) = (1, 1);
    });
    check(&["-t1", "--napi_ids=1"], |config| {
        (config.threads, config.napi_ids) = (1, 1);
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
    check(&["-B", "binary"], |config| {
        config.binding_protocol = BindingProtocol::Binary;
    });
    let warnings = try_draft(&["-t", "65"]).unwrap().warnings;
    assert!(warnings[0].starts_with("WARNING: Setting a high number of worker threads"));
}

#[test]
fn insight_can_be_switched_off() {
    check(&["-o", "no_hotkeys,no_mrc,no_latency"], |config| {
        config.hot_keys = false;
        config.estimates = false;
        config.latency = false;
    });
}

#[test]
fn command_options() {
    check(&["-A"], |config| config.shutdown_enabled = true);
    check(&["--enable-shutdown"], |config| {
        config.shutdown_enabled = true;
    });
    check(&["-F"], |config| config.flush_enabled = false);
    check(&["--disable-flush-all"], |config| {
        config.flush_enabled = false;
    });
    check(&["-X"], |config| config.dump_enabled = false);
    check(&["--disable-dumping"], |config| config.dump_enabled = false);
    check(&["-W"], |config| config.watch_enabled = false);
    check(&["--disable-watch"], |config| config.watch_enabled = false);
    check(&["-D", "/"], |config| {
        (config.prefix_delimiter, config.detail_enabled) = (b'/', true);
    });
    check(&["-D_x"], |config| {
        (config.prefix_delimiter, config.detail_enabled) = (b'_', true);
    });
}

#[test]
fn process_options() {
    check(&["-d"], |config| config.daemonize = true);
    check(&["--daemon"], |config| config.daemonize = true);
    check(&["-r"], |config| config.coredumps = true);
    check(&["--enable-coredumps"], |config| config.coredumps = true);
    check(&["-u", "memcache"], |config| {
        config.user = Some("memcache".into());
    });
    check(&["--user=root"], |config| config.user = Some("root".into()));
    check(&["-P", "/run/c.pid"], |config| {
        config.pidfile = Some("/run/c.pid".into());
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
fn storage_on_flash_and_the_proxy_are_refused() {
    for suboption in [
        "ext_path=/f:1G",
        "proxy_config=x",
        "proxy_arg=x",
        "proxy_uring",
        "proxy_memprofile",
    ] {
        unsupported(&["-o", suboption]);
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
    // Tools search the help for features, so it must not name those that do not exist.
    for absent in ["ext_path", "proxy"] {
        assert!(!help.contains(absent), "{absent}");
    }
    assert!(printed(&["-i"]).contains("Apache License"));
    assert!(printed(&["--license"]).contains("Apache License"));
}

#[test]
fn values_may_begin_with_white_space() {
    check(&["-m 128", "-c \t7", "-u  nobody"], |config| {
        config.memory_limit_bytes = 128 << 20;
        config.conn_limit = 7;
        config.user = Some("nobody".into());
    });
    check(&["-P", " /run/x.pid", "-s /run/x.sock"], |config| {
        config.pidfile = Some("/run/x.pid".into());
        config.unix_socket = Some("/run/x.sock".into());
    });
    check(&["-o", " modern"], |_| {});
    check(
        &["-o modern, idle_timeout= 30,\n no_maxconns_fast, "],
        |config| {
            config.idle_timeout_seconds = 30;
            config.maxconns_fast = false;
        },
    );
    // White space can be a delimiter.
    check(&["-D", " "], |config| {
        config.prefix_delimiter = b' ';
        config.detail_enabled = true;
    });
    check(&["-D", " |"], |config| {
        config.prefix_delimiter = b'|';
        config.detail_enabled = true;
    });
}

#[test]
fn an_error_says_which_option_is_meant_and_what_it_takes() {
    advised(&["-c", "x"], "-c x is refused: -c takes a number from 1 on");
    advised(
        &["-U", "-5"],
        "-U takes a number from 1 to 65535, 0 for no port, or -1 for any that is free",
    );
    advised(
        &["-l", "10.0.0.5:x"],
        "it is the port of -l 10.0.0.5:x: a number from 1 to 65535",
    );
    advised(&["-m", "x"], "-m takes a number of megabytes, such as 1024");
    advised(&["-I", "x"], "-I takes a size such as 512k or 4m");
    advised(
        &["-m", "1"],
        "items may have 1048576 bytes (-I), and all memory is 1048576 (-m): make -m larger, or -I smaller",
    );
    advised(&["--foo"], "-h lists all options and what they take");
    for suboption in [
        "foo",
        "foo=1",
        "hashpower=x",
        "slab_automove=7",
        "tail_repair_time=1",
    ] {
        advised(
            &["-o", suboption],
            &format!("-o {suboption} is refused; -h lists what -o takes"),
        );
    }
}
