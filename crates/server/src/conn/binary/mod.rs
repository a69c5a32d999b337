//! The binary protocol: parsed packets become operations. Where outcomes become packets (`wire/binary.rs`) it is
//! decided which packets are answered, and how; packets that no shard is asked about are answered here.

mod answer;
mod get;
mod sasl;
mod store;

use corecached_engine::{Delete, Fetch};
use corecached_protocol::binary::{self, BinaryRequest, Head, Parsed, Status, reply};
use corecached_protocol::event::CloseReason;
use corecached_protocol::reply::COMPATIBILITY_VERSION;

use crate::latency::Kind;
use crate::operation::op::{Change, Op, Verb};
use crate::wire::{Style, request};

use super::ahead::{self, Get};
use super::step::{Step, Stop};
use super::{Conn, Cx, broadcast, statistics};
use answer::{count_other, fail, log_request};

/// Works on one packet, which `bytes` begins with.
pub(super) fn command(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let (used, head, request) = match binary::parse(bytes) {
        Parsed::Packet {
            consumed,
            head,
            request,
        } => (consumed, head, request),
        Parsed::Incomplete => return Step::Incomplete,
        Parsed::NotAPacket => return Step::Close,
    };
    if matches!(request, BinaryRequest::Stat(_)) && conn.is_admitted() && !cx.take_long_turn() {
        return Step::UsedAll(0, Stop::Later);
    }
    log_request(conn, head);
    if !conn.is_admitted() && !sasl::is_open(head, &request) {
        return fail(conn, head, Status::AuthError, Step::Close, cx);
    }
    count_other(&request, cx);
    match request {
        BinaryRequest::Get { key, .. } => {
            let first = Get::new(key, Style::Binary(head), used);
            return ahead::run(conn, first, bytes, get::next, cx);
        }
        BinaryRequest::GetAndTouch { key, exptime, .. } | BinaryRequest::Touch { key, exptime } => {
            let fetch = Fetch::Touch(cx.times().deadline(exptime));
            keyed(conn, head, key, Verb::Get(fetch), cx);
        }
        BinaryRequest::Store(store) => {
            return store::store(conn, head, &store, &bytes[used..], used, cx);
        }
        BinaryRequest::Delete { key, cas, .. } => {
            let delete = Delete {
                compare: request::binary::compare(cas),
                ..Delete::default()
            };
            let command = "delete";
            let delete = Change::Delete { delete, command };
            keyed(conn, head, key, Verb::Change(delete), cx);
        }
        BinaryRequest::Arith { .. } => arith(conn, head, &request, cx),
        BinaryRequest::Flush { exptime, .. } => {
            broadcast::flush_all(conn, exptime.map(i64::from), Style::Binary(head), cx);
        }
        BinaryRequest::Stat(stats) => statistics::stats(conn, stats, Style::Binary(head), cx),
        BinaryRequest::Noop => conn.reply_with(cx, |out| reply::done(&mut out.bytes, head, 0)),
        BinaryRequest::Version => conn.reply_with(cx, |out| {
            let version = COMPATIBILITY_VERSION.as_bytes();
            reply::body(&mut out.bytes, head, Status::Ok, version);
        }),
        BinaryRequest::Quit { quiet } => {
            if !quiet {
                conn.reply_with(cx, |out| reply::done(&mut out.bytes, head, 0));
            }
            conn.close_event.reason = Some(CloseReason::Normal);
            return Step::Close;
        }
        BinaryRequest::SaslList
        | BinaryRequest::SaslAuth { .. }
        | BinaryRequest::SaslStep { .. } => {
            return sasl::command(conn, head, &request, &bytes[used..], used, cx);
        }
        BinaryRequest::Error { status, .. } => {
            let then = after_error(conn, &request, used);
            return fail(conn, head, status, then, cx);
        }
    }
    Step::Used(used)
}

/// What follows a packet that is an error: bytes of it may have to be dropped, or the stream cannot be trusted any
/// more.
fn after_error(conn: &mut Conn, request: &BinaryRequest<'_>, used: usize) -> Step {
    let BinaryRequest::Error { swallow, close, .. } = *request else {
        return Step::Used(used);
    };
    conn.swallow(swallow);
    match close {
        true => Step::Close,
        false => Step::Used(used),
    }
}

#[inline]
fn keyed(conn: &mut Conn, head: Head, key: &[u8], verb: Verb<'_>, cx: &mut Cx<'_>) {
    let hash = cx.hash(key);
    cx.tally.count(Kind::of(&verb), 1, key);
    conn.submit(&Op { key, hash, verb }, &Style::Binary(head), cx);
}

fn arith(conn: &mut Conn, head: Head, request: &BinaryRequest<'_>, cx: &mut Cx<'_>) {
    if let Some((key, arith)) = request::binary::arith(request, cx.times()) {
        keyed(conn, head, key, Verb::Change(Change::Arith(arith)), cx);
    }
}
