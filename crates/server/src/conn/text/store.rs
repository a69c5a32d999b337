//! The six storage commands: small values with their line, large ones straight into slab memory.

use corecached_engine::{KeyHash, Reserve, StoreMode, StoreOutcome};
use corecached_protocol::reply;
use corecached_protocol::text::{StoreRequest, StoreVerb};

use crate::conn::upload::{Progress, Upload};
use crate::conn::{Conn, Cx, Phase, Stop};
use crate::op::{Op, Refusal, Verb};

use super::{Step, deadline, say_unless};

/// Values up to this size are kept with their command line until they are whole; larger ones go to slab memory at once.
const VALUE_BYTES_KEPT: usize = 4096;

/// A storage command; `data` is what has come after its line.
pub(super) fn store(
    conn: &mut Conn,
    request: &StoreRequest<'_>,
    data: &[u8],
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let value_bytes = request.value_bytes as usize;
    let hash = Conn::hash(cx, request.key);
    let mode = store_mode(request);
    if data.len() >= value_bytes + reply::CRLF.len() {
        let (value, line_end) = data[..value_bytes + reply::CRLF.len()].split_at(value_bytes);
        if line_end == reply::CRLF {
            let verb = Verb::Store {
                mode,
                client_flags: request.client_flags,
                deadline: deadline(request.exptime, cx),
                value,
            };
            conn.submit(
                &Op {
                    key: request.key,
                    hash,
                    verb,
                    quiet: request.noreply,
                },
                cx,
            );
        } else {
            say_unless(conn, request.noreply, reply::BAD_DATA_CHUNK, cx);
        }
        return Step::Used(line + value_bytes + reply::CRLF.len());
    }
    if value_bytes <= VALUE_BYTES_KEPT {
        return Step::Incomplete;
    }
    begin_upload(conn, request, hash, mode, cx);
    Step::Used(line)
}

fn begin_upload(
    conn: &mut Conn,
    request: &StoreRequest<'_>,
    hash: KeyHash,
    mode: StoreMode,
    cx: &mut Cx<'_>,
) {
    let value_bytes = request.value_bytes as usize;
    let deadline = deadline(request.exptime, cx);
    let reserve = Reserve {
        key: request.key,
        hash,
        client_flags: request.client_flags,
        deadline,
        value_bytes,
    };
    let staged = match cx.access.engine.reserve(&reserve, cx.access.now) {
        Ok(staged) => staged,
        Err(outcome) => {
            let why = if outcome == StoreOutcome::TooLarge {
                Refusal::TooLarge
            } else {
                Refusal::NoMemory
            };
            conn.submit(
                &Op {
                    key: request.key,
                    hash,
                    verb: Verb::Refuse { mode, why },
                    quiet: request.noreply,
                },
                cx,
            );
            conn.phase = Phase::Swallow((value_bytes + reply::CRLF.len()) as u64);
            return;
        }
    };
    conn.phase = Phase::Value(Box::new(Upload {
        staged,
        key: request.key.into(),
        hash,
        mode,
        client_flags: request.client_flags,
        deadline,
        quiet: request.noreply,
        missing: value_bytes,
        line_end: 0,
        well_formed: true,
    }));
}

/// More of a large value has come.
pub(super) fn value(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    let Phase::Value(upload) = &mut conn.phase else {
        return Step::Incomplete;
    };
    let (used, progress) = upload.feed(bytes, &mut cx.access);
    if progress == Progress::Incomplete {
        return Step::UsedAll(used, Stop::Dry);
    }
    let Phase::Value(upload) = std::mem::take(&mut conn.phase) else {
        return Step::Incomplete;
    };
    if progress == Progress::Complete {
        upload.finish(conn, cx);
    } else {
        say_unless(conn, upload.quiet, reply::BAD_DATA_CHUNK, cx);
        upload.abort(&mut cx.access);
    }
    Step::Used(used)
}

fn store_mode(request: &StoreRequest<'_>) -> StoreMode {
    match request.verb {
        StoreVerb::Set => StoreMode::Set,
        StoreVerb::Add => StoreMode::Add,
        StoreVerb::Replace => StoreMode::Replace,
        StoreVerb::Append => StoreMode::Append,
        StoreVerb::Prepend => StoreMode::Prepend,
        StoreVerb::Cas => StoreMode::Cas(request.cas),
    }
}
