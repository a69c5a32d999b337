//! GET, GETQ, GETK, GETKQ, and runs of them in a pipeline. Such a run is a multi-get in this protocol.

use corecached_protocol::binary::{self, BinaryRequest, Parsed};

use crate::conn::ahead::Get;
use crate::conn::{Conn, Cx};
use crate::wire::Style;

use super::answer::log_request;

/// The get that `bytes` begins with, if it begins with one.
pub(super) fn next<'b>(conn: &Conn, bytes: &'b [u8], _: &Cx<'_>) -> Option<Get<'b>> {
    let Parsed::Packet {
        consumed,
        head,
        request: BinaryRequest::Get { key, .. },
    } = binary::parse(bytes)
    else {
        return None;
    };
    log_request(conn, head);
    Some(Get::new(key, Style::Binary(head), consumed))
}
