//! `get`, `gets`, `gat`, `gats`, `mg`: runs of single-key gets in a pipeline, and gets of many keys.
//!
//! A get of many keys is answered in portions, so that a line of megabytes takes no more of a turn than any other work:
//!
//! ```text
//!   input   get a b c d e f g ... x y z\r\n          more than 16 KiB of keys are looked at first, portion by portion;
//!               |- portion -| left      |end        then each portion is got, and its bytes are used up
//! ```

use corecached_engine::{Fetch, KeyHash};
use corecached_protocol::meta::MetaRequest;
use corecached_protocol::reply;
use corecached_protocol::text::{
    self, Checked, KEYS_BYTES_AT_ONCE_MAX, KeyCheck, Keys, Parsed, Request,
};

use crate::conn::ahead::{Get, LOOKAHEAD};
use crate::conn::key_run::{KeyRun, ManyStyle};
use crate::conn::step::{Step, Stop};
use crate::conn::{Conn, Cx, Phase};
use crate::operation::op::{Op, Verb};
use crate::verbose;
use crate::wire::{Style, request};

/// The get of one key, classic or meta, that `bytes` begins with, if it does.
#[inline]
pub(super) fn next<'b>(conn: &Conn, bytes: &'b [u8], cx: &Cx<'_>) -> Option<Get<'b>> {
    let Parsed::Request { request, consumed } = text::parse(bytes) else {
        return None;
    };
    let (key, style) = match request {
        Request::Get { keys, with_cas } => (keys.single()?, Style::Text { with_cas }),
        Request::Meta(MetaRequest::Get(get)) => {
            let style = request::meta::get_style(&get, cx.times());
            (get.key.as_sent()?, Style::Meta(style))
        }
        _ => return None,
    };
    verbose::request(conn.raw_fd(), &bytes[..consumed]);
    Some(Get::new(key, style, consumed))
}

/// Answers a get of several keys, or of one that is not pipelined. `line` is its whole line.
pub(super) fn many(
    conn: &mut Conn,
    keys: Keys<'_>,
    style: ManyStyle,
    line: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    let mut behind = keys.clone();
    let left = get_many(conn, keys, style, cx);
    if left == 0 {
        cx.tally
            .count(style.kind(), 1, behind.next().unwrap_or_default());
        conn.reply(reply::END, cx);
        return Step::Used(line.len());
    }
    begin(conn, left, line, None, style)
}

/// Begins a get of more keys than can be checked in one go.
pub(super) fn long(conn: &mut Conn, keys: &[u8], style: ManyStyle, line: &[u8]) -> Step {
    let check = Some(KeyCheck::default());
    begin(conn, keys.len(), line, check, style)
}

/// Keeps the last `left` bytes before the end of `line` to be answered in later turns.
fn begin(
    conn: &mut Conn,
    left: usize,
    line: &[u8],
    check: Option<KeyCheck>,
    style: ManyStyle,
) -> Step {
    let line_end = if line.ends_with(reply::CRLF) { 2 } else { 1 };
    conn.phase = Phase::Keys(Box::new(KeyRun {
        left,
        line_end,
        check,
        style,
    }));
    Step::UsedAll(line.len() - line_end - left, later(conn))
}

/// Goes on with a get of many keys; `bytes` begins with the rest of its line.
pub(in crate::conn) fn go_on(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let Phase::Keys(mut run) = std::mem::take(&mut conn.phase) else {
        return Step::Used(0);
    };
    let line = run.left + run.line_end;
    let text = &bytes[..run.left];
    if let Some(check) = &mut run.check {
        match check.step(text, KEYS_BYTES_AT_ONCE_MAX) {
            Checked::Bad => {
                cx.tally.count_other();
                conn.reply(reply::BAD_FORMAT, cx);
                return Step::Used(line);
            }
            Checked::Good => run.check = None,
            Checked::Partly => {}
        }
        conn.phase = Phase::Keys(run);
        return Step::UsedAll(0, later(conn));
    }
    let (now, behind) = text.split_at(portion(text));
    let left = behind.len() + get_many(conn, Keys::resume(now), run.style, cx);
    if left == 0 {
        let mut keys = Keys::resume(now);
        cx.tally
            .count(run.style.kind(), 1, keys.next().unwrap_or_default());
        conn.reply(reply::END, cx);
        return Step::Used(line);
    }
    let used = run.left - left;
    run.left = left;
    conn.phase = Phase::Keys(run);
    Step::UsedAll(used, later(conn))
}

/// Length of the part of `text`, whose keys have been found good, that is worked on at once: whole keys and the spaces
/// between them.
fn portion(text: &[u8]) -> usize {
    match text.get(..KEYS_BYTES_AT_ONCE_MAX) {
        // No key is as long as the portion, so there is a space in it.
        Some(portion) => memchr::memrchr(b' ', portion).map_or(text.len(), |space| space + 1),
        None => text.len(),
    }
}

fn later(conn: &Conn) -> Stop {
    if conn.is_paused() {
        Stop::Paused
    } else {
        Stop::Later
    }
}

/// Gets keys until all are done, the connection has to pause, or it has had its share of the turn. Returns how many
/// bytes of keys are left.
fn get_many(conn: &mut Conn, mut keys: Keys<'_>, style: ManyStyle, cx: &mut Cx<'_>) -> usize {
    let verb = Verb::Get(style.touch.map_or(Fetch::Count, Fetch::Touch));
    let style = Style::Text {
        with_cas: style.with_cas,
    };
    if cx.keys_left == 0 {
        return keys.as_bytes().len();
    }
    loop {
        let mut ahead: [(&[u8], KeyHash); LOOKAHEAD] = [(&[], KeyHash(0)); LOOKAHEAD];
        let mut count = 0;
        let room = conn.reply_room(LOOKAHEAD, cx);
        for (slot, key) in ahead[..room].iter_mut().zip(&mut keys) {
            *slot = (key, cx.hash(key));
            cx.prefetch_leaf(slot.1);
            count += 1;
        }
        let ahead = &ahead[..count];
        for &(_, hash) in ahead {
            cx.prefetch_bucket(hash);
        }
        for &(_, hash) in ahead {
            cx.prefetch_item(hash);
        }
        for &(key, hash) in ahead {
            conn.submit(&Op { key, hash, verb }, &style, cx);
        }
        let left = keys.as_bytes().len();
        cx.keys_left = cx.keys_left.saturating_sub(count);
        let is_turn_over = cx.keys_left == 0 || cx.router.is_congested();
        if left == 0 || is_turn_over || conn.is_paused() || conn.output_is_full(cx) {
            return left;
        }
    }
}
