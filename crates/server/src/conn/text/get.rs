//! `get`, `gets`, `gat`, `gats`: runs of single-key gets in a pipeline, and gets of many keys.

use corecached_engine::{Deadline, Fetch, KeyHash};
use corecached_protocol::reply;
use corecached_protocol::text::{self, Keys, Parsed, Request};

use crate::conn::{Conn, Cx, Phase, Stop};
use crate::op::{Op, ReplyStyle, Verb};

use super::{Step, log_request};

/// Keys that are hashed and prefetched together: enough to overlap their cache misses, few enough for the line buffers.
const LOOKAHEAD: usize = 16;

/// A multi-get that could not be answered at once: the keys that are left.
#[derive(Debug)]
pub(in crate::conn) struct KeyRun {
    keys: Vec<u8>,
    at: usize,
    with_cas: bool,
    touch: Option<Deadline>,
}

/// A pipelined get whose bucket has been asked for.
#[derive(Clone, Copy)]
struct GetAhead<'b> {
    key: &'b [u8],
    hash: KeyHash,
    with_cas: bool,
}

/// Answers a single-key get and, if more of them follow in the pipeline, those too: their buckets and then their items
/// are prefetched together, so that the cache misses of a pipeline overlap.
#[inline]
pub(super) fn run(
    conn: &mut Conn,
    key: &[u8],
    with_cas: bool,
    line: usize,
    bytes: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    let hash = Conn::hash(cx, key);
    if line == bytes.len() {
        answer_get(
            conn,
            &GetAhead {
                key,
                hash,
                with_cas,
            },
            cx,
        );
        return Step::Used(line);
    }
    let mut ahead = [GetAhead {
        key,
        hash,
        with_cas,
    }; LOOKAHEAD];
    cx.prefetch(hash);
    let (mut used, mut count) = (line, 1);
    while count < LOOKAHEAD
        && let Some((next, line)) = next_get(conn, &bytes[used..], cx)
    {
        ahead[count] = next;
        count += 1;
        used += line;
    }
    for get in &ahead[..count] {
        cx.prefetch_item(get.hash);
    }
    for get in &ahead[..count] {
        answer_get(conn, get, cx);
    }
    Step::UsedRun {
        bytes: used,
        requests: count as u32,
    }
}

/// The single-key get that `bytes` begins with, if it does, and the length of its line.
fn next_get<'b>(conn: &Conn, bytes: &'b [u8], cx: &Cx<'_>) -> Option<(GetAhead<'b>, usize)> {
    let Parsed::Request {
        request: Request::Get { keys, with_cas },
        consumed,
    } = text::parse(bytes)
    else {
        return None;
    };
    let key = keys.single()?;
    log_request(conn, &bytes[..consumed]);
    let hash = Conn::hash(cx, key);
    cx.prefetch(hash);
    Some((
        GetAhead {
            key,
            hash,
            with_cas,
        },
        consumed,
    ))
}

#[inline]
fn answer_get(conn: &mut Conn, get: &GetAhead<'_>, cx: &mut Cx<'_>) {
    conn.submit(
        &Op {
            key: get.key,
            hash: get.hash,
            verb: Verb::Get {
                fetch: Fetch::Count,
            },
            reply: ReplyStyle::Text {
                with_cas: get.with_cas,
            },
        },
        cx,
    );
    conn.say(reply::END, cx);
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
