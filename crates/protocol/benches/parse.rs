//! Time to parse and to answer one request, without I/O and without a cache.

use std::hint::black_box;

use corecached_client::wire::line::{ReplyParser, Step};
use corecached_client::wire::text as render;
use corecached_protocol::binary::{self, Opcode};
use corecached_protocol::meta;
use corecached_protocol::reply;
use corecached_protocol::text::{Parsed, Request, parse};
use criterion::{Criterion, criterion_group, criterion_main};

const KEY: &[u8] = b"memtier-000000000000001";

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("text/parse");
    let mut line = Vec::new();
    render::get(&mut line, KEY);
    group.bench_function("get of one key", |b| {
        b.iter(|| match parse(black_box(&line)) {
            Parsed::Request {
                consumed,
                request: Request::Get { keys, .. },
            } => (consumed, keys.map(<[u8]>::len).sum::<usize>()),
            _ => (0, 0),
        });
    });
    let mut many = Vec::new();
    render::multi_get(&mut many, [KEY; 50]);
    group.bench_function("get of 50 keys", |b| {
        b.iter(|| match parse(black_box(&many)) {
            Parsed::Request {
                consumed,
                request: Request::Get { keys, .. },
            } => (consumed, keys.map(<[u8]>::len).sum::<usize>()),
            _ => (0, 0),
        });
    });
    let set = b"set memtier-000000000000001 0 3600 100\r\n";
    group.bench_function("set", |b| {
        b.iter(|| matches!(parse(black_box(set)), Parsed::Request { .. }));
    });
    let incr = b"incr memtier-000000000000001 1\r\n";
    group.bench_function("incr", |b| {
        b.iter(|| matches!(parse(black_box(incr)), Parsed::Request { .. }));
    });
    group.finish();
}

fn replies(c: &mut Criterion) {
    let mut out = Vec::with_capacity(1024);
    c.bench_function("text/reply/value header", |b| {
        b.iter(|| {
            out.clear();
            reply::value_header(black_box(&mut out), KEY, 0, 100, None);
            out.len()
        });
    });
    let mut wire = Vec::new();
    reply::value_header(&mut wire, KEY, 0, 100, None);
    wire.extend_from_slice(&[b'x'; 100]);
    wire.extend_from_slice(b"\r\nEND\r\n");
    c.bench_function("text/client/hit", |b| {
        b.iter(|| {
            let (mut parser, mut rest) = (ReplyParser::new(), black_box(&wire[..]));
            while let Step::Part { consumed, .. } = parser.next(rest) {
                rest = &rest[consumed..];
            }
            rest.len()
        });
    });
}

fn other_protocols(c: &mut Criterion) {
    let line = b"mg memtier-000000000000001 v";
    c.bench_function("meta/parse/mg v", |b| {
        b.iter(|| meta::parse(black_box(line)).is_some());
    });
    let line = b"mg memtier-000000000000001 v t f c k O123456";
    c.bench_function("meta/parse/mg v t f c k O", |b| {
        b.iter(|| meta::parse(black_box(line)).is_some());
    });
    let mut packet = Vec::new();
    corecached_client::wire::binary::keyed(&mut packet, Opcode::Get, 7, KEY, 0);
    c.bench_function("binary/parse/GET", |b| {
        b.iter(|| {
            matches!(
                binary::parse(black_box(&packet)),
                binary::Parsed::Packet { .. }
            )
        });
    });
}

criterion_group!(benches, requests, replies, other_protocols);
criterion_main!(benches);
