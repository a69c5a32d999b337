//! The meta commands; what their flags mean for the operation is in `wire/request/meta.rs`.

use corecached_engine::Fetch;
use corecached_protocol::KEY_BYTES_MAX;
use corecached_protocol::meta::{Flags, MetaKey, MetaRequest, MetaSet};

use crate::conn::ahead::{self, Get};
use crate::conn::step::Step;
use crate::conn::store_command::StoreCommand;
use crate::conn::storing::{self, Taken};
use crate::conn::{Conn, Cx};
use crate::latency::Kind;
use crate::operation::op::{Change, Op, Verb};
use crate::wire::request::meta::{arith, delete, fetch, get_style, mode, style};
use crate::wire::{MetaStyle, Style};

use super::get;

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
            let style = get_style(request, cx.times());
            if let Some(key) = request.key.as_sent() {
                let first = Get::new(key, Style::Meta(style), line);
                return ahead::run(conn, first, bytes, get::next, cx);
            }
            let fetch = fetch(&style, cx.times());
            submit(conn, &request.key, Verb::Get(fetch), style, cx);
        }
        MetaRequest::Set(set) => return store(conn, set, &bytes[line..], line, cx),
        MetaRequest::Delete(request) => {
            let style = style(&request.flags, &request.key, cx.times());
            let delete = Change::Delete {
                delete: delete(request, &style),
                command: "md",
            };
            submit(conn, &request.key, Verb::Change(delete), style, cx);
        }
        MetaRequest::Arith(request) => {
            let style = style(&request.flags, &request.key, cx.times());
            let arith = Change::Arith(arith(request, &style));
            submit(conn, &request.key, Verb::Change(arith), style, cx);
        }
        MetaRequest::Debug(debug) => {
            let verb = Verb::Get(Fetch::Inspect);
            let style = style(&Flags::NONE, &debug.key, cx.times());
            submit(conn, &debug.key, verb, style, cx);
        }
        MetaRequest::Error { reply, swallow } => {
            cx.tally.count_other();
            conn.reply(reply, cx);
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
    cx.tally.count(Kind::of(&verb), 1, key);
    conn.submit(&Op { key, hash, verb }, &Style::Meta(style), cx);
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
        ..style(&request.flags, &request.key, cx.times())
    };
    let command = StoreCommand {
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
    match storing::take(conn, &command, data, cx) {
        Taken::Done(used) => Step::Used(line + used),
        Taken::Begun => Step::Used(line),
        Taken::Incomplete => Step::Incomplete,
    }
}
