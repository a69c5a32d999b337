//! Replies that packets of every kind may get, and what `-vv` shows of packets.

use corecached_protocol::binary::{BinaryRequest, Head, Opcode, Status, reply};
use tracing::debug;

use crate::conn::step::Step;
use crate::conn::{Conn, Cx};
use crate::verbose;

/// `-vv` shows every request.
#[inline]
pub(super) fn log_request(conn: &Conn, head: Head) {
    if verbose::is_on() {
        debug!(
            "<{} binary {:?} opaque {:#x}",
            conn.raw_fd(),
            Opcode::from_byte(head.opcode),
            head.opaque
        );
    }
}

/// Answers with an error. `then` is the step that follows: the connection is closed if the error leaves the stream in
/// doubt.
pub(super) fn fail(
    conn: &mut Conn,
    head: Head,
    status: Status,
    then: Step,
    cx: &mut Cx<'_>,
) -> Step {
    cx.tally.count_other();
    conn.reply_with(cx, |out| reply::error(&mut out.bytes, head, status));
    then
}

/// Counts the command for `stats latency`, unless that is done where its key or its error is at hand.
pub(super) fn count_other(request: &BinaryRequest<'_>, cx: &mut Cx<'_>) {
    let is_counted_elsewhere = matches!(
        request,
        BinaryRequest::Get { .. }
            | BinaryRequest::GetAndTouch { .. }
            | BinaryRequest::Touch { .. }
            | BinaryRequest::Store(_)
            | BinaryRequest::Delete { .. }
            | BinaryRequest::Arith { .. }
            | BinaryRequest::Error { .. }
            | BinaryRequest::SaslList
            | BinaryRequest::SaslAuth { .. }
            | BinaryRequest::SaslStep { .. }
    );
    if !is_counted_elsewhere {
        cx.tally.count_other();
    }
}
