//! Requests to bytes. Each function appends one request to `out`.
//!
//! Keys must be valid: 1 to 250 bytes, no space, no control bytes. That is the caller's to ensure, and is asserted in
//! debug builds only.

use crate::KEY_BYTES_MAX;
use crate::reply::{CRLF, number};
use crate::text::{StoreRequest, StoreVerb};

/// `get <key>`.
#[inline]
pub fn get(out: &mut Vec<u8>, key: &[u8]) {
    word_and_key(out, b"get", key);
    out.extend_from_slice(CRLF);
}

/// `gets <key>`.
#[inline]
pub fn gets(out: &mut Vec<u8>, key: &[u8]) {
    word_and_key(out, b"gets", key);
    out.extend_from_slice(CRLF);
}

/// `get <key>+`; there must be at least one key.
#[inline]
pub fn multi_get<'k>(out: &mut Vec<u8>, keys: impl IntoIterator<Item = &'k [u8]>) {
    many(out, b"get", keys);
}

/// `gets <key>+`; there must be at least one key.
#[inline]
pub fn multi_gets<'k>(out: &mut Vec<u8>, keys: impl IntoIterator<Item = &'k [u8]>) {
    many(out, b"gets", keys);
}

/// `gat <exptime> <key>+`; there must be at least one key.
#[inline]
pub fn gat<'k>(out: &mut Vec<u8>, exptime: i32, keys: impl IntoIterator<Item = &'k [u8]>) {
    out.extend_from_slice(b"gat ");
    number(out, exptime);
    many(out, b"", keys);
}

/// `gats <exptime> <key>+`; there must be at least one key.
#[inline]
pub fn gats<'k>(out: &mut Vec<u8>, exptime: i32, keys: impl IntoIterator<Item = &'k [u8]>) {
    out.extend_from_slice(b"gats ");
    number(out, exptime);
    many(out, b"", keys);
}

/// A storage command with its value, whose length replaces `request.value_bytes`.
#[inline]
pub fn store(out: &mut Vec<u8>, request: &StoreRequest<'_>, value: &[u8]) {
    debug_assert!(
        value.len() <= i32::MAX as usize - 2,
        "the length of a value is a signed 32-bit number"
    );
    store_line(
        out,
        &StoreRequest {
            value_bytes: value.len() as u32,
            ..*request
        },
    );
    out.extend_from_slice(value);
    out.extend_from_slice(CRLF);
}

/// The line of a storage command; `request.value_bytes` of data and `\r\n` must follow.
#[inline]
pub fn store_line(out: &mut Vec<u8>, request: &StoreRequest<'_>) {
    word_and_key(out, request.verb.word(), request.key);
    out.push(b' ');
    number(out, request.client_flags);
    out.push(b' ');
    number(out, request.exptime);
    out.push(b' ');
    number(out, request.value_bytes);
    if request.verb == StoreVerb::Cas {
        out.push(b' ');
        number(out, request.cas);
    }
    end(out, request.noreply);
}

/// `touch <key> <exptime>`.
#[inline]
pub fn touch(out: &mut Vec<u8>, key: &[u8], exptime: i32, noreply: bool) {
    word_and_key(out, b"touch", key);
    out.push(b' ');
    number(out, exptime);
    end(out, noreply);
}

/// `delete <key>`.
#[inline]
pub fn delete(out: &mut Vec<u8>, key: &[u8], noreply: bool) {
    word_and_key(out, b"delete", key);
    end(out, noreply);
}

/// `incr <key> <delta>`.
#[inline]
pub fn incr(out: &mut Vec<u8>, key: &[u8], delta: u64, noreply: bool) {
    arith(out, b"incr", key, delta, noreply);
}

/// `decr <key> <delta>`.
#[inline]
pub fn decr(out: &mut Vec<u8>, key: &[u8], delta: u64, noreply: bool) {
    arith(out, b"decr", key, delta, noreply);
}

/// `flush_all [<delay>]`.
pub fn flush_all(out: &mut Vec<u8>, delay: Option<i32>, noreply: bool) {
    out.extend_from_slice(b"flush_all");
    if let Some(delay) = delay {
        out.push(b' ');
        number(out, delay);
    }
    end(out, noreply);
}

/// `stats [<subcommand>]`.
pub fn stats(out: &mut Vec<u8>, subcommand: &[u8]) {
    out.extend_from_slice(b"stats");
    if !subcommand.is_empty() {
        out.push(b' ');
        out.extend_from_slice(subcommand);
    }
    out.extend_from_slice(CRLF);
}

/// `verbosity <level>`.
pub fn verbosity(out: &mut Vec<u8>, level: u32, noreply: bool) {
    out.extend_from_slice(b"verbosity ");
    number(out, level);
    end(out, noreply);
}

/// `version`.
pub fn version(out: &mut Vec<u8>) {
    out.extend_from_slice(b"version\r\n");
}

/// `mn`: answered with `MN`, after everything before it.
pub fn meta_noop(out: &mut Vec<u8>) {
    out.extend_from_slice(b"mn\r\n");
}

/// `quit`: the server closes.
pub fn quit(out: &mut Vec<u8>) {
    out.extend_from_slice(b"quit\r\n");
}

#[inline]
fn arith(out: &mut Vec<u8>, word: &[u8], key: &[u8], delta: u64, noreply: bool) {
    word_and_key(out, word, key);
    out.push(b' ');
    number(out, delta);
    end(out, noreply);
}

#[inline]
fn many<'k>(out: &mut Vec<u8>, word: &[u8], keys: impl IntoIterator<Item = &'k [u8]>) {
    out.extend_from_slice(word);
    for key in keys {
        debug_assert!(is_valid(key), "not a key: {key:?}");
        out.push(b' ');
        out.extend_from_slice(key);
    }
    out.extend_from_slice(CRLF);
}

#[inline]
fn word_and_key(out: &mut Vec<u8>, word: &[u8], key: &[u8]) {
    debug_assert!(is_valid(key), "not a key: {key:?}");
    out.extend_from_slice(word);
    out.push(b' ');
    out.extend_from_slice(key);
}

#[inline]
fn end(out: &mut Vec<u8>, noreply: bool) {
    out.extend_from_slice(if noreply { b" noreply\r\n" } else { CRLF });
}

/// Whether `key` may stand in a command line.
fn is_valid(key: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
        && !key.iter().any(|&byte| byte <= b' ' || byte == 0x7f)
}
