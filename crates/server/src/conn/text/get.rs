//! `get`, `gets`, `gat`, `gats`, `mg`: runs of single-key gets in a pipeline, and gets of many keys.

use corecached_engine::{Deadline, Fetch, KeyHash};
use corecached_protocol::meta::MetaRequest;
use corecached_protocol::reply;
use corecached_protocol::text::{self, Keys, Parsed, Request};

use crate::conn::ahead::{self, Get, LOOKAHEAD};
use crate::conn::steps::Step;
use crate::conn::{Conn, Cx, Phase, Stop};
use crate::op::{Op, ReplyStyle, Verb};

use super::{log_request, meta};

/// A multi-get that could not be answered at once: the keys that are left.
#[derive(Debug)]
pub(in crate::conn) struct KeyRun {
    keys: Vec<u8>,
    at: usize,
    with_cas: bool,
    touch: Option<Deadline>,
}

/// Answers a single-key get, and those that follow it in `bytes`.
#[inline]
pub(super) fn run(
    conn: &mut Conn,
    key: &[u8],
    with_cas: bool,
    line: usize,
    bytes: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    let reply = ReplyStyle::Text { with_cas };
    let first = Get {
        key,
        reply,
        bytes: line,
    };
    ahead::run(conn, first, bytes, next, cx)
}

/// The get of one key, classic or meta, that `bytes` begins with, if it does.
#[inline]
pub(super) fn next<'b>(conn: &Conn, bytes: &'b [u8], cx: &Cx<'_>) -> Option<Get<'b>> {
    let Parsed::Request { request, consumed } = text::parse(bytes) else {
        return None;
    };
    let (key, reply) = match request {
        Request::Get { keys, with_cas } => (keys.single()?, ReplyStyle::Text { with_cas }),
        Request::Meta(MetaRequest::Get(get)) => {
            let style = meta::get_style(&get, cx);
            (get.key.as_sent()?, ReplyStyle::Meta(style))
        }
        _ => return None,
    };
    log_request(conn, &bytes[..consumed]);
    Some(Get {
        key,
        reply,
        bytes: consumed,
    })
}

/// Answers a get of several keys, or of one that is not pipelined.
pub(super) fn many(
    conn: &mut Conn,
    keys: Keys<'_>,
    with_cas: bool,
    touch: Option<Deadline>,
    cx: &mut Cx<'_>,
) {
    if let Some(left) = get_many(conn, keys, with_cas, touch, cx) {
        conn.phase = Phase::Keys(Box::new(KeyRun {
            keys: left.to_vec(),
            at: 0,
            with_cas,
            touch,
        }));
    }
}

/// Gets keys until all are done, and ends the reply; or until the connection has to pause, and returns what is left.
fn get_many<'k>(
    conn: &mut Conn,
    mut keys: Keys<'k>,
    with_cas: bool,
    touch: Option<Deadline>,
    cx: &mut Cx<'_>,
) -> Option<&'k [u8]> {
    let verb = Verb::Get {
        fetch: touch.map_or(Fetch::Count, Fetch::Touch),
    };
    let reply = ReplyStyle::Text { with_cas };
    loop {
        let mut ahead: [(&[u8], KeyHash); LOOKAHEAD] = [(&[], KeyHash(0)); LOOKAHEAD];
        let mut count = 0;
        for (slot, key) in ahead.iter_mut().zip(&mut keys) {
            *slot = (key, Conn::hash(cx, key));
            cx.prefetch(slot.1);
            count += 1;
        }
        let ahead = &ahead[..count];
        for &(_, hash) in ahead {
            cx.prefetch_item(hash);
        }
        for &(key, hash) in ahead {
            conn.submit(
                &Op {
                    key,
                    hash,
                    verb,
                    reply,
                },
                cx,
            );
        }
        if keys.as_bytes().is_empty() {
            conn.say(reply::END, cx);
            return None;
        }
        if conn.is_paused() || conn.output_is_full() || cx.router.is_congested() {
            return Some(keys.as_bytes());
        }
    }
}

/// Goes on with a multi-get that had to pause.
pub(in crate::conn) fn resume_keys(conn: &mut Conn, cx: &mut Cx<'_>) -> Stop {
    let Phase::Keys(mut run) = std::mem::take(&mut conn.phase) else {
        return Stop::Dry;
    };
    let left = Keys::new(&run.keys[run.at..])
        .and_then(|keys| get_many(conn, keys, run.with_cas, run.touch, cx));
    let Some(left) = left else { return Stop::Dry };
    run.at = run.keys.len() - left.len();
    conn.phase = Phase::Keys(run);
    if conn.is_paused() {
        Stop::Paused
    } else {
        Stop::Yield
    }
}
