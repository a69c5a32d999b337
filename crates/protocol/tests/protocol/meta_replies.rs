//! Replies to meta commands as the server writes and as the client reads them, and the client's requests.

use corecached_client::wire::DataPiece;
use corecached_client::wire::line::{ErrorKind, Malformed, Part, Reply, ReplyParser, Status, Step};
use corecached_client::wire::meta::Command;
use corecached_protocol::meta::reply::{self, Hit, Innards, Key, Marks, Number};
use corecached_protocol::meta::{Flag, Flags, MetaRequest, SetMode, parse};
use corecached_protocol::reply as text_reply;
use proptest::collection::vec;
use proptest::prelude::*;

const KEY: Key<'_> = Key {
    bytes: b"foo",
    base64: false,
};
const BINARY_KEY: Key<'_> = Key {
    bytes: b"foo bar",
    base64: true,
};

const HIT: Hit<'_> = Hit {
    key: KEY,
    value_bytes: 5,
    with_value: false,
    client_flags: 7,
    cas: 99,
    ttl: Some(20),
    ttl_touched: Some(30),
    ttl_created: None,
    fetched: true,
    idle_seconds: 3,
    marks: NONE,
};

const NONE: Marks = Marks {
    win_sent: false,
    stale: false,
    won: false,
};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("these replies are text")
}

fn flags(line: &str) -> Flags<'_> {
    match parse(line.as_bytes()) {
        Some(MetaRequest::Get(get)) => get.flags,
        Some(MetaRequest::Set(set)) => set.flags,
        Some(MetaRequest::Delete(delete)) => delete.flags,
        Some(MetaRequest::Arith(arith)) => arith.flags,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn hit(line: &str, hit: Hit<'_>) -> String {
    written(|out| reply::get_hit(out, &flags(line), &hit))
}

#[test]
fn hits() {
    assert_eq!(hit("mg foo", HIT), "HD\r\n");
    let marks = Marks {
        win_sent: true,
        stale: true,
        won: false,
    };
    assert_eq!(
        written(|out| reply::bare_hit(out, None, marks)),
        "HD Z X\r\n"
    );
    assert_eq!(
        written(|out| reply::bare_hit(out, Some(12), NONE)),
        "VA 12\r\n"
    );
    assert_eq!(
        hit(
            "mg foo v",
            Hit {
                with_value: true,
                ..HIT
            }
        ),
        "VA 5\r\n"
    );
    assert_eq!(
        hit(
            "mg foo s v",
            Hit {
                with_value: true,
                ..HIT
            }
        ),
        "VA 5 s5\r\n"
    );
    assert_eq!(
        hit("mg foo k f c s t l h Oabc q", HIT),
        "HD kfoo f7 c99 s5 t20 l3 h1 Oabc\r\n"
    );
    assert_eq!(hit("mg foo t T30", HIT), "HD t20\r\n");
    assert_eq!(hit("mg foo T30 t", HIT), "HD t30\r\n");
    assert_eq!(hit("mg foo t", Hit { ttl: None, ..HIT }), "HD t-1\r\n");
    assert_eq!(
        hit(
            "mg Zm9vIGJhcg== b k",
            Hit {
                key: BINARY_KEY,
                ..HIT
            }
        ),
        "HD kZm9vIGJhcg== b\r\n"
    );
    assert_eq!(
        hit(
            "mg foo h",
            Hit {
                fetched: false,
                ..HIT
            }
        ),
        "HD h0\r\n"
    );
}

#[test]
fn hits_of_stale_and_created_items() {
    let created = Hit {
        ttl: None,
        ttl_created: Some(Some(30)),
        marks: Marks { won: true, ..NONE },
        value_bytes: 0,
        with_value: true,
        ..HIT
    };
    assert_eq!(hit("mg foo v t c N30", created), "VA 0 t-1 c99 W\r\n");
    assert_eq!(hit("mg foo N30 v t", created), "VA 0 t30 W\r\n");
    assert_eq!(hit("mg foo N30 t", HIT), "HD t20\r\n");
    assert_eq!(
        hit(
            "mg foo c",
            Hit {
                marks: Marks {
                    stale: true,
                    won: true,
                    ..NONE
                },
                ..HIT
            }
        ),
        "HD c99 X W\r\n"
    );
    assert_eq!(
        hit(
            "mg foo",
            Hit {
                marks: Marks {
                    stale: true,
                    win_sent: true,
                    ..NONE
                },
                ..HIT
            }
        ),
        "HD Z X\r\n"
    );
}

#[test]
fn other_answers() {
    let plain = |line, status, key| written(|out| reply::plain(out, status, &flags(line), key));
    assert_eq!(plain("mg foo v", Status::En, KEY), "EN\r\n");
    assert_eq!(plain("mg foo v t Oa k", Status::En, KEY), "EN Oa kfoo\r\n");
    assert_eq!(
        plain("md Zm9vIGJhcg== k b", Status::Nf, BINARY_KEY),
        "NF kZm9vIGJhcg== b\r\n"
    );
    assert_eq!(plain("md foo q", Status::Ex, KEY), "EX\r\n");
    let set = |line, status, cas| written(|out| reply::set(out, status, &flags(line), KEY, cas, 8));
    assert_eq!(set("ms foo 5", Status::Hd, 9), "HD\r\n");
    assert_eq!(
        set("ms foo 5 c s k Oa t", Status::Hd, 9),
        "HD c9 s8 kfoo Oa\r\n"
    );
    assert_eq!(set("ms foo 5 c", Status::Ns, 0), "NS c0\r\n");
}

#[test]
fn numbers() {
    let number = Number {
        key: KEY,
        value: 42,
        cas: 9,
        ttl: None,
        ttl_touched: Some(5),
        ttl_created: Some(Some(6)),
    };
    let arith = |line, number| written(|out| reply::arith(out, &flags(line), &number));
    assert_eq!(arith("ma foo", number), "HD\r\n");
    assert_eq!(arith("ma foo v", number), "VA 2\r\n42\r\n");
    assert_eq!(
        arith("ma foo t c T5 k v Oa", number),
        "VA 2 t-1 c9 kfoo Oa\r\n42\r\n"
    );
    assert_eq!(arith("ma foo T5 t", number), "HD t5\r\n");
    assert_eq!(arith("ma foo N6 t s", number), "HD t6\r\n");
    assert_eq!(
        arith(
            "ma foo v",
            Number {
                value: u64::MAX,
                ..number
            }
        ),
        "VA 20\r\n18446744073709551615\r\n"
    );
}

#[test]
fn innards() {
    let item = Innards {
        key: KEY,
        ttl: None,
        idle_seconds: 4,
        cas: 2,
        fetched: false,
        class: 1,
        item_bytes: 65,
    };
    assert_eq!(
        written(|out| reply::debug(out, &item)),
        "ME foo exp=-1 la=4 cas=2 fetch=no cls=1 size=65\r\n"
    );
    let item = Innards {
        key: BINARY_KEY,
        ttl: Some(9),
        fetched: true,
        ..item
    };
    assert_eq!(
        written(|out| reply::debug(out, &item)),
        "ME Zm9vIGJhcg== exp=9 la=4 cas=2 fetch=yes cls=1 size=65\r\n"
    );
}

/// Parts of a reply stream that arrives in two pieces, values put together.
fn read(wire: &[u8], cut: usize) -> Vec<String> {
    let (mut parts, mut parser, mut at) = (Vec::new(), ReplyParser::new(), 0);
    for end in [cut, wire.len()] {
        while let Step::Part { consumed, part } = parser.next(&wire[at..end]) {
            at += consumed;
            let described = match part {
                Part::MetaValue { value_bytes, flags } => {
                    format!("VA {value_bytes} {:?} ", flags.iter().collect::<Vec<_>>())
                }
                Part::Data(DataPiece { bytes, .. }) => {
                    let value: &mut String = parts.last_mut().expect("data follows a header");
                    value.push_str(&String::from_utf8_lossy(bytes));
                    continue;
                }
                Part::Status { status, flags } => {
                    format!("{status:?} {:?}", flags.iter().collect::<Vec<_>>())
                }
                Part::Debug(line) => String::from_utf8_lossy(line).into_owned(),
                Part::Reply(reply) => format!("{reply:?}"),
                Part::Value(header) => panic!("a classic value: {header:?}"),
            };
            parts.push(described);
        }
    }
    assert_eq!(at, wire.len(), "cut at {cut}");
    parts
}

#[test]
fn replies_cut_at_every_byte() {
    let wire = b"HD t30 Oabc\r\nVA 5 c7\r\nhe\r\no\r\nVA 0\r\n\r\nEN\r\nNS\r\nEX\r\nNF k1\r\nME foo exp=-1\r\nMN\r\n\
                 CLIENT_ERROR bad command line format\r\nSTORED\r\n";
    let whole = read(wire, 0);
    assert_eq!(whole.len(), 11);
    assert!(
        whole[1].starts_with("VA 5") && whole[1].ends_with("he\r\no"),
        "{whole:?}"
    );
    for cut in 0..=wire.len() {
        assert_eq!(read(wire, cut), whole, "cut at {cut}");
    }
}

#[test]
fn flags_that_came_back() {
    let Step::Part {
        part: Part::Status {
            status: Status::Hd,
            flags,
        },
        ..
    } = ReplyParser::new().next(b"HD t-1 c7 W Oab\r\n")
    else {
        panic!("a hit");
    };
    assert_eq!(
        (flags.number(b'c'), flags.number(b't'), flags.argument(b't')),
        (Some(7), None, Some(&b"-1"[..]))
    );
    assert!(flags.has(b'W') && !flags.has(b'X'));
    assert_eq!(flags.argument(b'O'), Some(&b"ab"[..]));
}

#[test]
fn text_lines_among_meta_replies() {
    let text = |line, expected| {
        assert!(
            matches!(ReplyParser::new().next(line), Step::Part { part: Part::Reply(reply), .. } if reply == expected),
            "{line:?}"
        );
    };
    text(text_reply::MN, Reply::MetaNoop);
    text(
        text_reply::TOO_LARGE,
        Reply::Error {
            kind: ErrorKind::Server,
            message: b"object too large for cache",
        },
    );
    text(text_reply::OK, Reply::Ok);
    assert_eq!(
        ReplyParser::new().next(b"VA x\r\n"),
        Step::Malformed(Malformed::ValueLine)
    );
    assert_eq!(
        ReplyParser::new().next(b"VA\r\n"),
        Step::Malformed(Malformed::ValueLine)
    );
}

fn rendered(render: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    render(&mut out);
    out
}

#[test]
fn commands() {
    let line = rendered(|out| {
        Command::get(out, b"foo")
            .letter(b'v')
            .number(b'T', 30)
            .flag(Flag {
                letter: b'O',
                argument: b"x",
            })
            .end();
    });
    assert_eq!(line, b"mg foo v T30 Ox\r\n");
    let line = rendered(|out| {
        Command::set(out, b"foo", 2)
            .number(b'T', -1)
            .end_with_value(b"hi");
    });
    assert_eq!(line, b"ms foo 2 T-1\r\nhi\r\n");
    assert_eq!(
        rendered(|out| Command::delete(out, b"foo").letter(b'q').end()),
        b"md foo q\r\n"
    );
    assert_eq!(
        rendered(|out| Command::arith(out, b"foo").number(b'D', 7).end()),
        b"ma foo D7\r\n"
    );
    assert_eq!(
        rendered(|out| Command::debug(out, b"foo").end()),
        b"me foo\r\n"
    );
    assert_eq!(
        rendered(|out| Command::get_base64(out, b"foo bar").end()),
        b"mg Zm9vIGJhcg== b\r\n"
    );
    assert_eq!(
        rendered(|out| Command::delete_base64(out, b"foo bar").end()),
        b"md Zm9vIGJhcg== b\r\n"
    );
    assert_eq!(
        rendered(|out| Command::arith_base64(out, b"foo bar").end()),
        b"ma Zm9vIGJhcg== b\r\n"
    );
}

proptest! {
    #[test]
    fn the_server_understands_keys_of_any_bytes(key in vec(any::<u8>(), 1..=186), ttl: i32) {
        let bytes = rendered(|out| Command::set_base64(out, &key, 3).number(b'T', ttl).end_with_value(b"abc"));
        let line = bytes.strip_suffix(b"\r\nabc\r\n").expect("the line and its value");
        let Some(MetaRequest::Set(set)) = parse(line) else {
            return Err(TestCaseError::fail("a store"));
        };
        let mut scratch = [0; 250];
        prop_assert_eq!(set.key.bytes(&mut scratch), &key[..]);
        prop_assert_eq!((set.mode, set.value_bytes, set.flags.exptime()), (SetMode::Set, 3, Some(ttl)));
    }

    #[test]
    fn any_reply_bytes(bytes in vec(any::<u8>(), 0..300), start in prop::sample::select(vec!["", "VA 3 t1\r\n", "VA ", "HD "])) {
        let bytes = [start.as_bytes(), &bytes].concat();
        let (mut parser, mut rest) = (ReplyParser::new(), &bytes[..]);
        while let Step::Part { consumed, .. } = parser.next(rest) {
            prop_assert!(consumed > 0 && consumed <= rest.len());
            rest = &rest[consumed..];
        }
    }
}
