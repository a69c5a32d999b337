//! Replies as a stream brings them, read by the parsers of `corecached-client`. What a test wants to see byte by byte,
//! it reads itself.

use std::fmt::Debug;
use std::io::BufRead;

use corecached_client::wire::binary::Status;
use corecached_client::wire::line::{self, Part, Reply};
use corecached_client::wire::{Parse, Step, binary};

/// One `VALUE` of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) key: String,
    pub(crate) flags: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) cas: Option<u64>,
}

/// One `VA` of a reply: the value, and the flags behind its length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MetaValue {
    pub(crate) data: Vec<u8>,
    pub(crate) flags: String,
}

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) opcode: u8,
    pub(crate) opaque: u32,
    pub(crate) status: u16,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: u64,
}

/// Hands the next part of the replies, and its bytes, to `take`.
fn part<P: Parse<Malformed: Debug>, T>(
    stream: &mut impl BufRead,
    parser: &mut P,
    mut take: impl FnMut(P::Part<'_>, &[u8]) -> T,
) -> T {
    // The beginning of a part whose end has not come.
    let mut kept = Vec::new();
    loop {
        let fresh = stream.fill_buf().expect("a reply in time");
        assert!(!fresh.is_empty(), "closed after {:?}", show(&kept));
        let (had, fresh_bytes) = (kept.len(), fresh.len());
        let bytes = if had == 0 {
            fresh
        } else {
            kept.extend_from_slice(fresh);
            &kept
        };
        let taken = match parser.next(bytes) {
            Step::Part { consumed, part } => Some((take(part, &bytes[..consumed]), consumed)),
            Step::Incomplete => None,
            Step::Malformed(error) => panic!("{error:?}: {:?}", show(bytes)),
        };
        if let Some((taken, consumed)) = taken {
            stream.consume(consumed - had);
            return taken;
        }
        if had == 0 {
            kept.extend_from_slice(fresh);
        }
        stream.consume(fresh_bytes);
    }
}

/// The next part of replies in lines. Every line must end as the protocol says, which clients do not insist on.
fn line_part<T>(
    stream: &mut impl BufRead,
    parser: &mut line::ReplyParser,
    mut take: impl FnMut(Part<'_>) -> T,
) -> T {
    part(stream, parser, |part, bytes| {
        let ends = matches!(part, Part::Data(_)) || bytes.ends_with(b"\r\n");
        assert!(ends, "not a whole line: {:?}", show(bytes));
        take(part)
    })
}

/// The data of a value whose line has been read.
fn data(stream: &mut impl BufRead, parser: &mut line::ReplyParser) -> Vec<u8> {
    let mut data = Vec::new();
    let mut last = false;
    while !last {
        last = line_part(stream, parser, |part| match part {
            Part::Data(piece) => {
                data.extend_from_slice(piece.bytes);
                piece.last
            }
            other => panic!("{other:?} in a value"),
        });
    }
    data
}

/// The next value, or `None` if `END` comes instead.
pub(crate) fn value(stream: &mut impl BufRead) -> Option<Value> {
    let mut parser = line::ReplyParser::new();
    let value = line_part(stream, &mut parser, |part| match part {
        Part::Value(header) => Some(Value {
            key: text(header.key),
            flags: header.client_flags,
            data: Vec::new(),
            cas: header.cas,
        }),
        Part::Reply(Reply::End) => None,
        other => panic!("{other:?} among values"),
    })?;
    let data = data(stream, &mut parser);
    Some(Value { data, ..value })
}

/// The values of one get, up to `END`.
pub(crate) fn values(stream: &mut impl BufRead) -> Vec<Value> {
    std::iter::from_fn(|| value(stream)).collect()
}

/// The value that answers a meta command.
pub(crate) fn meta_value(stream: &mut impl BufRead) -> MetaValue {
    let mut parser = line::ReplyParser::new();
    let flags = line_part(stream, &mut parser, |part| match part {
        Part::MetaValue { flags, .. } => flags
            .iter()
            .map(|flag| char::from(flag.letter).to_string() + &text(flag.argument))
            .collect::<Vec<String>>(),
        other => panic!("{other:?} and no value"),
    });
    MetaValue {
        data: data(stream, &mut parser),
        flags: flags.join(" "),
    }
}

/// Names and values of statistics, in order, up to `END`.
pub(crate) fn stats(stream: &mut impl BufRead) -> Vec<(String, String)> {
    let mut parser = line::ReplyParser::new();
    let next = || {
        line_part(stream, &mut parser, |part| match part {
            Part::Reply(Reply::Stat { name, value }) => Some((text(name), text(value))),
            Part::Reply(Reply::End) => None,
            other => panic!("{other:?} among statistics"),
        })
    };
    std::iter::from_fn(next).collect()
}

/// The next packet.
pub(crate) fn packet(stream: &mut impl BufRead) -> Packet {
    let mut parser = binary::ReplyParser::new();
    let (mut packet, value_bytes) = part(stream, &mut parser, |part, _| match part {
        binary::Part::Hit {
            head,
            key,
            client_flags,
            value_bytes,
            cas,
        } => {
            let packet = Packet {
                opcode: head.opcode,
                opaque: head.opaque,
                status: Status::Ok as u16,
                extras: client_flags.to_be_bytes().to_vec(),
                key: key.to_vec(),
                value: Vec::new(),
                cas,
            };
            (packet, value_bytes)
        }
        binary::Part::Reply(reply) => {
            let packet = Packet {
                opcode: reply.head.opcode,
                opaque: reply.head.opaque,
                status: reply.status.map_or_else(|code| code, |known| known as u16),
                extras: reply.extras.to_vec(),
                key: reply.key.to_vec(),
                value: reply.value.to_vec(),
                cas: reply.cas,
            };
            (packet, 0)
        }
        binary::Part::Data(_) => panic!("a value without its header"),
    });
    while packet.value.len() < value_bytes {
        part(stream, &mut parser, |part, _| match part {
            binary::Part::Data(piece) => packet.value.extend_from_slice(piece.bytes),
            other => panic!("{other:?} in a value"),
        });
    }
    packet
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("replies of these tests are text")
}

fn show(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(200)].escape_ascii().to_string()
}
