//! The grammar of every number that a client can send, field by field.
//!
//! The words that 1.6.45 takes for a number depend on the field. Where `Tried` stands, the words were sent to a
//! memcached
//! 1.6.45; where `Read` stands, the grammar is known by reading only.

use corecached_protocol::text::{Parsed, parse};

/// Which words are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// At most 11 characters, `-` allowed.
    Signed32,
    /// At most 11 characters.
    Unsigned32,
    /// At most 22 characters.
    Unsigned64,
    /// Any number of characters, `+` and `-` allowed.
    LooseSigned,
    /// Any number of characters, `+` allowed.
    LooseUnsigned,
}

use Kind::{LooseSigned, LooseUnsigned, Signed32, Unsigned32, Unsigned64};

/// How it is known.
#[derive(Clone, Copy, Debug)]
enum Known {
    Tried,
    Read,
}

use Known::{Read, Tried};

const FIELDS: &[(&str, Kind, Known)] = &[
    ("set k {} 0 5", LooseUnsigned, Tried),
    ("set k 0 {} 5", LooseSigned, Tried),
    ("set k 0 0 {}", LooseUnsigned, Tried),
    ("add k {} 0 5", LooseUnsigned, Read),
    ("append k 0 {} 5", LooseSigned, Read),
    ("prepend k 0 0 {}", LooseUnsigned, Read),
    ("replace k 0 {} 5", LooseSigned, Read),
    ("cas k {} 0 5 1", LooseUnsigned, Read),
    ("cas k 0 {} 5 1", LooseSigned, Read),
    ("cas k 0 0 5 {}", Unsigned64, Tried),
    ("touch k {}", Signed32, Tried),
    ("gat {} k", Signed32, Tried),
    ("gats {} k", Signed32, Read),
    ("incr k {}", Unsigned64, Tried),
    ("decr k {}", Unsigned64, Tried),
    ("flush_all {}", Signed32, Read),
    ("verbosity {}", Unsigned32, Read),
    ("cache_memlimit {}", Unsigned32, Read),
    ("slabs reassign {} 2", Signed32, Read),
    ("slabs reassign 2 {}", Signed32, Read),
    ("slabs automove {}", Unsigned32, Read),
    ("slabs automove window {}", Unsigned32, Read),
    ("lru tune {} 10 0.1 2.0", Unsigned32, Read),
    ("lru tune 10 {} 0.1 2.0", Unsigned32, Read),
    ("lru temp_ttl {}", Signed32, Read),
    ("lru_crawler sleep {}", Unsigned32, Read),
    ("lru_crawler tocrawl {}", Unsigned32, Read),
    ("lru_crawler crawl {}", Unsigned32, Read),
    ("lru_crawler metadump {}", Unsigned32, Read),
    ("lru_crawler mgdump {}", Unsigned32, Read),
    ("stats cachedump {} 0", Unsigned32, Read),
    ("stats cachedump 1 {}", Unsigned32, Read),
    ("mg k T{}", Signed32, Tried),
    ("mg k R{}", Signed32, Tried),
    ("mg k N{}", Signed32, Tried),
    ("mg k C{}", Unsigned64, Tried),
    ("mg k N0 E{}", Unsigned64, Tried),
    ("ms k {}", Unsigned32, Read),
    ("ms k 5 F{}", Unsigned32, Tried),
    ("ms k 5 T{}", Signed32, Tried),
    ("ms k 5 C{}", Unsigned64, Tried),
    ("ms k 5 E{}", Unsigned64, Tried),
    ("ms k 5 MA N{}", Signed32, Tried),
    ("md k I T{}", Signed32, Tried),
    ("md k x F{}", Unsigned32, Tried),
    ("md k C{}", Unsigned64, Tried),
    ("md k I E{}", Unsigned64, Tried),
    ("ma k N{}", Signed32, Tried),
    ("ma k T{}", Signed32, Tried),
    ("ma k N0 J{}", Unsigned64, Tried),
    ("ma k D{}", Unsigned64, Tried),
    ("ma k C{}", Unsigned64, Tried),
    ("ma k E{}", Unsigned64, Tried),
];

/// A word in the place of a number, as what it is taken for.
fn meaning(field: &str, word: &str) -> String {
    let line = field.replace("{}", word) + "\r\n";
    match parse(line.as_bytes()) {
        Parsed::Request { consumed, request } => {
            assert_eq!(consumed, line.len(), "{line:?}");
            format!("{request:?}")
        }
        other => panic!("{line:?} is {other:?}"),
    }
}

/// Whether a word is a number. The same as for what certainly is none means that it is none.
fn is_taken(field: &str, word: &str) -> bool {
    meaning(field, word) != meaning(field, "x")
}

/// Small numbers with signs and zeros: all are in the range of each field.
#[test]
fn signs_and_zeros() {
    for &(field, kind, known) in FIELDS {
        // The window is from 3 to 1800 seconds, and everything else that has a range takes 1.
        let digit = if field.contains("window") { "5" } else { "1" };
        let of_length = |length: usize| format!("{digit:0>length$}");
        let negative = |length: usize| format!("-{}", of_length(length - 1));
        let longest = match kind {
            Signed32 | Unsigned32 => 11,
            Unsigned64 => 22,
            LooseSigned | LooseUnsigned => 40,
        };
        let is_signed = matches!(kind, Signed32 | LooseSigned);
        let is_loose = matches!(kind, LooseSigned | LooseUnsigned);
        for length in [1, 2, 10, 11, 12, 21, 22, 23, 30, 40] {
            let fits = length <= longest;
            let context = || format!("{field} with {length} characters, {kind:?}, {known:?}");
            assert_eq!(is_taken(field, &of_length(length)), fits, "{}", context());
            if length > 1 {
                let taken = is_taken(field, &negative(length));
                assert_eq!(taken, is_signed && fits, "- {}", context());
                let plus = format!("+{}", of_length(length - 1));
                assert_eq!(is_taken(field, &plus), is_loose, "+ {}", context());
            }
        }
        // The number of a meta flag is read only when the command is carried out.
        if !field.starts_with('m') {
            let zeros = meaning(field, &of_length(longest.min(11)));
            assert_eq!(zeros, meaning(field, digit), "{field}: zeros mean nothing");
        }
    }
}

#[test]
fn what_is_no_number_in_any_field() {
    for &(field, kind, known) in FIELDS {
        for word in [
            "1x", "x1", "0x1", "1.5", "1e3", "+", "-", "++1", "--1", "+-1", "-+1", "1+", "1-",
            "1\t", "\u{b}1", "\u{661}", "1\0", "1\r", "1_000",
        ] {
            // Lists of classes are another matter, and so is a fraction in the place of a level.
            let taken = is_taken(field, word);
            assert!(!taken, "{field} takes {word:?}, {kind:?}, {known:?}");
        }
    }
}

/// The ends of what fits. Client flags and exptime of the classic storage commands are cut to 32 bits.
#[test]
fn ranges() {
    for &(field, kind, known) in FIELDS {
        let (inside, outside): (&[&str], &[&str]) = match kind {
            _ if field.contains("window") || field.contains("sleep") => continue,
            _ if field.starts_with("slabs automove") || field.starts_with("lru tune") => continue,
            Unsigned32 if field == "ms k {}" => (&["2147483645"], &["2147483646", "4294967296"]),
            Unsigned32 if field.contains("crawl") => (&["63"], &["4294967296"]),
            Unsigned32 => (&["4294967295"], &["4294967296", "99999999999"]),
            Signed32 => (
                &["2147483647", "-2147483648"],
                &["2147483648", "-2147483649"],
            ),
            Unsigned64 => (
                &["18446744073709551615", "0018446744073709551615"],
                &["18446744073709551616", "99999999999999999999"],
            ),
            LooseUnsigned if field.ends_with("{}") => (&["2147483645"], &["2147483646", "-1"]),
            LooseUnsigned => (&["18446744073709551615"], &["18446744073709551616"]),
            LooseSigned => (
                &["9223372036854775807", "-9223372036854775808"],
                &["9223372036854775808", "-9223372036854775809"],
            ),
        };
        for word in inside {
            assert!(is_taken(field, word), "{field} refuses {word}, {known:?}");
        }
        for word in outside {
            assert!(!is_taken(field, word), "{field} takes {word}, {known:?}");
        }
    }
}
