//! The classic text protocol: parsed requests become operations.

mod admin;
mod get;
mod store;
mod tune;

use corecached_engine::{Arith, ArithExtras, ArithOp, Deadline, Delete};
use corecached_protocol::exptime;
use corecached_protocol::text::{self, Parsed, Request};

use tracing::debug;

use crate::op::{Op, ReplyStyle, Verb};

use super::{Conn, Cx, Phase, Stop, crawl};

pub(super) use get::{KeyRun, resume_keys};

/// What a step came to.
enum Step {
    /// That many bytes are used up.
    Used(usize),
    /// That many bytes of several requests are used up.
    UsedRun { bytes: usize, requests: u32 },
    /// Likewise, and that is all for now.
    UsedAll(usize, Stop),
    /// The rest of the input is the beginning of something.
    Incomplete,
    /// The connection is to be closed.
    Close,
}

/// Works on `bytes` until they are used up or it is time to stop; returns how many were used and why it stopped.
pub(super) fn consume(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
    let mut used = 0;
    let mut requests = 0;
    loop {
        if conn.is_paused() {
            return (used, Stop::Paused);
        }
        if requests >= cx.shared.config.reqs_per_event
            || conn.output_is_full()
            || cx.router.is_congested()
        {
            return (
                used,
                if used < bytes.len() || conn.is_mid_run() {
                    Stop::Yield
                } else {
                    Stop::Dry
                },
            );
        }
        let rest = &bytes[used..];
        let step = match &mut conn.phase {
            Phase::Command => command(conn, rest, cx),
            Phase::Value(_) => store::value(conn, rest, cx),
            Phase::Swallow(_) => swallow(conn, rest),
            Phase::Keys(_) => match resume_keys(conn, cx) {
                Stop::Dry => Step::Used(0),
                stop => Step::UsedAll(0, stop),
            },
            Phase::Crawl(_) => match crawl::resume(conn, cx) {
                Stop::Dry => Step::Used(0),
                stop => Step::UsedAll(0, stop),
            },
        };
        requests += 1;
        match step {
            Step::Used(n) => used += n,
            Step::UsedRun {
                bytes,
                requests: more,
            } => {
                used += bytes;
                requests += more - 1;
            }
            Step::UsedAll(n, stop) => return (used + n, stop),
            Step::Incomplete => return (used, Stop::Dry),
            Step::Close => return (used, Stop::Close),
        }
    }
}

fn command(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    if bytes.is_empty() {
        return Step::Incomplete;
    }
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
        Request::Quit => return Step::Close,
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

fn swallow(conn: &mut Conn, bytes: &[u8]) -> Step {
    let Phase::Swallow(left) = &mut conn.phase else {
        return Step::Incomplete;
    };
    let dropped = bytes
        .len()
        .min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= dropped as u64;
    if *left == 0 {
        conn.phase = Phase::Command;
        return Step::Used(dropped);
    }
    Step::UsedAll(dropped, Stop::Dry)
}
