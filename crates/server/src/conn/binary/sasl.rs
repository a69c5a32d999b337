//! SASL list, auth and step (`-S`). PLAIN is the only mechanism. Its one message comes with auth or, if auth came
//! without a message, with step.
//!
//! ```text
//!   AUTH PLAIN message -> 0 Authenticated, or 0x20
//!   AUTH PLAIN         -> 0x21; STEP PLAIN message -> 0 Authenticated, or 0x20
//! ```
//!
//! As in memcached, each of the three packets undoes an earlier authentication of its connection.

use corecached_protocol::binary::{
    BinaryRequest, Head, MECHANISM_BYTES_MAX, Opcode, Status, reply,
};

use crate::auth::plain;
use crate::conn::auth_state::AuthState;
use crate::conn::step::Step;
use crate::conn::{Conn, Cx};

use super::answer::fail;

/// Longest message; a longer one is answered as if there were no memory for it.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Whether a packet is answered without authentication.
pub(super) fn is_open(head: Head, request: &BinaryRequest<'_>) -> bool {
    let open = [
        Opcode::Version,
        Opcode::SaslList,
        Opcode::SaslAuth,
        Opcode::SaslStep,
    ];
    // Lengths that contradict each other are an error before anything else is looked at.
    let nonsense = matches!(
        request,
        BinaryRequest::Error {
            status: Status::UnknownCommand,
            close: true,
            ..
        }
    );
    nonsense || Opcode::from_byte(head.opcode).is_some_and(|opcode| open.contains(&opcode))
}

/// Works on one of the three packets; `data` are the bytes received behind its key.
pub(super) fn command(
    conn: &mut Conn,
    head: Head,
    request: &BinaryRequest<'_>,
    data: &[u8],
    used: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let (mechanism, value_bytes) = match *request {
        BinaryRequest::SaslAuth {
            mechanism,
            value_bytes,
        }
        | BinaryRequest::SaslStep {
            mechanism,
            value_bytes,
        } => (mechanism, value_bytes as usize),
        _ => return list(conn, head, used, cx),
    };
    let refusal = if cx.shared.admission.auth.is_none() {
        Some(Status::UnknownCommand)
    } else if mechanism.len() > MECHANISM_BYTES_MAX {
        Some(Status::Invalid)
    } else if value_bytes > MESSAGE_BYTES_MAX {
        Some(Status::OutOfMemory)
    } else {
        None
    };
    if let Some(status) = refusal {
        conn.swallow(value_bytes);
        return fail(conn, head, status, Step::Used(used), cx);
    }
    let Some(message) = data.get(..value_bytes) else {
        return Step::Incomplete;
    };
    let status = match request {
        BinaryRequest::SaslAuth { .. } => begin(conn, mechanism, message, cx),
        _ => go_on(conn, message, cx),
    };
    cx.tally.count_other();
    conn.reply_with(cx, |out| match status {
        Status::Ok => reply::body(&mut out.bytes, head, status, reply::AUTHENTICATED),
        status => reply::error(&mut out.bytes, head, status),
    });
    Step::Used(used + value_bytes)
}

fn list(conn: &mut Conn, head: Head, used: usize, cx: &mut Cx<'_>) -> Step {
    if cx.shared.admission.auth.is_none() {
        return fail(conn, head, Status::UnknownCommand, Step::Used(used), cx);
    }
    if conn.is_admitted() {
        conn.auth = AuthState::Needed;
    }
    cx.tally.count_other();
    conn.reply_with(cx, |out| {
        reply::body(&mut out.bytes, head, Status::Ok, plain::MECHANISM);
    });
    Step::Used(used)
}

fn begin(conn: &mut Conn, mechanism: &[u8], message: &[u8], cx: &Cx<'_>) -> Status {
    let known = mechanism.eq_ignore_ascii_case(plain::MECHANISM);
    if known && message.is_empty() {
        conn.auth = AuthState::UnderWay;
        return Status::AuthContinue;
    }
    finish(conn, Some(message).filter(|_| known), cx)
}

fn go_on(conn: &mut Conn, message: &[u8], cx: &Cx<'_>) -> Status {
    let started = conn.auth == AuthState::UnderWay;
    finish(conn, Some(message).filter(|_| started), cx)
}

/// Ends an exchange with its message; `None` is a message that was missing or could not be taken.
fn finish(conn: &mut Conn, message: Option<&[u8]>, cx: &Cx<'_>) -> Status {
    if conn.authenticate(message.and_then(plain::parse), cx) {
        Status::Ok
    } else {
        Status::AuthError
    }
}
