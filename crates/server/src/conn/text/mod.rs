//! The text protocol, classic and meta: parsed requests become operations.

mod admin;
mod get;
mod meta;
mod store;
mod tune;

use corecached_protocol::event::CloseReason;
use corecached_protocol::text::{self, Parsed, Request};

use crate::latency::Kind;
use crate::operation::op::{Op, Verb};
use crate::verbose;
use crate::wire::{Style, request};

use super::ahead::{self, Get};
use super::key_run::ManyStyle;
use super::step::{Step, Stop};
use super::{Conn, Cx};

pub(super) use get::go_on as go_on_with_keys;

/// Works on one command, which `bytes` begins with.
pub(super) fn command(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let searched = std::mem::take(&mut conn.line.searched);
    let (request, line) = match text::parse_after(bytes, searched) {
        Parsed::Request { request, consumed } => (request, consumed),
        unfinished => return unended(conn, unfinished == Parsed::TooLong, bytes.len(), cx),
    };
    if searched > 0 {
        conn.line.turns = 0;
    }
    if is_long_work(&request) && !cx.take_long_turn() {
        return Step::UsedAll(0, Stop::Later);
    }
    verbose::request(conn.raw_fd(), &bytes[..line]);
    match request {
        Request::Get { keys, with_cas } => match keys.single() {
            Some(key) => {
                let style = Style::Text { with_cas };
                return ahead::run(conn, Get::new(key, style, line), bytes, get::next, cx);
            }
            None => {
                let touch = None;
                let style = ManyStyle { with_cas, touch };
                return get::many(conn, keys, style, &bytes[..line], cx);
            }
        },
        request @ (Request::GetAndTouch { .. } | Request::LongGet { .. }) => {
            return get_of_many(conn, &request, &bytes[..line], cx);
        }
        Request::Meta(request) => return meta::command(conn, &request, line, bytes, cx),
        Request::Store(store) => return store::store(conn, &store, &bytes[line..], line, cx),
        request @ (Request::Touch { .. } | Request::Delete { .. } | Request::Arith { .. }) => {
            change(conn, &request, cx);
        }
        Request::Error {
            reply,
            swallow,
            noreply,
            close,
        } => {
            cx.tally.count_other();
            conn.reply_unless(noreply, reply, cx);
            if close {
                return Step::Close;
            }
            conn.swallow(swallow);
        }
        Request::Quit => {
            cx.tally.count_other();
            conn.close_event.reason = Some(CloseReason::Normal);
            return Step::Close;
        }
        other => {
            cx.tally.count_other();
            return admin::command(conn, &other, line, cx);
        }
    }
    Step::Used(line)
}

/// `bytes` bytes of a line have come without its end.
fn unended(conn: &mut Conn, is_too_long: bool, bytes: usize, cx: &Cx<'_>) -> Step {
    conn.line.searched = bytes;
    match is_too_long {
        true => conn.too_long(bytes, cx),
        false => Step::Incomplete,
    }
}

/// `gat` and `gats`, and gets of very many keys.
fn get_of_many(conn: &mut Conn, request: &Request<'_>, line: &[u8], cx: &mut Cx<'_>) -> Step {
    match *request {
        Request::GetAndTouch {
            exptime,
            ref keys,
            with_cas,
        } => {
            let touch = Some(cx.times().deadline(exptime));
            let style = ManyStyle { with_cas, touch };
            get::many(conn, keys.clone(), style, line, cx)
        }
        Request::LongGet {
            keys,
            exptime,
            with_cas,
        } => {
            let touch = exptime.map(|exptime| cx.times().deadline(exptime));
            let style = ManyStyle { with_cas, touch };
            get::long(conn, keys, style, line)
        }
        _ => Step::Used(line.len()),
    }
}

/// Whether a command takes as long as hundreds of others, whatever its subject: its connection then waits for a turn
/// for long work.
#[inline]
fn is_long_work(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::Stats(_)
            | Request::Verbosity { .. }
            | Request::RefreshCerts { .. }
            | Request::Slabs { .. }
    )
}

/// Has an item touched, deleted or counted up or down.
fn change(conn: &mut Conn, request: &Request<'_>, cx: &mut Cx<'_>) {
    let Some((key, change, noreply)) = request::text::change(request, cx.times()) else {
        return;
    };
    let op = Op {
        key,
        hash: cx.hash(key),
        verb: Verb::Change(change),
    };
    cx.tally.count(Kind::of(&op.verb), 1, key);
    conn.submit(&op, &Style::text_unless(noreply), cx);
}
