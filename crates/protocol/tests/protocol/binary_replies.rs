//! Binary replies as the server writes and as the client reads them.

use corecached_client::wire::DataPiece;
use corecached_client::wire::binary::{Malformed, Part, Reply, ReplyParser, Step};
use corecached_protocol::binary::{Head, Opcode, Status, reply};
use proptest::collection::vec;
use proptest::prelude::*;

fn head(opcode: Opcode) -> Head {
    Head {
        opcode: opcode as u8,
        opaque: 0x0102_0304,
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn a_hit_byte_by_byte() {
    let bytes = written(|out| reply::hit(out, head(Opcode::GetKQ), b"foo", 7, 5, 0x99));
    let expected = [
        0x81, 0x0d, 0, 3, 4, 0, 0, 0, 0, 0, 0, 12, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0x99, 0, 0, 0,
        7, b'f', b'o', b'o',
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn an_error_byte_by_byte() {
    let bytes = written(|out| reply::error(out, head(Opcode::Get), Status::NotFound));
    let header = [
        0x81, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(bytes, [&header[..], b"Not found"].concat());
}

/// The only reply in `bytes`.
fn only(bytes: &[u8]) -> Reply<'_> {
    match ReplyParser::new().next(bytes) {
        Step::Part {
            consumed,
            part: Part::Reply(reply),
        } if consumed == bytes.len() => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn replies_come_back_as_written() {
    let none = Reply {
        head: head(Opcode::Set),
        status: Ok(Status::Ok),
        extras: b"",
        key: b"",
        value: b"",
        cas: 0,
    };
    let bytes = written(|out| reply::done(out, head(Opcode::Set), 42));
    assert_eq!(only(&bytes), Reply { cas: 42, ..none });
    for status in Status::ALL {
        let bytes = written(|out| reply::error(out, head(Opcode::Set), status));
        assert_eq!(
            only(&bytes),
            Reply {
                status: Ok(status),
                value: status.text(),
                ..none
            }
        );
        assert_eq!(Status::from_code(status as u16), Some(status));
    }
    let bytes = written(|out| reply::body(out, head(Opcode::Version), Status::Ok, b"1.6.45"));
    assert_eq!(
        only(&bytes),
        Reply {
            head: head(Opcode::Version),
            value: b"1.6.45",
            ..none
        }
    );
    let bytes = written(|out| reply::touched(out, head(Opcode::Touch), 7, 9));
    assert_eq!(
        only(&bytes),
        Reply {
            head: head(Opcode::Touch),
            extras: &[0, 0, 0, 7],
            cas: 9,
            ..none
        }
    );
    let bytes = written(|out| reply::miss_with_key(out, head(Opcode::GetK), b"foo"));
    let miss = Reply {
        head: head(Opcode::GetK),
        status: Ok(Status::NotFound),
        key: b"foo",
        ..none
    };
    assert_eq!(only(&bytes), miss);
    let bytes = written(|out| reply::number(out, head(Opcode::Incr), u64::MAX, 3));
    assert_eq!(
        (only(&bytes).number(), only(&bytes).cas),
        (Some(u64::MAX), 3)
    );
}

#[test]
fn statistics_end_with_an_empty_packet() {
    let bytes = written(|out| reply::stat(out, head(Opcode::Stat), b"pid", b"1"));
    assert_eq!(
        (
            only(&bytes).key,
            only(&bytes).value,
            only(&bytes).is_final()
        ),
        (&b"pid"[..], &b"1"[..], false)
    );
    let bytes = written(|out| reply::done(out, head(Opcode::Stat), 0));
    assert!(only(&bytes).is_final());
    let bytes = written(|out| reply::error(out, head(Opcode::Stat), Status::NotFound));
    assert!(only(&bytes).is_final());
}

/// Parts of a reply stream that arrives in two pieces, values put together.
fn read(wire: &[u8], cut: usize) -> Vec<String> {
    let (mut parts, mut parser, mut at) = (Vec::<String>::new(), ReplyParser::new(), 0);
    for end in [cut, wire.len()] {
        while let Step::Part { consumed, part } = parser.next(&wire[at..end]) {
            at += consumed;
            match part {
                Part::Data(DataPiece { bytes, .. }) => {
                    let value = parts.last_mut().expect("data follows a hit");
                    value.push_str(&String::from_utf8_lossy(bytes));
                }
                other => parts.push(format!("{other:?} ")),
            }
        }
    }
    assert_eq!(at, wire.len(), "cut at {cut}");
    parts
}

#[test]
fn replies_cut_at_every_byte() {
    let wire = written(|out| {
        reply::hit(out, head(Opcode::GetK), b"foo", 7, 5, 1);
        out.extend_from_slice(b"hello");
        reply::hit(out, head(Opcode::GatQ), b"", 0, 0, 2);
        reply::error(out, head(Opcode::Gat), Status::NotFound);
        reply::number(out, head(Opcode::Decr), 3, 4);
        reply::done(out, head(Opcode::Noop), 0);
    });
    let whole = read(&wire, 0);
    assert_eq!(whole.len(), 5);
    assert!(whole[0].ends_with("hello"), "{whole:?}");
    for cut in 0..=wire.len() {
        assert_eq!(read(&wire, cut), whole, "cut at {cut}");
    }
}

#[test]
fn malformed_replies() {
    let good = written(|out| reply::done(out, head(Opcode::Noop), 0));
    for (at, byte, malformed) in [
        (0, 0x80, Malformed::Magic),
        (3, 1, Malformed::Lengths),
        (4, 1, Malformed::Lengths),
        (8, 1, Malformed::BodyTooLong),
    ] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        assert_eq!(ReplyParser::new().next(&bytes), Step::Malformed(malformed));
    }
    let mut hit = written(|out| reply::hit(out, head(Opcode::Get), b"", 0, 0, 0));
    hit[4] = 3;
    assert_eq!(
        ReplyParser::new().next(&hit),
        Step::Malformed(Malformed::Lengths)
    );
}

proptest! {
    #[test]
    fn any_reply_bytes(mut bytes in vec(any::<u8>(), 0..300), reply: bool) {
        if reply && bytes.len() > 12 {
            bytes[0] = 0x81;
            for at in [2, 8, 9, 10] {
                bytes[at] = 0;
            }
        }
        let (mut parser, mut rest) = (ReplyParser::new(), &bytes[..]);
        while let Step::Part { consumed, .. } = parser.next(rest) {
            prop_assert!(consumed > 0 && consumed <= rest.len());
            rest = &rest[consumed..];
        }
    }
}
