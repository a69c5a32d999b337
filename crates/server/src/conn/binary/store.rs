//! SET, ADD, REPLACE, APPEND, PREPEND and their quiet forms.

use corecached_engine::StoreRefusal;
use corecached_protocol::binary::{BinaryStore, Head};

use crate::conn::step::Step;
use crate::conn::store_command::StoreCommand;
use crate::conn::storing::{self, Taken};
use crate::conn::{Conn, Cx};
use crate::wire::Style;
use crate::wire::request::binary::{extras, mode};

/// Works on a storage packet; `data` are the bytes received behind its key.
pub(super) fn store(
    conn: &mut Conn,
    head: Head,
    request: &BinaryStore<'_>,
    data: &[u8],
    used: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let command = StoreCommand {
        key: request.key,
        hash: cx.hash(request.key),
        mode: mode(head, request, cx.shared.globals.config.cas_enabled),
        client_flags: request.client_flags,
        deadline: cx.times().deadline(request.exptime),
        extras: extras(head, request, cx.shared.globals.config.cas_enabled),
        value_bytes: request.value_bytes as usize,
        line_end: b"",
        style: Style::Binary(head),
        reports_malformed: false,
    };
    let engine = &cx.access.engine;
    if engine.is_too_large(request.key.len(), command.value_bytes, request.client_flags) {
        // This differs from an append whose result becomes too large: that is "Not stored.".
        let missing = command.value_bytes;
        storing::refuse(conn, &command, missing, StoreRefusal::TooLarge, cx);
        return Step::Used(used);
    }
    match storing::take(conn, &command, data, cx) {
        Taken::Done(value) => Step::Used(used + value),
        Taken::Begun => Step::Used(used),
        Taken::Incomplete => Step::Incomplete,
    }
}
