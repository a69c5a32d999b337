//! Runs of single-key gets in a pipeline: the leaves of the index, the buckets and then the items are prefetched
//! together, so that their cache misses overlap.

use corecached_engine::{Fetch, KeyHash};
use corecached_protocol::reply;

use super::step::Step;
use super::{Conn, Cx};
use crate::latency::Kind;
use crate::operation::op::{Op, Verb};
use crate::wire::{Style, request};

/// Keys that are hashed and prefetched together: enough to overlap their cache misses, few enough for the line buffers.
pub(super) const LOOKAHEAD: usize = 16;

/// A get of one key in a pipeline.
#[derive(Clone, Copy)]
pub(super) struct Get<'b> {
    /// The key.
    pub(super) key: &'b [u8],
    /// How the get is answered.
    pub(super) style: Style<'b>,
    /// Bytes of the whole request.
    pub(super) bytes: usize,
}

impl<'b> Get<'b> {
    /// A get of `key`, whose request takes `bytes` bytes.
    pub(super) fn new(key: &'b [u8], style: Style<'b>, bytes: usize) -> Get<'b> {
        Get { key, style, bytes }
    }
}

/// Answers `first`, the get that `bytes` begins with, and the gets that directly follow it. `next` parses one get; it
/// returns `None` if something other than a get follows.
#[inline]
pub(super) fn run<'b>(
    conn: &mut Conn,
    first: Get<'b>,
    bytes: &'b [u8],
    next: impl Fn(&Conn, &'b [u8], &Cx<'_>) -> Option<Get<'b>>,
    cx: &mut Cx<'_>,
) -> Step {
    let hash = cx.hash(first.key);
    if first.bytes == bytes.len() {
        cx.tally.count(Kind::Get, 1, first.key);
        answer(conn, &first, hash, cx);
        return Step::Used(first.bytes);
    }
    // An empty place of the array costs the write of a word, not a copy of a get.
    let mut ahead = [None; LOOKAHEAD];
    ahead[0] = Some((first, hash));
    cx.prefetch_leaf(hash);
    let (mut used, mut count) = (first.bytes, 1);
    while count < LOOKAHEAD
        && let Some(get) = next(conn, &bytes[used..], cx)
    {
        let hash = cx.hash(get.key);
        cx.prefetch_leaf(hash);
        ahead[count] = Some((get, hash));
        count += 1;
        used += get.bytes;
    }
    let ahead = &ahead[..count];
    cx.tally.count(Kind::Get, count as u32, first.key);
    for (_, hash) in ahead.iter().flatten() {
        cx.prefetch_bucket(*hash);
    }
    for (_, hash) in ahead.iter().flatten() {
        cx.prefetch_item(*hash);
    }
    for (get, hash) in ahead.iter().flatten() {
        answer(conn, get, *hash, cx);
    }
    Step::UsedRun {
        bytes: used,
        requests: count as u32,
    }
}

#[inline]
fn answer(conn: &mut Conn, get: &Get<'_>, hash: KeyHash, cx: &mut Cx<'_>) {
    let fetch = match &get.style {
        Style::Meta(style) => request::meta::fetch(style, cx.times()),
        _ => Fetch::Count,
    };
    let op = Op {
        key: get.key,
        hash,
        verb: Verb::Get(fetch),
    };
    conn.submit(&op, &get.style, cx);
    if matches!(get.style, Style::Text { .. }) {
        conn.reply(reply::END, cx);
    }
}
