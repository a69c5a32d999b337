//! `get <key>+`, `gets <key>+`, `gat <exptime> <key>+`, `gats <exptime> <key>+`.

use super::keys::Keys;
use super::request::Request;
use crate::number::strict_i32;
use crate::reply;
use crate::words::Words;

/// A line whose keys have more bytes than this is not checked here: 8,000 keys take some 50 us, and a line may have far
/// more.
pub const KEYS_BYTES_AT_ONCE_MAX: usize = 16 * 1024;

/// Whether hits carry their cas unique: those of `gets` and `gats`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WithCas {
    No,
    Yes,
}

/// Parses what follows `get` or `gets`. One key that is too long makes the whole line an error.
#[inline]
pub(super) fn parse_get(with_cas: WithCas, rest: &[u8]) -> Request<'_> {
    let with_cas = with_cas == WithCas::Yes;
    if rest.len() > KEYS_BYTES_AT_ONCE_MAX {
        return Request::LongGet {
            keys: rest,
            exptime: None,
            with_cas,
        };
    }
    match Keys::new(rest) {
        Some(keys) => Request::Get { keys, with_cas },
        None => Request::error(reply::BAD_FORMAT),
    }
}

/// Parses what follows `gat` or `gats`.
pub(super) fn parse_gat(with_cas: WithCas, rest: &[u8]) -> Request<'_> {
    let with_cas = with_cas == WithCas::Yes;
    let mut words = Words::new(rest);
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
    if keys.len() > KEYS_BYTES_AT_ONCE_MAX {
        return Request::LongGet {
            keys,
            exptime: Some(exptime),
            with_cas,
        };
    }
    match Keys::new(keys) {
        Some(keys) => Request::GetAndTouch {
            exptime,
            keys,
            with_cas,
        },
        None => Request::error(reply::BAD_FORMAT),
    }
}
