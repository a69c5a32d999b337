//! Reply packets. Each function appends one, or the part of one before its value, to `out`.

use super::header::{Head, Header, REPLY_MAGIC};
use super::status::Status;

/// Answer to a successful SASL authentication.
pub const AUTHENTICATED: &[u8] = b"Authenticated";

/// Lengths of the three parts of a body.
struct Lengths {
    extras: u8,
    key: usize,
    value: usize,
}

/// Success without a body: stores (with the new cas unique), deletions, flushes and noops (0), the end of statistics.
#[inline]
pub fn done(out: &mut Vec<u8>, head: Head, cas: u64) {
    header(
        out,
        head,
        Status::Ok,
        &Lengths {
            extras: 0,
            key: 0,
            value: 0,
        },
        cas,
    );
}

/// An error with its text.
pub fn error(out: &mut Vec<u8>, head: Head, status: Status) {
    body(out, head, status, status.text());
}

/// Success or an authentication that goes on, with bytes: a version, the list of mechanisms, a challenge.
pub fn body(out: &mut Vec<u8>, head: Head, status: Status, bytes: &[u8]) {
    header(
        out,
        head,
        status,
        &Lengths {
            extras: 0,
            key: 0,
            value: bytes.len(),
        },
        0,
    );
    out.extend_from_slice(bytes);
}

/// A hit of any fetch, up to its value, which follows. `key` is given for those that return it, else empty.
#[inline]
pub fn hit(
    out: &mut Vec<u8>,
    head: Head,
    key: &[u8],
    client_flags: u32,
    value_bytes: usize,
    cas: u64,
) {
    header(
        out,
        head,
        Status::Ok,
        &Lengths {
            extras: 4,
            key: key.len(),
            value: value_bytes,
        },
        cas,
    );
    out.extend_from_slice(&client_flags.to_be_bytes());
    out.extend_from_slice(key);
}

/// A hit of TOUCH: as a fetch of nothing.
pub fn touched(out: &mut Vec<u8>, head: Head, client_flags: u32, cas: u64) {
    hit(out, head, b"", client_flags, 0, cas);
}

/// A miss of a fetch that returns the key: the key takes the place of the text. (Other misses are an [`error`].)
pub fn miss_with_key(out: &mut Vec<u8>, head: Head, key: &[u8]) {
    header(
        out,
        head,
        Status::NotFound,
        &Lengths {
            extras: 0,
            key: key.len(),
            value: 0,
        },
        0,
    );
    out.extend_from_slice(key);
}

/// The number after INCR or DECR.
pub fn number(out: &mut Vec<u8>, head: Head, value: u64, cas: u64) {
    header(
        out,
        head,
        Status::Ok,
        &Lengths {
            extras: 0,
            key: 0,
            value: 8,
        },
        cas,
    );
    out.extend_from_slice(&value.to_be_bytes());
}

/// One statistic; after the last one comes [`done`].
pub fn stat(out: &mut Vec<u8>, head: Head, name: &[u8], value: &[u8]) {
    stat_begin(out, head, name, value.len());
    out.extend_from_slice(value);
}

/// The beginning of a statistic, behind which the `value_bytes` bytes of its value are to follow.
pub fn stat_begin(out: &mut Vec<u8>, head: Head, name: &[u8], value_bytes: usize) {
    header(
        out,
        head,
        Status::Ok,
        &Lengths {
            extras: 0,
            key: name.len(),
            value: value_bytes,
        },
        0,
    );
    out.extend_from_slice(name);
}

#[inline]
fn header(out: &mut Vec<u8>, head: Head, status: Status, lengths: &Lengths, cas: u64) {
    let body_bytes = usize::from(lengths.extras) + lengths.key + lengths.value;
    debug_assert!(lengths.key <= usize::from(u16::MAX) && u32::try_from(body_bytes).is_ok());
    let header = Header {
        magic: REPLY_MAGIC,
        head,
        status: status as u16,
        extras_bytes: lengths.extras,
        key_bytes: lengths.key as u16,
        body_bytes: body_bytes as u32,
        cas,
    };
    out.extend_from_slice(&header.bytes());
}
