//! `flush_all [delay] [noreply]`.

use super::request::Request;
use crate::number::strict_i32;
use crate::words::{Words, wants_no_reply};

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> Request<'_> {
    let noreply = wants_no_reply(rest);
    let mut words = Words::new(rest);
    let first = words.next();
    let alone = words.next().is_none();
    match first {
        None => Request::FlushAll {
            exptime: None,
            noreply,
        },
        Some(_) if noreply && alone => Request::FlushAll {
            exptime: None,
            noreply,
        },
        Some(delay) => match strict_i32(delay) {
            Some(exptime) => Request::FlushAll {
                exptime: Some(exptime),
                noreply,
            },
            None => Request::FlushUnreadable { noreply },
        },
    }
}
