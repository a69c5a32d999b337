//! Binary packets: what each opcode asks for, and what breaks the protocol.

use corecached_client::wire::binary as render;
use corecached_protocol::binary::{
    BODY_BYTES_MAX, BinaryRequest, BinaryStore, HEADER_BYTES, Head, Opcode, Parsed, Status, parse,
};
use corecached_protocol::text::{DetailMode, StatsRequest, StoreVerb};
use proptest::collection::vec;
use proptest::prelude::*;

const OPAQUE: u32 = 0xdead_beef;
const KEY: &[u8] = b"foo bar";

/// A header with these lengths, and nothing after it.
fn header(opcode: u8, key_bytes: u16, extras_bytes: u8, body_bytes: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode];
    bytes.extend_from_slice(&key_bytes.to_be_bytes());
    bytes.extend_from_slice(&[extras_bytes, 0xaa, 0xbb, 0xcc]);
    bytes.extend_from_slice(&body_bytes.to_be_bytes());
    bytes.extend_from_slice(&OPAQUE.to_be_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn rendered(render: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    render(&mut out);
    out
}

/// Checks what a packet asks for, whole and cut after every byte. `value_bytes` of it are left for the caller.
#[track_caller]
fn check(bytes: &[u8], value_bytes: usize, opcode: u8, expected: BinaryRequest<'_>) {
    let head = Head {
        opcode,
        opaque: OPAQUE,
    };
    let consumed = bytes.len() - value_bytes;
    let whole = Parsed::Packet {
        consumed,
        head,
        request: expected,
    };
    for end in 0..consumed {
        assert_eq!(parse(&bytes[..end]), Parsed::Incomplete, "cut at {end}");
    }
    for end in consumed..=bytes.len() {
        assert_eq!(parse(&bytes[..end]), whole, "cut at {end}");
    }
}

#[test]
fn fetches() {
    for (opcode, with_key, quiet) in [
        (Opcode::Get, false, false),
        (Opcode::GetQ, false, true),
        (Opcode::GetK, true, false),
        (Opcode::GetKQ, true, true),
    ] {
        let bytes = rendered(|out| render::keyed(out, opcode, OPAQUE, KEY, 0));
        check(
            &bytes,
            0,
            opcode as u8,
            BinaryRequest::Get {
                key: KEY,
                with_key,
                quiet,
            },
        );
    }
    for (opcode, with_key, quiet) in [
        (Opcode::Gat, false, false),
        (Opcode::GatQ, false, true),
        (Opcode::GatK, true, false),
        (Opcode::GatKQ, true, true),
    ] {
        let bytes = rendered(|out| render::touch(out, opcode, OPAQUE, KEY, 77));
        check(
            &bytes,
            0,
            opcode as u8,
            BinaryRequest::GetAndTouch {
                key: KEY,
                exptime: 77,
                with_key,
                quiet,
            },
        );
    }
    let bytes = rendered(|out| render::touch(out, Opcode::Touch, OPAQUE, KEY, u32::MAX));
    check(
        &bytes,
        0,
        0x1c,
        BinaryRequest::Touch {
            key: KEY,
            exptime: u32::MAX,
        },
    );
}

#[test]
fn stores() {
    for (opcode, verb, quiet) in [
        (Opcode::Set, StoreVerb::Set, false),
        (Opcode::SetQ, StoreVerb::Set, true),
        (Opcode::Add, StoreVerb::Add, false),
        (Opcode::AddQ, StoreVerb::Add, true),
        (Opcode::Replace, StoreVerb::Replace, false),
        (Opcode::ReplaceQ, StoreVerb::Replace, true),
    ] {
        let store = BinaryStore {
            verb,
            key: KEY,
            client_flags: 5,
            exptime: 6,
            value_bytes: 3,
            cas: 0,
            quiet,
        };
        let bytes = rendered(|out| render::store(out, opcode, OPAQUE, KEY, (5, 6, 0), b"abc"));
        check(&bytes, 3, opcode as u8, BinaryRequest::Store(store));
        let bytes = rendered(|out| render::store(out, opcode, OPAQUE, KEY, (5, 6, 9), b"abc"));
        check(
            &bytes,
            3,
            opcode as u8,
            BinaryRequest::Store(BinaryStore {
                verb: StoreVerb::Cas,
                cas: 9,
                ..store
            }),
        );
    }
    for (opcode, verb, quiet) in [
        (Opcode::Append, StoreVerb::Append, false),
        (Opcode::AppendQ, StoreVerb::Append, true),
        (Opcode::Prepend, StoreVerb::Prepend, false),
        (Opcode::PrependQ, StoreVerb::Prepend, true),
    ] {
        let store = BinaryStore {
            verb,
            key: KEY,
            client_flags: 0,
            exptime: 0,
            value_bytes: 0,
            cas: 9,
            quiet,
        };
        let bytes = rendered(|out| render::with_value(out, opcode, OPAQUE, KEY, 9, b""));
        check(&bytes, 0, opcode as u8, BinaryRequest::Store(store));
    }
}

#[test]
fn deletions_and_numbers() {
    for (opcode, quiet) in [(Opcode::Delete, false), (Opcode::DeleteQ, true)] {
        let bytes = rendered(|out| render::keyed(out, opcode, OPAQUE, KEY, 3));
        check(
            &bytes,
            0,
            opcode as u8,
            BinaryRequest::Delete {
                key: KEY,
                cas: 3,
                quiet,
            },
        );
    }
    for (opcode, incr, quiet) in [
        (Opcode::Incr, true, false),
        (Opcode::IncrQ, true, true),
        (Opcode::Decr, false, false),
        (Opcode::DecrQ, false, true),
    ] {
        for create in [None, Some((u64::MAX, 0))] {
            let bytes = rendered(|out| render::arith(out, opcode, OPAQUE, KEY, 7, create));
            let request = BinaryRequest::Arith {
                key: KEY,
                incr,
                delta: 7,
                create,
                cas: 0,
                quiet,
            };
            check(&bytes, 0, opcode as u8, request);
        }
    }
}

#[test]
fn packets_without_a_key() {
    for (opcode, request) in [
        (Opcode::Noop, BinaryRequest::Noop),
        (Opcode::Version, BinaryRequest::Version),
        (Opcode::Quit, BinaryRequest::Quit { quiet: false }),
        (Opcode::QuitQ, BinaryRequest::Quit { quiet: true }),
        (
            Opcode::Flush,
            BinaryRequest::Flush {
                exptime: None,
                quiet: false,
            },
        ),
        (
            Opcode::FlushQ,
            BinaryRequest::Flush {
                exptime: None,
                quiet: true,
            },
        ),
        (Opcode::Stat, BinaryRequest::Stat(StatsRequest::General)),
        (Opcode::SaslList, BinaryRequest::SaslList),
    ] {
        check(
            &rendered(|out| render::bare(out, opcode, OPAQUE)),
            0,
            opcode as u8,
            request,
        );
    }
    let bytes = rendered(|out| render::flush(out, Opcode::Flush, OPAQUE, Some(60)));
    check(
        &bytes,
        0,
        0x08,
        BinaryRequest::Flush {
            exptime: Some(60),
            quiet: false,
        },
    );
}

#[test]
fn statistics_and_authentication() {
    for (key, stats) in [
        ("reset", StatsRequest::Reset),
        ("settings", StatsRequest::Settings),
        ("items", StatsRequest::Items),
        ("slabs", StatsRequest::Slabs),
        ("sizes", StatsRequest::Sizes),
        ("detail on", StatsRequest::Detail(DetailMode::On)),
        ("detail off", StatsRequest::Detail(DetailMode::Off)),
        ("detail dump", StatsRequest::Detail(DetailMode::Dump)),
        ("detail", StatsRequest::Other(b"detail")),
        ("conns", StatsRequest::Other(b"conns")),
        ("sett", StatsRequest::Other(b"sett")),
        ("hotkeys", StatsRequest::HotKeys { reset: false }),
        ("hotkeys reset", StatsRequest::HotKeys { reset: true }),
        ("hotkeys now", StatsRequest::Other(b"hotkeys now")),
        ("mrc", StatsRequest::Mrc { reset: false }),
        ("mrc reset", StatsRequest::Mrc { reset: true }),
        ("latency", StatsRequest::Latency { reset: false }),
        ("latency reset", StatsRequest::Latency { reset: true }),
    ] {
        let bytes = rendered(|out| render::keyed(out, Opcode::Stat, OPAQUE, key.as_bytes(), 0));
        check(&bytes, 0, 0x10, BinaryRequest::Stat(stats));
    }
    let (mechanism, value_bytes) = (&b"PLAIN"[..], 4);
    let bytes =
        rendered(|out| render::with_value(out, Opcode::SaslAuth, OPAQUE, mechanism, 0, b"\0a\0b"));
    check(
        &bytes,
        4,
        0x21,
        BinaryRequest::SaslAuth {
            mechanism,
            value_bytes,
        },
    );
    let bytes =
        rendered(|out| render::with_value(out, Opcode::SaslStep, OPAQUE, mechanism, 0, b"\0a\0b"));
    check(
        &bytes,
        4,
        0x22,
        BinaryRequest::SaslStep {
            mechanism,
            value_bytes,
        },
    );
}

/// The status that a packet with these lengths is answered with, if it is an error.
fn error(
    opcode: u8,
    key_bytes: u16,
    extras_bytes: u8,
    body_bytes: u32,
) -> Option<(Status, usize, bool)> {
    let mut bytes = header(opcode, key_bytes, extras_bytes, body_bytes);
    bytes.resize(HEADER_BYTES + 600, b'x');
    match parse(&bytes) {
        Parsed::Packet {
            request:
                BinaryRequest::Error {
                    status,
                    swallow,
                    close,
                },
            ..
        } => Some((status, swallow, close)),
        Parsed::Packet { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lengths_that_break_the_protocol() {
    let invalid = Some((Status::Invalid, 0, true));
    for opcode in Opcode::ALL {
        let byte = *opcode as u8;
        assert_eq!(
            error(byte, 10, 0, 9),
            Some((Status::UnknownCommand, 0, true)),
            "{opcode:?}"
        );
        assert_eq!(
            error(byte, 0, 10, 9),
            Some((Status::UnknownCommand, 0, true)),
            "{opcode:?}"
        );
        assert_eq!(error(byte, 0, 0, BODY_BYTES_MAX + 1), invalid, "{opcode:?}");
        assert_eq!(error(byte, 251, 0, 251), invalid, "{opcode:?}");
        assert_eq!(
            error(byte, 5, 1, 6),
            invalid,
            "no opcode has one byte of extras: {opcode:?}"
        );
    }
    for (opcode, key_bytes, extras_bytes, body_bytes) in [
        (0x00, 0, 0, 0),   // GET without a key
        (0x00, 3, 0, 4),   // GET with a value
        (0x00, 3, 4, 7),   // GET with extras
        (0x01, 0, 8, 9),   // SET without a key
        (0x01, 3, 4, 9),   // SET with too few extras
        (0x04, 3, 0, 4),   // DELETE with a value
        (0x05, 3, 20, 24), // INCR with a value
        (0x05, 3, 16, 19), // INCR with too few extras
        (0x07, 3, 0, 3),   // QUIT with a key
        (0x08, 0, 4, 5),   // FLUSH with a value
        (0x0a, 0, 0, 1),   // NOOP with a value
        (0x0b, 1, 0, 1),   // VERSION with a key
        (0x0e, 0, 0, 3),   // APPEND without a key
        (0x0e, 3, 8, 14),  // APPEND with extras
        (0x10, 3, 0, 4),   // STAT with a value
        (0x1c, 0, 4, 4),   // TOUCH without a key
        (0x1c, 3, 4, 8),   // TOUCH with a value
        (0x21, 0, 0, 4),   // SASL auth without a mechanism
    ] {
        assert_eq!(
            error(opcode, key_bytes, extras_bytes, body_bytes),
            invalid,
            "{opcode:#x}"
        );
    }
}

#[test]
fn unknown_opcodes_swallow_their_body_exactly() {
    for opcode in (0x1b..=0x1b).chain(0x1f..=0x1f).chain(0x25..=0xff) {
        assert_eq!(
            error(opcode, 3, 4, 100),
            Some((Status::UnknownCommand, 100, false)),
            "{opcode:#x}"
        );
        let bytes = header(opcode, 3, 4, 100);
        assert!(
            matches!(
                parse(&bytes),
                Parsed::Packet {
                    consumed: HEADER_BYTES,
                    ..
                }
            ),
            "needs no body: {opcode:#x}"
        );
    }
}

#[test]
fn other_bytes_are_no_packets() {
    assert_eq!(parse(b""), Parsed::Incomplete);
    assert_eq!(parse(b"get a\r\n"), Parsed::NotAPacket);
    assert_eq!(parse(&[0x81; 30]), Parsed::NotAPacket);
}

#[test]
fn the_largest_packet_before_its_value() {
    let key = [b'k'; 250];
    let bytes = rendered(|out| render::keyed(out, Opcode::Get, OPAQUE, &key, 0));
    check(
        &bytes,
        0,
        0,
        BinaryRequest::Get {
            key: &key,
            with_key: false,
            quiet: false,
        },
    );
}

#[test]
fn opcodes_and_their_bytes() {
    for byte in 0..=u8::MAX {
        let found = Opcode::ALL
            .iter()
            .copied()
            .find(|&opcode| opcode as u8 == byte);
        assert_eq!(Opcode::from_byte(byte), found);
    }
    assert_eq!(Opcode::ALL.len(), 35);
    let quiet = Opcode::ALL.iter().filter(|opcode| opcode.is_quiet());
    assert!(
        quiet
            .clone()
            .all(|opcode| format!("{opcode:?}").ends_with('Q'))
    );
    assert_eq!(
        quiet.count(),
        Opcode::ALL
            .iter()
            .filter(|opcode| format!("{opcode:?}").ends_with('Q'))
            .count()
    );
}

proptest! {
    #[test]
    fn any_bytes(mut bytes in vec(any::<u8>(), 0..600), packet: bool, small: bool) {
        if packet && !bytes.is_empty() {
            bytes[0] = 0x80;
        }
        if small && bytes.len() > 12 {
            for at in [2, 8, 9, 10] {
                bytes[at] = 0;
            }
        }
        if let Parsed::Packet { consumed, .. } = parse(&bytes) {
            prop_assert!(consumed >= HEADER_BYTES && consumed <= bytes.len());
            for end in 0..consumed {
                prop_assert_eq!(parse(&bytes[..end]), Parsed::Incomplete);
            }
        }
    }
}
