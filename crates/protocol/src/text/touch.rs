//! `touch <key> <exptime> [noreply]`.

use super::request::Request;
use crate::number::strict_i32;
use crate::words::{Words, wants_no_reply};
use crate::{KEY_BYTES_MAX, reply};

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> Request<'_> {
    let mut words = Words::new(rest);
    let (Some(key), Some(exptime)) = (words.next(), words.next()) else {
        return Request::error(reply::BAD_FORMAT);
    };
    let noreply = wants_no_reply(rest);
    if key.len() > KEY_BYTES_MAX {
        return Request::error_unless(noreply, reply::BAD_FORMAT);
    }
    match strict_i32(exptime) {
        Some(exptime) => Request::Touch {
            key,
            exptime,
            noreply,
        },
        None => Request::error_unless(noreply, reply::INVALID_EXPTIME),
    }
}
