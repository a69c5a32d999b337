//! Every command and every error of the classic text protocol: what the line means, and that no prefix of it means
//! anything else.

use corecached_protocol::meta::MetaRequest;
use corecached_protocol::reply;
use corecached_protocol::text::{
    DetailMode, LINE_BYTES_MAX, Parsed, Request, ShutdownMode, StatsRequest, StoreVerb, parse,
    parse_after,
};

/// The expected meaning of a line, in a form that is easy to write down.
#[derive(Debug, PartialEq)]
enum Meaning {
    Get(Vec<String>),
    Gets(Vec<String>),
    Gat(i32, Vec<String>),
    Gats(i32, Vec<String>),
    /// verb, key, flags, exptime, bytes, cas, noreply
    Store(StoreVerb, String, u32, i32, u32, u64, bool),
    Touch(String, i32, bool),
    Delete(String, bool),
    Incr(String, u64, bool),
    Decr(String, u64, bool),
    Flush(Option<i32>, bool),
    Version,
    Verbosity(u32, bool),
    Quit,
    Meta(&'static str),
    MetaNoop,
    Shutdown(ShutdownMode, bool),
    CacheMemlimit(u32, bool),
    RefreshCerts(bool),
    Stats(StatsRequest<'static>),
    StatsOther(String),
    /// See `admin_requests.rs`.
    Admin,
    /// reply, swallow, noreply
    Error(&'static [u8], usize, bool),
    CloseSilently,
}

use Meaning as M;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn meta_meaning(request: MetaRequest<'_>) -> Meaning {
    M::Meta(match request {
        MetaRequest::Get(_) => "mg",
        MetaRequest::Set(_) => "ms",
        MetaRequest::Delete(_) => "md",
        MetaRequest::Arith(_) => "ma",
        MetaRequest::Debug(_) => "me",
        MetaRequest::Error { reply, swallow } => return M::Error(reply, swallow, false),
    })
}

fn meaning(request: Request<'_>) -> Meaning {
    match request {
        Request::Get { keys, with_cas } => {
            let meaning = if with_cas { M::Gets } else { M::Get };
            meaning(keys.map(text).collect())
        }
        Request::GetAndTouch {
            exptime,
            keys,
            with_cas: false,
        } => M::Gat(exptime, keys.map(text).collect()),
        Request::GetAndTouch {
            exptime,
            keys,
            with_cas: true,
        } => M::Gats(exptime, keys.map(text).collect()),
        Request::Store(s) => M::Store(
            s.verb,
            text(s.key),
            s.client_flags,
            s.exptime,
            s.value_bytes,
            s.cas,
            s.noreply,
        ),
        Request::Touch {
            key,
            exptime,
            noreply,
        } => M::Touch(text(key), exptime, noreply),
        Request::Delete { key, noreply } => M::Delete(text(key), noreply),
        Request::Arith {
            key,
            incr,
            delta,
            noreply,
        } => (if incr { M::Incr } else { M::Decr })(text(key), delta, noreply),
        Request::FlushAll { exptime, noreply } => M::Flush(exptime, noreply),
        Request::FlushUnreadable { noreply } => M::Error(reply::INVALID_EXPTIME, 0, noreply),
        Request::Version => M::Version,
        Request::Verbosity { level, noreply } => M::Verbosity(level, noreply),
        Request::Quit => M::Quit,
        Request::Meta(request) => meta_meaning(request),
        Request::MetaNoop => M::MetaNoop,
        Request::Shutdown { mode, noreply } => M::Shutdown(mode, noreply),
        Request::CacheMemlimit { megabytes, noreply } => M::CacheMemlimit(megabytes, noreply),
        Request::RefreshCerts { noreply } => M::RefreshCerts(noreply),
        Request::Stats(stats) => stats_meaning(stats),
        Request::Error {
            reply: b"",
            swallow: 0,
            noreply: true,
            close: true,
        } => M::CloseSilently,
        Request::Error {
            reply,
            swallow,
            noreply,
            close: false,
        } => M::Error(reply, swallow, noreply),
        Request::Error { .. } => panic!("only the HTTP guard closes: {request:?}"),
        _ => M::Admin,
    }
}

fn stats_meaning(stats: StatsRequest<'_>) -> Meaning {
    M::Stats(match stats {
        StatsRequest::Other(word) => return M::StatsOther(text(word)),
        StatsRequest::General => StatsRequest::General,
        StatsRequest::Reset => StatsRequest::Reset,
        StatsRequest::Detail(mode) => StatsRequest::Detail(mode),
        StatsRequest::Settings => StatsRequest::Settings,
        StatsRequest::Cachedump { class, limit } => StatsRequest::Cachedump { class, limit },
        StatsRequest::Conns => StatsRequest::Conns,
        StatsRequest::Items => StatsRequest::Items,
        StatsRequest::Slabs => StatsRequest::Slabs,
        StatsRequest::Sizes => StatsRequest::Sizes,
        StatsRequest::HotKeys { reset } => StatsRequest::HotKeys { reset },
        StatsRequest::Mrc { reset } => StatsRequest::Mrc { reset },
        StatsRequest::Latency { reset } => StatsRequest::Latency { reset },
    })
}

/// Checks what `line` means, whole and cut after every byte, and that what follows it is not looked at.
fn check(line: &str, expected: &Meaning) {
    let bytes = line.as_bytes();
    for end in 0..bytes.len() {
        assert_eq!(
            parse(&bytes[..end]),
            Parsed::Incomplete,
            "{line:?} cut at {end}"
        );
    }
    for follows in ["", "\r\n", "get x\r\n", "\n", "value\0"] {
        let buf = [bytes, follows.as_bytes()].concat();
        for searched in 0..bytes.len() {
            let Parsed::Request { consumed, request } = parse_after(&buf, searched) else {
                panic!("{line:?} is a whole line");
            };
            assert_eq!(consumed, bytes.len(), "{line:?} then {follows:?}");
            assert_eq!(meaning(request), *expected, "{line:?} then {follows:?}");
        }
    }
}

/// Checks `line` without a line end, with both line ends, and with spaces at its end.
fn line(line: &str, expected: Meaning) {
    for end in ["\r\n", "\n", " \r\n", "   \n"] {
        check(&format!("{line}{end}"), &expected);
    }
}

fn keys(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn bad_format() -> Meaning {
    M::Error(reply::BAD_FORMAT, 0, false)
}

const K250: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\
                    kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\
                    kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

fn k251() -> String {
    format!("{K250}k")
}

#[test]
fn retrieval() {
    line("get a", M::Get(keys(&["a"])));
    line("get a bb ccc", M::Get(keys(&["a", "bb", "ccc"])));
    line("get   a   a", M::Get(keys(&["a", "a"])));
    line("get noreply", M::Get(keys(&["noreply"])));
    line("get a noreply", M::Get(keys(&["a", "noreply"])));
    line("get a\tb", M::Get(keys(&["a\tb"])));
    line("get a\0b\rc", M::Get(keys(&["a\0b\rc"])));
    line(&format!("get {K250}"), M::Get(keys(&[K250])));
    line(
        &format!("get {K250} {K250} x"),
        M::Get(keys(&[K250, K250, "x"])),
    );
    line("gets a b", M::Gets(keys(&["a", "b"])));
    line("gat 0 a", M::Gat(0, keys(&["a"])));
    line("gat -1 a  b", M::Gat(-1, keys(&["a", "b"])));
    line("gats 2147483647 a", M::Gats(i32::MAX, keys(&["a"])));
}

#[test]
fn retrieval_errors() {
    for command in ["get", "gets", "gat", "gats", "gat 0", "gats 0", "gat a"] {
        line(command, bad_format());
    }
    for command in ["get", "gets", "gat 0", "gats 0"] {
        line(&format!("{command} {}", k251()), bad_format());
        line(&format!("{command} a {} b", k251()), bad_format());
        line(&format!("{command} a b {}", k251()), bad_format());
    }
    for exptime in ["x", "1x", "2147483648", "-2147483649", "1.5", "+1"] {
        line(
            &format!("gat {exptime} a"),
            M::Error(reply::INVALID_EXPTIME, 0, false),
        );
        line(
            &format!("gats {exptime} a b"),
            M::Error(reply::INVALID_EXPTIME, 0, false),
        );
    }
}

#[test]
fn storage() {
    use StoreVerb::{Add, Append, Cas, Prepend, Replace, Set};
    for (word, verb) in [
        ("set", Set),
        ("add", Add),
        ("replace", Replace),
        ("append", Append),
        ("prepend", Prepend),
    ] {
        line(
            &format!("{word} k 0 0 5"),
            M::Store(verb, "k".into(), 0, 0, 5, 0, false),
        );
        line(
            &format!("{word} k 7 -1 0 noreply"),
            M::Store(verb, "k".into(), 7, -1, 0, 0, true),
        );
        line(
            &format!("{word}  k  1  2  3 "),
            M::Store(verb, "k".into(), 1, 2, 3, 0, false),
        );
        line(
            &format!("{word} k 1 2 3 4 5 noreply"),
            M::Store(verb, "k".into(), 1, 2, 3, 0, true),
        );
        line(
            &format!("{word} k 1 2 3 noreply 5"),
            M::Store(verb, "k".into(), 1, 2, 3, 0, false),
        );
    }
    line(
        "cas k 0 0 5 42",
        M::Store(Cas, "k".into(), 0, 0, 5, 42, false),
    );
    line(
        "cas k 0 0 5 18446744073709551615 noreply",
        M::Store(Cas, "k".into(), 0, 0, 5, u64::MAX, true),
    );
    line(
        &format!("set {K250} 0 0 1"),
        M::Store(Set, K250.into(), 0, 0, 1, 0, false),
    );
    line(
        "set noreply 0 0 1",
        M::Store(Set, "noreply".into(), 0, 0, 1, 0, false),
    );
    line(
        "set k 0 0 1 NOREPLY",
        M::Store(Set, "k".into(), 0, 0, 1, 0, false),
    );
}

#[test]
fn storage_numbers() {
    let set = |flags, exptime, bytes| {
        M::Store(StoreVerb::Set, "k".into(), flags, exptime, bytes, 0, false)
    };
    line("set k 4294967295 0 1", set(u32::MAX, 0, 1));
    line("set k 4294967296 0 1", set(0, 0, 1));
    line("set k 0 4294967295 1", set(0, -1, 1));
    line("set k 0 2147483648 1", set(0, i32::MIN, 1));
    line("set k 0 -9223372036854775808 1", set(0, 0, 1));
    line("set k +1 +2 3", set(1, 2, 3));
    line("set k 0 0 2147483645", set(0, 0, 2_147_483_645));
    line("set k 0 0 007", set(0, 0, 7));
}

#[test]
fn storage_errors_before_the_length_is_known_swallow_nothing() {
    for word in ["set", "add", "replace", "append", "prepend", "cas"] {
        for rest in [
            "",
            " k",
            " k 0",
            " k 0 0",
            " k 0 0 x",
            " k 0 0 1x",
            " k 0 0 -1",
            " k 0 0 2147483646",
        ] {
            line(&format!("{word}{rest}"), bad_format());
        }
        line(&format!("{word} k 0 0 noreply"), bad_format());
        line(&format!("{word} k 0 0 x noreply"), bad_format());
        line(&format!("{word} k 0 0 99999999999999999999"), bad_format());
    }
}

#[test]
fn storage_errors_after_the_length_is_known_swallow_the_data() {
    for word in ["set", "add", "replace", "append", "prepend", "cas"] {
        for rest in [
            "k x 0 5",
            "k -1 0 5",
            "k 0 x 5",
            "k 0 9223372036854775808 5",
            "k 18446744073709551616 0 5",
        ] {
            line(
                &format!("{word} {rest} 1"),
                M::Error(reply::BAD_FORMAT, 7, false),
            );
            line(
                &format!("{word} {rest} 1 noreply"),
                M::Error(reply::BAD_FORMAT, 7, true),
            );
        }
        line(
            &format!("{word} {} 0 0 5 1", k251()),
            M::Error(reply::BAD_FORMAT, 7, false),
        );
        line(
            &format!("{word} {} 0 0 0 noreply", k251()),
            M::Error(reply::BAD_FORMAT, 2, true),
        );
    }
    for rest in ["", " x", " -1", " 18446744073709551616"] {
        line(
            &format!("cas k 0 0 5{rest}"),
            M::Error(reply::BAD_FORMAT, 7, false),
        );
    }
    line("cas k 0 0 5 noreply", M::Error(reply::BAD_FORMAT, 7, true));
}

#[test]
fn touch_delete_arithmetic() {
    line("touch k 10", M::Touch("k".into(), 10, false));
    line("touch k -1 noreply", M::Touch("k".into(), -1, true));
    line("touch k 10 20", M::Touch("k".into(), 10, false));
    line("delete k", M::Delete("k".into(), false));
    line("delete k 0", M::Delete("k".into(), false));
    line("delete k noreply", M::Delete("k".into(), true));
    line("delete k 0 noreply", M::Delete("k".into(), true));
    line("delete k 1 2 3", M::Delete("k".into(), false));
    line("delete noreply", M::Delete("noreply".into(), true));
    line("incr n 1", M::Incr("n".into(), 1, false));
    line(
        "incr n 18446744073709551615 noreply",
        M::Incr("n".into(), u64::MAX, true),
    );
    line("incr n 1 2", M::Incr("n".into(), 1, false));
    line("decr n 0", M::Decr("n".into(), 0, false));
    line("decr n 7 noreply", M::Decr("n".into(), 7, true));
}

#[test]
fn touch_delete_arithmetic_errors() {
    for command in [
        "touch",
        "touch k",
        "delete",
        "incr",
        "incr k",
        "decr",
        "decr k",
        "touch noreply",
        "incr noreply",
    ] {
        line(command, bad_format());
    }
    for command in ["touch {} 0", "delete {}", "incr {} 1", "decr {} 1"] {
        let command = command.replace("{}", &k251());
        line(&command, bad_format());
        line(
            &format!("{command} noreply"),
            M::Error(reply::BAD_FORMAT, 0, true),
        );
    }
    for exptime in ["x", "2147483648", "1x", "noreply"] {
        line(
            &format!("touch k {exptime}"),
            M::Error(reply::INVALID_EXPTIME, 0, exptime == "noreply"),
        );
        line(
            &format!("touch k {exptime} noreply"),
            M::Error(reply::INVALID_EXPTIME, 0, true),
        );
    }
    for delta in ["x", "-1", "18446744073709551616", "1x", "noreply"] {
        for command in ["incr", "decr"] {
            line(
                &format!("{command} k {delta}"),
                M::Error(reply::INVALID_DELTA, 0, delta == "noreply"),
            );
            line(
                &format!("{command} k {delta} noreply"),
                M::Error(reply::INVALID_DELTA, 0, true),
            );
        }
    }
}

#[test]
fn flush_and_the_small_commands() {
    line("flush_all", M::Flush(None, false));
    line("flush_all noreply", M::Flush(None, true));
    line("flush_all 0", M::Flush(Some(0), false));
    line("flush_all -5 noreply", M::Flush(Some(-5), true));
    line("flush_all 10 20", M::Flush(Some(10), false));
    line("flush_all x", M::Error(reply::INVALID_EXPTIME, 0, false));
    line(
        "flush_all 2147483648",
        M::Error(reply::INVALID_EXPTIME, 0, false),
    );
    line(
        "flush_all x noreply",
        M::Error(reply::INVALID_EXPTIME, 0, true),
    );
    line(
        "flush_all noreply 5",
        M::Error(reply::INVALID_EXPTIME, 0, false),
    );
    line("version", M::Version);
    line("version foo", M::Version);
    line("quit", M::Quit);
    line("quit now", M::Quit);
    check("mn\r\n", &M::MetaNoop);
    line("mn foo", M::MetaNoop);
    line("mg k v", M::Meta("mg"));
    line("ms k 5 T0", M::Meta("ms"));
    line("md k", M::Meta("md"));
    line("ma k", M::Meta("ma"));
    line("me k", M::Meta("me"));
    check("mg\r\n", &bad_format());
    line("ms k x", bad_format());
    line(
        "ms k 5 !",
        M::Error(b"CLIENT_ERROR bad command line format\r\n", 7, false),
    );
    for unknown in ["mgx k v", "m k v", "mx k v", "Mg k v", "mg\tk v"] {
        line(unknown, M::Error(reply::ERROR, 0, false));
    }
    line("verbosity 1", M::Verbosity(1, false));
    line("verbosity 9 noreply", M::Verbosity(2, true));
    line("verbosity 0 1", M::Verbosity(0, false));
    line("verbosity", bad_format());
    line("verbosity x", bad_format());
    line("verbosity -1 noreply", M::Error(reply::BAD_FORMAT, 0, true));
}

#[test]
fn admin() {
    line("shutdown", M::Shutdown(ShutdownMode::Now, false));
    line(
        "shutdown graceful",
        M::Shutdown(ShutdownMode::Graceful, false),
    );
    line("shutdown now", M::Shutdown(ShutdownMode::Unknown, false));
    line(
        "shutdown graceful x",
        M::Shutdown(ShutdownMode::Unknown, false),
    );
    line("shutdown noreply", M::Shutdown(ShutdownMode::Unknown, true));
    line("refresh_certs", M::RefreshCerts(false));
    line("refresh_certs now noreply", M::RefreshCerts(true));
    line("cache_memlimit 64", M::CacheMemlimit(64, false));
    line(
        "cache_memlimit 4294967295 noreply",
        M::CacheMemlimit(u32::MAX, true),
    );
    line("cache_memlimit", M::Error(reply::ERROR, 0, false));
    line("cache_memlimit x", M::Error(reply::ERROR, 0, false));
    line(
        "cache_memlimit 4294967296 noreply",
        M::Error(reply::ERROR, 0, true),
    );
}

#[test]
fn stats() {
    for (word, expected) in [
        ("", StatsRequest::General),
        ("reset", StatsRequest::Reset),
        ("r", StatsRequest::Reset),
        ("settings", StatsRequest::Settings),
        ("sett", StatsRequest::Settings),
        ("s", StatsRequest::Settings),
        ("conns", StatsRequest::Conns),
        ("co", StatsRequest::Conns),
        ("items", StatsRequest::Items),
        ("slabs", StatsRequest::Slabs),
        ("sizes", StatsRequest::Sizes),
        ("sizes x", StatsRequest::Sizes),
        ("hotkeys", StatsRequest::HotKeys { reset: false }),
        ("hotkeys reset", StatsRequest::HotKeys { reset: true }),
        ("hotkeys rese", StatsRequest::HotKeys { reset: false }),
        ("mrc", StatsRequest::Mrc { reset: false }),
        ("mrc reset", StatsRequest::Mrc { reset: true }),
        ("latency", StatsRequest::Latency { reset: false }),
        ("latency reset", StatsRequest::Latency { reset: true }),
        ("detail on", StatsRequest::Detail(DetailMode::On)),
        ("detail off", StatsRequest::Detail(DetailMode::Off)),
        ("det d", StatsRequest::Detail(DetailMode::Dump)),
        (
            "cachedump 1 2",
            StatsRequest::Cachedump { class: 1, limit: 2 },
        ),
        (
            "c 63 0",
            StatsRequest::Cachedump {
                class: 63,
                limit: 0,
            },
        ),
    ] {
        line(format!("stats {word}").trim_end(), M::Stats(expected));
    }
    for word in ["shards", "settingsx", "item", "noreply", "RESET"] {
        line(&format!("stats {word}"), M::StatsOther(word.into()));
    }
    line(
        "stats detail",
        M::Error(reply::STATS_DETAIL_USAGE, 0, false),
    );
    line(
        "stats detail onx",
        M::Error(reply::STATS_DETAIL_USAGE, 0, false),
    );
    line(
        "stats cachedump",
        M::Error(reply::CACHEDUMP_SHORT, 0, false),
    );
    line(
        "stats cachedump 1",
        M::Error(reply::CACHEDUMP_SHORT, 0, false),
    );
    line("stats cachedump 1 x", bad_format());
    line("stats cachedump -1 0", bad_format());
    line(
        "stats cachedump 64 0",
        M::Error(reply::CACHEDUMP_CLASS, 0, false),
    );
}

#[test]
fn unknown_lines() {
    for unknown in [
        "foo",
        "GET a",
        "bget a",
        " get a",
        "   ",
        "get\ta",
        "setx k 0 0 1",
        "\u{81}abc",
        "statsx",
    ] {
        line(unknown, M::Error(reply::ERROR, 0, false));
    }
    line("foo noreply", M::Error(reply::ERROR, 0, true));
    line("noreply", M::Error(reply::ERROR, 0, true));
    line("GET / HTTP/1.1", M::CloseSilently);
    line("foo HTTP/", M::CloseSilently);
    line("HTTP/1.1 foo", M::Error(reply::ERROR, 0, false));
    line("HTTP/1.1", M::Error(reply::ERROR, 0, false));
    line("get HTTP/1.1", M::Get(keys(&["HTTP/1.1"])));
}

#[test]
fn the_shortest_lines() {
    for short in ["\n", "\r\n", " \n", "a\n", "a\r\n", "mn\n", "  \n"] {
        check(short, &bad_format());
    }
    check("foo\n", &M::Error(reply::ERROR, 0, false));
    check("mn \n", &M::MetaNoop);
}

#[test]
fn unterminated_lines_have_a_limit() {
    let filled = |start: &str, bytes: usize| {
        let mut buf = start.as_bytes().to_vec();
        buf.resize(bytes, b'x');
        buf
    };
    for start in ["", "set ", "gat 0 ", "mg ", "get", "gets", "get\t"] {
        assert_eq!(parse(&filled(start, 2048)), Parsed::Incomplete, "{start:?}");
        assert_eq!(parse(&filled(start, 2049)), Parsed::TooLong, "{start:?}");
        let terminated = [filled(start, 4000), b"\r\n".to_vec()].concat();
        assert!(
            matches!(parse(&terminated), Parsed::Request { consumed: 4002, .. }),
            "{start:?}"
        );
    }
    for start in [
        "get ",
        "gets ",
        "  get ",
        &format!("{}gets ", " ".repeat(100)),
    ] {
        assert_eq!(parse(&filled(start, 2049)), Parsed::Incomplete, "{start:?}");
        assert_eq!(
            parse(&filled(start, LINE_BYTES_MAX)),
            Parsed::Incomplete,
            "{start:?}"
        );
        assert_eq!(
            parse(&filled(start, LINE_BYTES_MAX + 1)),
            Parsed::TooLong,
            "{start:?}"
        );
    }
    assert_eq!(
        parse(&filled(&format!("{}get ", " ".repeat(101)), 2049)),
        Parsed::TooLong
    );
}

#[test]
fn keys_know_whether_they_are_alone() {
    for (line, single) in [
        ("get a\r\n", Some("a")),
        ("get  a  \r\n", Some("a")),
        ("get a b\r\n", None),
    ] {
        let Parsed::Request {
            request: Request::Get { keys, .. },
            ..
        } = parse(line.as_bytes())
        else {
            panic!("{line:?}");
        };
        assert_eq!(keys.single().map(text).as_deref(), single, "{line:?}");
    }
}
