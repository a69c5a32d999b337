//! Requests and replies of the three protocols, replies split at every byte.

use super::reply::{Kind, Shape, Status, ValueHeader};
use super::*;
use crate::value::Mark;
use crate::workload::WorkloadSpec;
use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;
use corecached_client::wire::binary::{Head, Header, REPLY_MAGIC};
use std::sync::Arc;

/// Writes down the events that it is told.
struct Log {
    shapes: Vec<Shape>,
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Log {
    fn new(shapes: &[Shape]) -> Self {
        Self {
            shapes: shapes.iter().rev().copied().collect(),
            lines: Vec::new(),
            body: Vec::new(),
        }
    }
}

impl ReplySink for Log {
    fn shape(&self) -> Option<Shape> {
        self.shapes.last().copied()
    }

    fn value(&mut self, header: &ValueHeader<'_>) -> Result<(), ProtocolError> {
        let key = header
            .key
            .map(|key| String::from_utf8_lossy(key).into_owned());
        self.lines.push(format!(
            "value {key:?} {} cas {}",
            header.bytes, header.cas_unique
        ));
        self.body.clear();
        Ok(())
    }

    fn body(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }

    fn value_end(&mut self) {
        self.lines
            .push(format!("body {}", String::from_utf8_lossy(&self.body)));
    }

    fn error_text(&mut self, _text: &[u8]) {}

    fn done(&mut self, status: Status, _kind: Kind) -> Result<(), ProtocolError> {
        self.shapes.pop();
        self.lines.push(format!("done {status:?}"));
        Ok(())
    }
}

/// The parser's events for `bytes`, which must not depend on how the bytes are split.
fn parse(protocol: Protocol, shapes: &[Shape], bytes: &[u8]) -> Vec<String> {
    let mut whole = Log::new(shapes);
    Parser::new(protocol).feed(bytes, &mut whole).unwrap();
    for split in 1..bytes.len() {
        let mut log = Log::new(shapes);
        let mut parser = Parser::new(protocol);
        parser.feed(&bytes[..split], &mut log).unwrap();
        parser.feed(&bytes[split..], &mut log).unwrap();
        assert_eq!(log.lines, whole.lines, "split at {split}");
    }
    whole.lines
}

fn workload() -> Arc<Workload> {
    let spec = WorkloadSpec {
        mix: "get=1,multiget:3=1".parse().unwrap(),
        key_bytes: 8,
        keys: 100,
        value_size: "4".parse().unwrap(),
        ..WorkloadSpec::default()
    };
    Workload::new(spec).unwrap()
}

fn request(verb: Verb, keys: &[KeyId]) -> Request<'_> {
    Request {
        verb,
        space: verb.key_space(),
        key: KeyId(7),
        keys,
        mark: Mark {
            key: KeyId(7),
            ttl_s: 60,
            ..Mark::default()
        },
        cas_unique: 42,
    }
}

fn rendered(protocol: Protocol, verb: Verb) -> String {
    let mut out = Vec::new();
    let keys = [KeyId(7), KeyId(8), KeyId(9)];
    render(protocol, &workload(), &request(verb, &keys), &mut out);
    out.escape_ascii().to_string()
}

#[test]
fn text_requests() {
    assert_eq!(rendered(Protocol::Text, Verb::Get), r"get lg:v0007\r\n");
    assert_eq!(
        rendered(Protocol::Text, Verb::MultiGet),
        r"get lg:v0007 lg:v0008 lg:v0009\r\n"
    );
    assert_eq!(
        rendered(Protocol::Text, Verb::Touch),
        r"touch lg:v0007 60\r\n"
    );
    assert_eq!(rendered(Protocol::Text, Verb::Gat), r"gat 60 lg:v0007\r\n");
    assert_eq!(rendered(Protocol::Text, Verb::Incr), r"incr lg:n0007 1\r\n");
    assert_eq!(
        rendered(Protocol::Text, Verb::MetaDelete),
        r"md lg:v0007\r\n"
    );
    assert!(rendered(Protocol::Text, Verb::Cas).starts_with(r"cas lg:v0007 0 60 4 42\r\n"));
    assert_eq!(
        rendered(Protocol::Text, Verb::Append),
        r"append lg:l0007 0 60 16\r\n0123456789abcdef\r\n"
    );
}

#[test]
fn meta_requests() {
    assert_eq!(rendered(Protocol::Meta, Verb::Get), r"mg lg:v0007 v\r\n");
    assert_eq!(
        rendered(Protocol::Meta, Verb::MultiGet),
        r"mg lg:v0007 k v q\r\nmg lg:v0008 k v q\r\nmg lg:v0009 k v q\r\nmn\r\n"
    );
    assert!(rendered(Protocol::Meta, Verb::Add).starts_with(r"ms lg:v0007 4 T60 ME\r\n"));
    assert_eq!(
        rendered(Protocol::Meta, Verb::Decr),
        r"ma lg:n0007 v MD\r\n"
    );
}

#[test]
fn text_replies() {
    let one = [Shape::One; 8];
    let lines = parse(
        Protocol::Text,
        &one,
        b"VALUE k1 0 5\r\na\r\nbc\r\nVALUE k2 1 0 77\r\n\r\nEND\r\nEND\r\nSTORED\r\nNOT_STORED\r\n42\r\nSERVER_ERROR out of memory storing object\r\n",
    );
    assert_eq!(
        lines,
        [
            "value Some(\"k1\") 5 cas 0",
            "body a\r\nbc",
            "value Some(\"k2\") 0 cas 77",
            "body ",
            "done Ok",
            "done Ok",
            "done Ok",
            "done NotStored",
            "done Ok",
            "done Error(OutOfMemory)"
        ]
    );
}

#[test]
fn meta_replies_mix_with_text_and_quiet_gets_end_with_mn() {
    let shapes = [Shape::One, Shape::UntilNoop, Shape::One, Shape::One];
    let lines = parse(
        Protocol::Meta,
        &shapes,
        b"VA 2 c9\r\nab\r\nVA 1 kx s1\r\nz\r\nMN\r\nHD\r\nEN\r\n",
    );
    assert_eq!(
        lines,
        [
            "value None 2 cas 9",
            "body ab",
            "done Ok",
            "value Some(\"x\") 1 cas 0",
            "body z",
            "done Ok",
            "done Ok",
            "done NotFound"
        ]
    );
}

fn binary_reply(opcode: u8, key: &[u8], extras: &[u8], status: u16, value: &[u8]) -> Vec<u8> {
    let header = Header {
        magic: REPLY_MAGIC,
        head: Head { opcode, opaque: 7 },
        status,
        extras_bytes: extras.len() as u8,
        key_bytes: key.len() as u16,
        body_bytes: (extras.len() + key.len() + value.len()) as u32,
        cas: 5,
    };
    [&header.bytes(), extras, key, value].concat()
}

#[test]
fn binary_replies() {
    let bytes = [
        binary_reply(0x00, b"", &[0; 4], 0, b"hello"),
        binary_reply(0x00, b"", b"", 1, b"Not found"),
        binary_reply(0x0d, b"k1", &[0; 4], 0, b"v1"),
        binary_reply(0x0a, b"", b"", 0, b""),
        binary_reply(0x01, b"", b"", 0x82, b"Out of memory"),
        binary_reply(0x02, b"", b"", 2, b"Data exists for key."),
    ]
    .concat();
    let shapes = [
        Shape::One,
        Shape::One,
        Shape::UntilNoop,
        Shape::One,
        Shape::One,
    ];
    assert_eq!(
        parse(Protocol::Binary, &shapes, &bytes),
        [
            "value None 5 cas 5",
            "body hello",
            "done Ok",
            "done NotFound",
            "value Some(\"k1\") 2 cas 5",
            "body v1",
            "done Ok",
            "done Error(OutOfMemory)",
            "done NotStored"
        ]
    );
}

#[test]
fn what_is_no_memcached_is_said_so() {
    let mut log = Log::new(&[Shape::One]);
    let error = Parser::new(Protocol::Text)
        .feed(b"HTTP/1.1 400 Bad Request\r\n", &mut log)
        .unwrap_err();
    assert!(error.to_string().contains("HTTP/1.1"), "{error}");
    let error = Parser::new(Protocol::Binary)
        .feed(&[b'E'; 24], &mut log)
        .unwrap_err();
    assert!(error.to_string().contains("binary"), "{error}");
    let error = Parser::new(Protocol::Text)
        .feed(b"END\r\n", &mut Log::new(&[]))
        .unwrap_err();
    assert!(error.to_string().contains("nothing was asked"), "{error}");
}
