//! `delete <key> [noreply]`. Words between the two are ignored, among them the `0` of old clients.

use super::request::Request;
use crate::words::{Words, wants_no_reply};
use crate::{KEY_BYTES_MAX, reply};

/// Parses what follows the command word. `delete noreply` deletes the key `noreply`, silently.
pub(super) fn parse(rest: &[u8]) -> Request<'_> {
    let Some(key) = Words::new(rest).next() else {
        return Request::error(reply::BAD_FORMAT);
    };
    let noreply = wants_no_reply(rest);
    if key.len() > KEY_BYTES_MAX {
        return Request::error_unless(noreply, reply::BAD_FORMAT);
    }
    Request::Delete { key, noreply }
}
