//! The six storage commands.

use corecached_engine::StoreExtras;
use corecached_protocol::text::StoreRequest;

use crate::conn::step::Step;
use crate::conn::store_command::StoreCommand;
use crate::conn::storing::{self, Taken};
use crate::conn::{Conn, Cx};
use crate::wire::{Style, request};

/// Executes a storage command; `data` are the bytes received behind its line.
pub(super) fn store(
    conn: &mut Conn,
    request: &StoreRequest<'_>,
    data: &[u8],
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let command = StoreCommand {
        key: request.key,
        hash: cx.hash(request.key),
        mode: request::text::store_mode(request),
        client_flags: request.client_flags,
        deadline: cx.times().deadline(request.exptime),
        extras: StoreExtras::default(),
        value_bytes: request.value_bytes as usize,
        line_end: storing::LINE_END,
        style: Style::text_unless(request.noreply),
        reports_malformed: false,
    };
    match storing::take(conn, &command, data, cx) {
        Taken::Done(used) => Step::Used(line + used),
        Taken::Begun => Step::Used(line),
        Taken::Incomplete => Step::Incomplete,
    }
}
