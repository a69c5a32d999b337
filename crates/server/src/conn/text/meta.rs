//! The meta commands: the meaning of their flags for the operation. Their meaning for the reply is in
//! `dialect/meta.rs`.
//!
//! Flags act in the order in which they were sent. For the operation this matters in two places: for an item that is
//! created, the later one of `T` and `N` counts; and an `R` behind a `T` looks at the new time to live.

use corecached_engine::{
    Arith, ArithExtras, ArithOp, Create, Deadline, Delete, Fetch, MetaFetch, Recache, StoreExtras,
    StoreMode,
};
use corecached_protocol::KEY_BYTES_MAX;
use corecached_protocol::meta::{
    ArithMode, Flags, MetaArith, MetaDelete, MetaGet, MetaKey, MetaRequest, MetaSet, SetMode,
};

use crate::cell::op::{Change, Op, Verb};
use crate::conn::ahead::{self, Get};
use crate::conn::announced::Announced;
use crate::conn::storing::{self, Taken};
use crate::conn::{Conn, Cx};
use crate::dialect::{MetaStyle, Style};

use super::{Step, deadline, get};

/// Executes a meta command; `bytes` begins with its line of `line` bytes.
pub(super) fn command(
    conn: &mut Conn,
    request: &MetaRequest<'_>,
    line: usize,
    bytes: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    match request {
        MetaRequest::Get(request) => {
            let style = get_style(request, cx);
            if let Some(key) = request.key.as_sent() {
                let first = Get::new(key, Style::Meta(style), line);
                return ahead::run(conn, first, bytes, get::next, cx);
            }
            let fetch = fetch(&style, cx);
            submit(conn, &request.key, Verb::Get(fetch), style, cx);
        }
        MetaRequest::Set(set) => return store(conn, set, &bytes[line..], line, cx),
        MetaRequest::Delete(request) => {
            let style = style(&request.flags, &request.key, cx);
            let delete = Change::Delete {
                delete: delete(request, &style),
                command: "md",
            };
            submit(conn, &request.key, Verb::Change(delete), style, cx);
        }
        MetaRequest::Arith(request) => {
            let style = style(&request.flags, &request.key, cx);
            let arith = Change::Arith(arith(request, &style));
            submit(conn, &request.key, Verb::Change(arith), style, cx);
        }
        MetaRequest::Debug(debug) => {
            let verb = Verb::Get(Fetch::Inspect);
            let style = style(&Flags::NONE, &debug.key, cx);
            submit(conn, &debug.key, verb, style, cx);
        }
        MetaRequest::Error { reply, swallow } => {
            conn.say(reply, cx);
            conn.swallow(*swallow);
        }
    }
    Step::Used(line)
}

fn submit(
    conn: &mut Conn,
    key: &MetaKey<'_>,
    verb: Verb<'_>,
    style: MetaStyle<'_>,
    cx: &mut Cx<'_>,
) {
    let mut scratch = [0; KEY_BYTES_MAX];
    let key = key.bytes(&mut scratch);
    let hash = cx.hash(key);
    conn.submit(&Op { key, hash, verb }, &Style::Meta(style), cx);
}

/// The reply that the flags ask for.
fn style<'a>(flags: &Flags<'a>, key: &MetaKey<'_>, cx: &Cx<'_>) -> MetaStyle<'a> {
    let at = |exptime: Option<i32>| exptime.map_or(Deadline::NEVER, |at| deadline(at, cx));
    MetaStyle {
        flags: *flags,
        base64: key.is_base64(),
        value_bytes: 0,
        touched: at(flags.exptime()),
        created: at(flags.vivify()),
    }
}

/// How `mg` is answered.
#[inline]
pub(super) fn get_style<'a>(get: &MetaGet<'a>, cx: &Cx<'_>) -> MetaStyle<'a> {
    if get.flags.does_more_than_fetch() {
        return style(&get.flags, &get.key, cx);
    }
    MetaStyle {
        flags: get.flags,
        base64: get.key.is_base64(),
        value_bytes: 0,
        touched: Deadline::NEVER,
        created: Deadline::NEVER,
    }
}

/// The operation of `mg`.
#[inline]
pub(in crate::conn) fn fetch(style: &MetaStyle<'_>, cx: &Cx<'_>) -> Fetch {
    Fetch::Meta(if style.flags.does_more_than_fetch() {
        acting_fetch(style, cx)
    } else {
        MetaFetch::PLAIN
    })
}

#[cold]
fn acting_fetch(style: &MetaStyle<'_>, cx: &Cx<'_>) -> MetaFetch {
    let flags = &style.flags;
    let create = flags.has(b'N').then(|| Create {
        deadline: deadline_of_created(style),
        new_cas: flags.new_cas(),
        binary_key: style.base64,
    });
    MetaFetch {
        bump: !flags.has(b'u'),
        deadline: flags.has(b'T').then_some(style.touched),
        recache: recache(style, cx),
        create,
    }
}

/// The deadline of an item that is created: the later one of `T` and `N` decides.
fn deadline_of_created(style: &MetaStyle<'_>) -> Deadline {
    match style
        .flags
        .in_order()
        .filter(|flag| matches!(flag.letter, b'T' | b'N'))
        .last()
    {
        Some(flag) if flag.letter == b'T' => style.touched,
        _ => style.created,
    }
}

fn recache(style: &MetaStyle<'_>, cx: &Cx<'_>) -> Recache {
    let flags = &style.flags;
    let Some(recache) = flags.recache() else {
        return Recache::Never;
    };
    let limit = deadline(recache, cx);
    let touched_before = flags
        .in_order()
        .take_while(|flag| flag.letter != b'R')
        .any(|flag| flag.letter == b'T');
    match touched_before {
        false => Recache::Below(limit),
        true if style.touched != Deadline::NEVER && style.touched.0 < limit.0 => Recache::Always,
        true => Recache::Never,
    }
}

fn store(
    conn: &mut Conn,
    request: &MetaSet<'_>,
    data: &[u8],
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let mut scratch = [0; KEY_BYTES_MAX];
    let key = request.key.bytes(&mut scratch);
    let (mode, extras) = mode(request);
    let style = MetaStyle {
        value_bytes: request.value_bytes,
        ..style(&request.flags, &request.key, cx)
    };
    let announced = Announced {
        key,
        hash: cx.hash(key),
        mode,
        client_flags: request.flags.client_flags(),
        deadline: if extras.create {
            style.created
        } else {
            style.touched
        },
        extras,
        value_bytes: request.value_bytes as usize,
        line_end: storing::LINE_END,
        style: Style::Meta(style),
        reports_malformed: true,
    };
    match storing::take(conn, &announced, data, cx) {
        Taken::Done(used) => Step::Used(line + used),
        Taken::Begun => Step::Used(line),
        Taken::Incomplete => Step::Incomplete,
    }
}

/// The store mode and conditions of `ms`. With `C`, set and replace are cas; append and prepend compare the cas unique,
/// and take 0 for none.
fn mode(request: &MetaSet<'_>) -> (StoreMode, StoreExtras) {
    let flags = &request.flags;
    let joins = matches!(request.mode, SetMode::Append | SetMode::Prepend);
    let compare = flags.compare_cas();
    let mode = match (request.mode, compare) {
        (SetMode::Set | SetMode::Replace, Some(cas)) => StoreMode::Cas(cas),
        (SetMode::Set, None) => StoreMode::Set,
        (SetMode::Replace, None) => StoreMode::Replace,
        (SetMode::Add, _) => StoreMode::Add,
        (SetMode::Append, _) => StoreMode::Append,
        (SetMode::Prepend, _) => StoreMode::Prepend,
    };
    let extras = StoreExtras {
        new_cas: flags.new_cas(),
        compare: compare.filter(|&cas| joins && cas != 0),
        create: joins && flags.has(b'N'),
        invalidate: flags.has(b'I'),
        binary_key: request.key.is_base64(),
        drops_old: true,
    };
    (mode, extras)
}

fn delete(request: &MetaDelete<'_>, style: &MetaStyle<'_>) -> Delete {
    let flags = &request.flags;
    Delete {
        compare: flags.compare_cas(),
        stale: flags.has(b'I'),
        empty: flags.has(b'x').then(|| flags.client_flags()),
        deadline: flags.has(b'T').then_some(style.touched),
        new_cas: flags.new_cas(),
    }
}

fn arith(request: &MetaArith<'_>, style: &MetaStyle<'_>) -> Arith {
    let flags = &request.flags;
    let op = match request.mode {
        ArithMode::Incr => ArithOp::Incr,
        ArithMode::Decr => ArithOp::Decr,
    };
    let extras = ArithExtras {
        compare: flags.compare_cas().filter(|&cas| cas != 0),
        new_cas: flags.new_cas(),
        deadline: flags.has(b'T').then_some(style.touched),
        create: flags
            .has(b'N')
            .then(|| (flags.initial(), deadline_of_created(style))),
        binary_key: request.key.is_base64(),
    };
    let delta = flags.delta();
    Arith { op, delta, extras }
}
