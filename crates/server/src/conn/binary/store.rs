//! SET, ADD, REPLACE, APPEND, PREPEND and their quiet forms.

use corecached_engine::{StoreExtras, StoreMode};
use corecached_protocol::binary::{BinaryStore, Head, Opcode};
use corecached_protocol::text::StoreVerb;

use crate::cell::op::Refusal;
use crate::conn::announced::Announced;
use crate::conn::step::Step;
use crate::conn::storing::{self, Taken};
use crate::conn::{Conn, Cx};
use crate::dialect::Style;

use super::deadline;

/// Works on a storage packet; `data` are the bytes received behind its key.
pub(super) fn store(
    conn: &mut Conn,
    head: Head,
    request: &BinaryStore<'_>,
    data: &[u8],
    used: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let announced = Announced {
        key: request.key,
        hash: cx.hash(request.key),
        mode: mode(head, request, cx.shared.ground.config.cas_enabled),
        client_flags: request.client_flags,
        deadline: deadline(request.exptime, cx),
        extras: extras(head, request, cx.shared.ground.config.cas_enabled),
        value_bytes: request.value_bytes as usize,
        line_end: b"",
        style: Style::Binary(head),
        reports_malformed: false,
    };
    let engine = &cx.access.engine;
    if engine.is_too_large(
        request.key.len(),
        announced.value_bytes,
        request.client_flags,
    ) {
        // This differs from an append whose result becomes too large: that is "Not stored.".
        let missing = announced.value_bytes;
        storing::refuse(conn, &announced, missing, Refusal::TooLarge, cx);
        return Step::Used(used);
    }
    match storing::take(conn, &announced, data, cx) {
        Taken::Done(value) => Step::Used(used + value),
        Taken::Begun => Step::Used(used),
        Taken::Incomplete => Step::Incomplete,
    }
}

fn extras(head: Head, request: &BinaryStore<'_>, cas_enabled: bool) -> StoreExtras {
    StoreExtras {
        compare: (cas_enabled && request.cas != 0).then_some(request.cas),
        // A SET with a cas unique counts as a SET here.
        drops_old: matches!(
            Opcode::from_byte(head.opcode),
            Some(Opcode::Set | Opcode::SetQ)
        ),
        ..StoreExtras::default()
    }
}

fn mode(head: Head, request: &BinaryStore<'_>, cas_enabled: bool) -> StoreMode {
    match request.verb {
        StoreVerb::Cas if cas_enabled => StoreMode::Cas(request.cas),
        StoreVerb::Append => StoreMode::Append,
        StoreVerb::Prepend => StoreMode::Prepend,
        // Without cas uniques (`-C`) there is none to compare with; memcached then goes by the name of the opcode.
        _ => match Opcode::from_byte(head.opcode) {
            Some(Opcode::Add | Opcode::AddQ) => StoreMode::Add,
            Some(Opcode::Replace | Opcode::ReplaceQ) => StoreMode::Replace,
            _ => StoreMode::Set,
        },
    }
}
