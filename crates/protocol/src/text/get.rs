//! `get <key>+`, `gets <key>+`, `gat <exptime> <key>+`, `gats <exptime> <key>+`.

use super::number::strict_i32;
use super::request::Request;
use super::tokens::{Keys, Tokens};
use crate::reply;

/// Parses what follows `get` or `gets`. One key that is too long makes the whole line an error.
#[inline]
pub(super) fn parse_get(rest: &[u8], with_cas: bool) -> Request<'_> {
    match Keys::new(rest) {
        Some(keys) => Request::Get { keys, with_cas },
        None => Request::error(reply::BAD_FORMAT),
    }
}

/// Parses what follows `gat` or `gats`.
pub(super) fn parse_gat(rest: &[u8], with_cas: bool) -> Request<'_> {
    let mut words = Tokens::new(rest);
    let Some(exptime) = words.next() else {
        return Request::error(reply::BAD_FORMAT);
    };
    let keys = words.rest();
    if keys.is_empty() {
        return Request::error(reply::BAD_FORMAT);
    }
    let Some(exptime) = strict_i32(exptime) else {
        return Request::error(reply::INVALID_EXPTIME);
    };
    match Keys::new(keys) {
        Some(keys) => Request::GetAndTouch {
            exptime,
            keys,
            with_cas,
        },
        None => Request::error(reply::BAD_FORMAT),
    }
}
