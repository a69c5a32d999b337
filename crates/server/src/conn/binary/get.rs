//! GET, GETQ, GETK, GETKQ, and runs of them in a pipeline, which is how a multi-get looks in this protocol.

use corecached_protocol::binary::{self, BinaryRequest, Head, Parsed};

use crate::conn::ahead::{self, Get};
use crate::conn::steps::Step;
use crate::conn::{Conn, Cx};
use crate::op::ReplyStyle;

use super::log_request;

/// Answers a get, and those that follow it in `bytes`.
#[inline]
pub(super) fn run(
    conn: &mut Conn,
    key: &[u8],
    head: Head,
    used: usize,
    bytes: &[u8],
    cx: &mut Cx<'_>,
) -> Step {
    let first = Get {
        key,
        reply: ReplyStyle::Binary(head),
        bytes: used,
    };
    ahead::run(conn, first, bytes, next, cx)
}

fn next<'b>(conn: &Conn, bytes: &'b [u8], _: &Cx<'_>) -> Option<Get<'b>> {
    let Parsed::Packet {
        consumed,
        head,
        request: BinaryRequest::Get { key, .. },
    } = binary::parse(bytes)
    else {
        return None;
    };
    log_request(conn, head);
    Some(Get {
        key,
        reply: ReplyStyle::Binary(head),
        bytes: consumed,
    })
}
