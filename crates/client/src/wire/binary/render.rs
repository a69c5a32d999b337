//! Binary requests. Each function appends one packet to `out`; `opaque` comes back with its reply.

use crate::KEY_BYTES_MAX;
use crate::wire::Piece;
use corecached_protocol::binary::{ArithExtras, Head, Header, Opcode, REQUEST_MAGIC, StoreExtras};

/// A packet with a key and nothing else: GET and its kin, DELETE (with the cas unique to compare with, or 0), STAT.
#[inline]
pub fn keyed(out: &mut Vec<u8>, opcode: Opcode, opaque: u32, key: impl Piece, cas: u64) {
    packet(out, opcode, opaque, cas, b"", key, b"");
}

/// GAT and its kin, and TOUCH.
#[inline]
pub fn touch(out: &mut Vec<u8>, opcode: Opcode, opaque: u32, key: impl Piece, exptime: u32) {
    packet(out, opcode, opaque, 0, &exptime.to_be_bytes(), key, b"");
}

/// SET, ADD, REPLACE and their quiet forms. A `cas` other than 0 is compared with.
#[inline]
pub fn store(
    out: &mut Vec<u8>,
    opcode: Opcode,
    opaque: u32,
    key: impl Piece,
    (client_flags, exptime, cas): (u32, u32, u64),
    value: impl Piece,
) {
    let extras = StoreExtras {
        client_flags,
        exptime,
    };
    packet(out, opcode, opaque, cas, &extras.bytes(), key, value);
}

/// APPEND, PREPEND and their quiet forms; SASL auth and SASL step with the mechanism as the key.
#[inline]
pub fn with_value(
    out: &mut Vec<u8>,
    opcode: Opcode,
    opaque: u32,
    key: impl Piece,
    cas: u64,
    value: impl Piece,
) {
    packet(out, opcode, opaque, cas, b"", key, value);
}

/// INCR, DECR and their quiet forms. `create` is the number and the exptime of the item that a miss creates.
#[inline]
pub fn arith(
    out: &mut Vec<u8>,
    opcode: Opcode,
    opaque: u32,
    key: impl Piece,
    delta: u64,
    create: Option<(u64, u32)>,
) {
    let extras = ArithExtras { delta, create };
    packet(out, opcode, opaque, 0, &extras.bytes(), key, b"");
}

/// FLUSH and FLUSHQ.
pub fn flush(out: &mut Vec<u8>, opcode: Opcode, opaque: u32, delay: Option<u32>) {
    match delay {
        Some(delay) => packet(out, opcode, opaque, 0, &delay.to_be_bytes(), b"", b""),
        None => bare(out, opcode, opaque),
    }
}

/// A header and nothing else: NOOP, VERSION, QUIT, STAT, SASL list.
#[inline]
pub fn bare(out: &mut Vec<u8>, opcode: Opcode, opaque: u32) {
    packet(out, opcode, opaque, 0, b"", b"", b"");
}

#[inline]
fn packet(
    out: &mut Vec<u8>,
    opcode: Opcode,
    opaque: u32,
    cas: u64,
    extras: &[u8],
    key: impl Piece,
    value: impl Piece,
) {
    debug_assert!(
        key.length() <= KEY_BYTES_MAX,
        "{} bytes are no key",
        key.length()
    );
    let body_bytes = extras.len() + key.length() + value.length();
    let header = Header {
        magic: REQUEST_MAGIC,
        head: Head {
            opcode: opcode as u8,
            opaque,
        },
        status: 0,
        extras_bytes: extras.len() as u8,
        key_bytes: key.length() as u16,
        body_bytes: body_bytes as u32,
        cas,
    };
    out.extend_from_slice(&header.bytes());
    out.extend_from_slice(extras);
    key.append(out);
    value.append(out);
}
