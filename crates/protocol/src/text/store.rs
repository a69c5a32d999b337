//! `set|add|replace|append|prepend <key> <flags> <exptime> <bytes> [noreply]` and
//! `cas <key> <flags> <exptime> <bytes> <cas> [noreply]`.
//!
//! ```text
//!   fewer words, or a bad <bytes>      one error line, nothing is swallowed: the data is read as commands
//!   <bytes> is good, another word bad  one error line, the data block is swallowed
//! ```

use super::request::{Request, StoreRequest, StoreVerb};
use crate::number::{c_i64, c_u64, strict_u64};
use crate::words::{Words, wants_no_reply};
use crate::{KEY_BYTES_MAX, VALUE_BYTES_MAX, reply};

/// Parses what follows the command word.
#[inline]
pub(super) fn parse(verb: StoreVerb, rest: &[u8]) -> Request<'_> {
    let mut words = Words::new(rest);
    let (Some(key), Some(flags), Some(exptime), Some(bytes)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Request::error(reply::BAD_FORMAT);
    };
    let Some(value_bytes) = length(bytes) else {
        return Request::error(reply::BAD_FORMAT);
    };
    let tail = words.rest();
    let noreply = !tail.is_empty() && wants_no_reply(rest);
    match fields(verb, key, flags, exptime, tail) {
        Some((client_flags, exptime, cas)) => Request::Store(StoreRequest {
            verb,
            key,
            client_flags,
            exptime,
            value_bytes,
            cas,
            noreply,
        }),
        None => Request::Error {
            reply: reply::BAD_FORMAT,
            swallow: value_bytes as usize + 2,
            noreply,
            close: false,
        },
    }
}

/// The length of a value that may be announced.
#[inline]
fn length(word: &[u8]) -> Option<u32> {
    let length = u32::try_from(c_i64(word)?).ok()?;
    (length <= VALUE_BYTES_MAX).then_some(length)
}

/// Client flags, exptime and cas unique; `None` if one of these or the key is malformed.
#[inline]
fn fields(
    verb: StoreVerb,
    key: &[u8],
    flags: &[u8],
    exptime: &[u8],
    tail: &[u8],
) -> Option<(u32, i32, u64)> {
    if key.len() > KEY_BYTES_MAX {
        return None;
    }
    // Client flags and exptime are cut to 32 bits without complaint, as memcached's C conversions do.
    let client_flags = c_u64(flags)? as u32;
    let exptime = c_i64(exptime)? as i32;
    let cas = match verb {
        StoreVerb::Cas => strict_u64(Words::new(tail).next()?)?,
        _ => 0,
    };
    Some((client_flags, exptime, cas))
}
