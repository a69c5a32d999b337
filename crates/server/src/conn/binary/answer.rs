//! Replies that packets of every kind may get, and what `-vv` shows of packets.

use corecached_protocol::binary::{Head, Opcode, Status, reply};
use tracing::debug;

use crate::conn::step::Step;
use crate::conn::{Conn, Cx};
use crate::dialogue;

/// `-vv` shows every request.
#[inline]
pub(super) fn log_request(conn: &Conn, head: Head) {
    if dialogue::is_shown() {
        debug!(
            "<{} binary {:?} opaque {:#x}",
            conn.raw_fd(),
            Opcode::from_byte(head.opcode),
            head.opaque
        );
    }
}

/// Answers with an error; closes the connection if the stream cannot be trusted after this error.
pub(super) fn fail(
    conn: &mut Conn,
    head: Head,
    status: Status,
    used: usize,
    close: bool,
    cx: &mut Cx<'_>,
) -> Step {
    conn.tell(cx, |out| reply::error(&mut out.bytes, head, status));
    if close { Step::Close } else { Step::Used(used) }
}
