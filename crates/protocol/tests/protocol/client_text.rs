//! The client's half of the text protocol against the server's half.

use corecached_client::wire::DataPiece;
use corecached_client::wire::line::{
    ErrorKind, Malformed, Part, Reply, ReplyParser, Step, ValueHeader,
};
use corecached_client::wire::text::{self as render, ReplyMode, Store};
use corecached_protocol::reply;
use corecached_protocol::text::{Parsed, Request, StatsRequest, StoreRequest, StoreVerb, parse};
use proptest::collection::vec;
use proptest::prelude::*;

fn rendered(render: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    render(&mut out);
    out
}

/// The request that the server parses from a single line.
fn understood(bytes: &[u8]) -> Request<'_> {
    match parse(bytes) {
        Parsed::Request { consumed, request } if consumed == bytes.len() => request,
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn the_server_understands_what_the_client_renders() {
    let line = rendered(|out| render::get(out, b"k"));
    assert!(
        matches!(understood(&line), Request::Get { keys, with_cas: false } if keys.single() == Some(b"k"))
    );
    let line = rendered(|out| render::gets(out, b"k"));
    assert!(
        matches!(understood(&line), Request::Get { keys, with_cas: true } if keys.single() == Some(b"k"))
    );
    let keys: [&[u8]; 3] = [b"a", b"bb", b"a"];
    let line = rendered(|out| render::multi_get(out, keys));
    assert!(
        matches!(understood(&line), Request::Get { keys: parsed, with_cas: false } if parsed.clone().eq(keys))
    );
    let line = rendered(|out| render::multi_gets(out, keys));
    assert!(
        matches!(understood(&line), Request::Get { keys: parsed, with_cas: true } if parsed.clone().eq(keys))
    );
    let line = rendered(|out| render::gat(out, -1, keys));
    assert!(
        matches!(understood(&line), Request::GetAndTouch { exptime: -1, keys: parsed, with_cas: false } if parsed.clone().eq(keys))
    );
    let line = rendered(|out| render::gats(out, i32::MAX, keys));
    assert!(matches!(
        understood(&line),
        Request::GetAndTouch {
            exptime: i32::MAX,
            with_cas: true,
            ..
        }
    ));
}

#[test]
fn commands_with_noreply() {
    for (noreply, reply) in [(false, ReplyMode::Reply), (true, ReplyMode::Noreply)] {
        let line = rendered(|out| render::touch(out, b"k", -7, reply));
        assert_eq!(
            understood(&line),
            Request::Touch {
                key: b"k",
                exptime: -7,
                noreply
            }
        );
        let line = rendered(|out| render::delete(out, b"k", reply));
        assert_eq!(understood(&line), Request::Delete { key: b"k", noreply });
        let line = rendered(|out| render::incr(out, b"k", u64::MAX, reply));
        assert_eq!(
            understood(&line),
            Request::Arith {
                key: b"k",
                incr: true,
                delta: u64::MAX,
                noreply
            }
        );
        let line = rendered(|out| render::decr(out, b"k", 0, reply));
        assert_eq!(
            understood(&line),
            Request::Arith {
                key: b"k",
                incr: false,
                delta: 0,
                noreply
            }
        );
        for exptime in [None, Some(5)] {
            let line = rendered(|out| render::flush_all(out, exptime, reply));
            assert_eq!(understood(&line), Request::FlushAll { exptime, noreply });
        }
        let line = rendered(|out| render::verbosity(out, 2, reply));
        assert_eq!(understood(&line), Request::Verbosity { level: 2, noreply });
    }
    assert_eq!(understood(&rendered(render::version)), Request::Version);
    assert_eq!(understood(&rendered(render::meta_noop)), Request::MetaNoop);
    assert_eq!(understood(&rendered(render::quit)), Request::Quit);
    assert_eq!(
        understood(&rendered(|out| render::stats(out, b""))),
        Request::Stats(StatsRequest::General)
    );
    assert_eq!(
        understood(&rendered(|out| render::stats(out, b"slabs"))),
        Request::Stats(StatsRequest::Slabs)
    );
}

fn verbs() -> impl Strategy<Value = StoreVerb> {
    use StoreVerb::{Add, Append, Cas, Prepend, Replace, Set};
    prop::sample::select(vec![Set, Add, Replace, Append, Prepend, Cas])
}

proptest! {
    #[test]
    fn stores_round_trip(
        verb in verbs(), key in "[!-~]{1,250}", client_flags: u32, exptime: i32, cas: u64, noreply: bool,
        value in vec(any::<u8>(), 0..300),
    ) {
        let cas = if verb == StoreVerb::Cas { cas } else { 0 };
        let request = StoreRequest { verb, key: key.as_bytes(), client_flags, exptime, value_bytes: value.len() as u32, cas, noreply };
        let bytes = rendered(|out| render::store(out, request.key, &Store::from(&request), &value));
        let Parsed::Request { consumed, request: parsed } = parse(&bytes) else {
            return Err(TestCaseError::fail("a storage command"));
        };
        prop_assert_eq!(parsed, Request::Store(request));
        prop_assert_eq!(&bytes[consumed..consumed + value.len()], &value[..]);
        prop_assert_eq!(&bytes[consumed + value.len()..], b"\r\n");
    }

    #[test]
    fn any_reply_bytes(bytes in vec(any::<u8>(), 0..512), start in prop::sample::select(vec!["", "VALUE k 0 3\r\n", "VALUE ", "STAT a "])) {
        let bytes = [start.as_bytes(), &bytes].concat();
        let mut parser = ReplyParser::new();
        let mut buf = &bytes[..];
        while let Step::Part { consumed, .. } = parser.next(buf) {
            prop_assert!(consumed > 0 && consumed <= buf.len());
            buf = &buf[consumed..];
        }
    }
}

/// A hit, its value put together.
#[derive(Debug, PartialEq)]
struct Hit {
    key: Vec<u8>,
    client_flags: u32,
    cas: Option<u64>,
    value: Vec<u8>,
}

/// A reply stream as a client sees it, values put together.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    values: Vec<Hit>,
    lines: Vec<String>,
}

impl Seen {
    fn note(&mut self, part: Part<'_>) {
        match part {
            Part::Value(ValueHeader {
                key,
                client_flags,
                cas,
                ..
            }) => {
                let (key, value) = (key.to_vec(), Vec::new());
                self.values.push(Hit {
                    key,
                    client_flags,
                    cas,
                    value,
                });
            }
            Part::Data(DataPiece { bytes, last }) => {
                assert!(last || !bytes.is_empty());
                self.values
                    .last_mut()
                    .expect("data follows a header")
                    .value
                    .extend_from_slice(bytes);
            }
            Part::Reply(reply) => self.lines.push(format!("{reply:?}")),
            other => panic!("a meta reply: {other:?}"),
        }
    }

    /// Reads `wire` that arrives in two pieces, cut at `cut`.
    fn read(wire: &[u8], cut: usize) -> Seen {
        let (mut seen, mut parser, mut at) = (Seen::default(), ReplyParser::new(), 0);
        for end in [cut, wire.len()] {
            while let Step::Part { consumed, part } = parser.next(&wire[at..end]) {
                seen.note(part);
                at += consumed;
            }
        }
        assert_eq!(at, wire.len(), "cut at {cut}");
        seen
    }
}

#[test]
fn replies_cut_at_every_byte() {
    let wire = rendered(|out| {
        reply::value_header(out, b"a", 7, 5, None);
        out.extend_from_slice(b"he\r\no\r\n");
        reply::value_header(out, b"b", 0, 0, Some(u64::MAX));
        out.extend_from_slice(b"\r\nEND\r\n");
        reply::stat_line(out, "pid", "1 2");
        reply::number_line(out, 42);
        out.extend_from_slice(reply::STORED);
        out.extend_from_slice(reply::TOO_LARGE);
    });
    let whole = Seen::read(&wire, 0);
    assert_eq!(
        whole.values[0],
        Hit {
            key: b"a".to_vec(),
            client_flags: 7,
            cas: None,
            value: b"he\r\no".to_vec()
        }
    );
    assert_eq!(
        whole.values[1],
        Hit {
            key: b"b".to_vec(),
            client_flags: 0,
            cas: Some(u64::MAX),
            value: Vec::new()
        }
    );
    assert_eq!(whole.lines.len(), 5);
    for cut in 0..=wire.len() {
        assert_eq!(Seen::read(&wire, cut), whole, "cut at {cut}");
    }
}

#[test]
fn reply_lines() {
    let error = |kind, message| Reply::Error { kind, message };
    for (line, expected) in [
        (reply::STORED, Reply::Stored),
        (reply::NOT_STORED, Reply::NotStored),
        (reply::EXISTS, Reply::Exists),
        (reply::NOT_FOUND, Reply::NotFound),
        (reply::DELETED, Reply::Deleted),
        (reply::TOUCHED, Reply::Touched),
        (reply::OK, Reply::Ok),
        (reply::END, Reply::End),
        (reply::RESET, Reply::Reset),
        (reply::MN, Reply::MetaNoop),
        (reply::VERSION, Reply::Version(b"1.6.45")),
        (b"0\r\n", Reply::Number(0)),
        (b"18446744073709551615\r\n", Reply::Number(u64::MAX)),
        (
            b"18446744073709551616\r\n",
            Reply::Other(b"18446744073709551616"),
        ),
        (reply::ERROR, error(ErrorKind::Command, b"")),
        (
            reply::TOO_MANY_CONNECTIONS,
            error(ErrorKind::Command, b"Too many open connections"),
        ),
        (
            reply::BAD_FORMAT,
            error(ErrorKind::Client, b"bad command line format"),
        ),
        (
            reply::OUT_OF_MEMORY,
            error(ErrorKind::Server, b"out of memory"),
        ),
        (
            reply::SHUTDOWN_DISABLED,
            error(ErrorKind::Server, b"shutdown not enabled"),
        ),
        (
            reply::MEMLIMIT_TOO_SMALL,
            Reply::Other(b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"),
        ),
        (
            b"STAT threads 4\r\n",
            Reply::Stat {
                name: b"threads",
                value: b"4",
            },
        ),
        (b"\r\n", Reply::Other(b"")),
    ] {
        let step = Step::Part {
            consumed: line.len(),
            part: Part::Reply(expected),
        };
        assert_eq!(ReplyParser::new().next(line), step);
        assert_eq!(expected.is_final(), !line.starts_with(b"STAT"));
    }
}

#[test]
fn malformed_replies() {
    for line in [
        "VALUE \r\n",
        "VALUE k\r\n",
        "VALUE k 0\r\n",
        "VALUE k 0 x\r\n",
        "VALUE k 4294967296 1\r\n",
        "VALUE k 0 1 2 3\r\n",
    ] {
        assert_eq!(
            ReplyParser::new().next(line.as_bytes()),
            Step::Malformed(Malformed::ValueLine),
            "{line:?}"
        );
    }
    let mut parser = ReplyParser::new();
    assert!(matches!(
        parser.next(b"VALUE k 0 1\r\n"),
        Step::Part { consumed: 13, .. }
    ));
    assert_eq!(parser.next(b"abc"), Step::Malformed(Malformed::ValueEnd));
    assert_eq!(
        ReplyParser::new().next(&[b'x'; 10_000]),
        Step::Malformed(Malformed::LineTooLong)
    );
}
