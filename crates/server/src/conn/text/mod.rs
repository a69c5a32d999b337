//! The text protocol, classic and meta: parsed requests become operations.

mod admin;
mod get;
mod meta;
mod store;
mod tune;

use corecached_engine::{Arith, ArithExtras, ArithOp, Deadline, Delete};
use corecached_protocol::event::CloseReason;
use corecached_protocol::exptime;
use corecached_protocol::text::{self, Parsed, Request};

use tracing::debug;

use crate::op::{Op, ReplyStyle, Verb};

use super::steps::Step;
use super::{Conn, Cx, Phase};

pub(super) use get::{KeyRun, resume_keys};
pub(super) use meta::fetch;

/// One command, which `bytes` begins with.
pub(super) fn command(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let searched = std::mem::take(&mut conn.searched);
    let (request, line) = match text::parse_after(bytes, searched) {
        Parsed::Request { request, consumed } => (request, consumed),
        Parsed::Incomplete => {
            conn.searched = bytes.len();
            return Step::Incomplete;
        }
        Parsed::TooLong => return Step::Close,
    };
    log_request(conn, &bytes[..line]);
    match request {
        Request::Get { keys, with_cas } => match keys.single() {
            Some(key) => return get::run(conn, key, with_cas, line, bytes, cx),
            None => get::many(conn, keys, with_cas, None, cx),
        },
        Request::GetAndTouch {
            exptime,
            keys,
            with_cas,
        } => {
            let deadline = deadline(exptime, cx);
            get::many(conn, keys, with_cas, Some(deadline), cx);
        }
        Request::Meta(request) => return meta::command(conn, &request, line, bytes, cx),
        Request::Store(store) => return store::store(conn, &store, &bytes[line..], line, cx),
        Request::Touch {
            key,
            exptime,
            noreply,
        } => keyed(
            conn,
            key,
            Verb::Touch {
                deadline: deadline(exptime, cx),
            },
            noreply,
            cx,
        ),
        Request::Delete { key, noreply } => {
            keyed(conn, key, Verb::Delete(Delete::default()), noreply, cx);
        }
        Request::Arith {
            key,
            incr,
            delta,
            noreply,
        } => {
            let op = if incr { ArithOp::Incr } else { ArithOp::Decr };
            let extras = ArithExtras::default();
            let arith = Arith { op, delta, extras };
            keyed(conn, key, Verb::Arith(arith), noreply, cx);
        }
        Request::Error {
            reply,
            swallow,
            noreply,
            close,
        } => return error(conn, reply, swallow, noreply, close, line, cx),
        Request::Quit => {
            conn.close_reason = Some(CloseReason::Normal);
            return Step::Close;
        }
        other => return admin::command(conn, &other, line, cx),
    }
    Step::Used(line)
}

/// `-vv` shows every request, as memcached does: `<30 get key`.
#[inline]
fn log_request(conn: &Conn, line: &[u8]) {
    debug!(
        "<{} {}",
        conn.raw_fd(),
        line.trim_ascii_end().escape_ascii()
    );
}

fn say_unless(conn: &mut Conn, noreply: bool, line: &[u8], cx: &mut Cx<'_>) {
    if !noreply {
        conn.say(line, cx);
    }
}

fn deadline(exptime: i32, cx: &Cx<'_>) -> Deadline {
    Deadline(exptime::deadline(
        i64::from(exptime),
        cx.access.now.0,
        cx.shared.clock.unix_origin(),
    ))
}

#[inline]
fn keyed(conn: &mut Conn, key: &[u8], verb: Verb<'_>, noreply: bool, cx: &mut Cx<'_>) {
    let hash = Conn::hash(cx, key);
    conn.submit(
        &Op {
            key,
            hash,
            verb,
            reply: ReplyStyle::text_unless(noreply),
        },
        cx,
    );
}

fn error(
    conn: &mut Conn,
    line: &[u8],
    swallow: usize,
    noreply: bool,
    close: bool,
    used: usize,
    cx: &mut Cx<'_>,
) -> Step {
    say_unless(conn, noreply, line, cx);
    if close {
        return Step::Close;
    }
    if swallow > 0 {
        conn.phase = Phase::Swallow(swallow as u64);
    }
    Step::Used(used)
}
