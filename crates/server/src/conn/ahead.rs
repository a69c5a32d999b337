//! Runs of single-key gets in a pipeline: their buckets and then their items are prefetched together, so that their
//! cache misses overlap.

use corecached_engine::{Fetch, KeyHash};

use super::steps::Step;
use super::{Conn, Cx};
use crate::op::{Op, ReplyStyle, Verb};

/// Keys that are hashed and prefetched together: enough to overlap their cache misses, few enough for the line buffers.
pub(super) const LOOKAHEAD: usize = 16;

/// A pipelined get.
#[derive(Clone, Copy)]
pub(super) struct Get<'b> {
    /// Its key.
    pub(super) key: &'b [u8],
    /// How it is answered.
    pub(super) reply: ReplyStyle<'b>,
    /// Bytes of the whole request.
    pub(super) bytes: usize,
}

/// Answers `first`, which `bytes` begins with, and the gets that follow it at once. `next` parses a get, or says that what
/// follows is something else; `end` is what comes after each answer.
#[inline]
pub(super) fn run<'b>(
    conn: &mut Conn,
    first: Get<'b>,
    bytes: &'b [u8],
    next: impl Fn(&Conn, &'b [u8]) -> Option<Get<'b>>,
    end: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    let hash = Conn::hash(cx, first.key);
    if first.bytes == bytes.len() {
        answer(conn, &first, hash, end, cx);
        return Step::Used(first.bytes);
    }
    let mut ahead = [(first, hash); LOOKAHEAD];
    cx.prefetch(hash);
    let (mut used, mut count) = (first.bytes, 1);
    while count < LOOKAHEAD
        && let Some(get) = next(conn, &bytes[used..])
    {
        let hash = Conn::hash(cx, get.key);
        cx.prefetch(hash);
        ahead[count] = (get, hash);
        count += 1;
        used += get.bytes;
    }
    for &(_, hash) in &ahead[..count] {
        cx.prefetch_item(hash);
    }
    for (get, hash) in &ahead[..count] {
        answer(conn, get, *hash, end, cx);
    }
    Step::UsedRun {
        bytes: used,
        requests: count as u32,
    }
}

#[inline]
fn answer(conn: &mut Conn, get: &Get<'_>, hash: KeyHash, end: &[u8], cx: &mut Cx<'_>) {
    conn.submit(
        &Op {
            key: get.key,
            hash,
            verb: Verb::Get {
                fetch: Fetch::Count,
            },
            reply: get.reply,
        },
        cx,
    );
    if !end.is_empty() {
        conn.say(end, cx);
    }
}
