//! `incr <key> <delta> [noreply]` and `decr <key> <delta> [noreply]`.

use super::request::Request;
use crate::meta::ArithMode;
use crate::number::strict_u64;
use crate::words::{Words, wants_no_reply};
use crate::{KEY_BYTES_MAX, reply};

/// Parses what follows the command word.
pub(super) fn parse(mode: ArithMode, rest: &[u8]) -> Request<'_> {
    let mut words = Words::new(rest);
    let (Some(key), Some(delta)) = (words.next(), words.next()) else {
        return Request::error(reply::BAD_FORMAT);
    };
    let noreply = wants_no_reply(rest);
    if key.len() > KEY_BYTES_MAX {
        return Request::error_unless(noreply, reply::BAD_FORMAT);
    }
    match strict_u64(delta) {
        Some(delta) => Request::Arith {
            key,
            incr: mode == ArithMode::Incr,
            delta,
            noreply,
        },
        None => Request::error_unless(noreply, reply::INVALID_DELTA),
    }
}
