//! Binary requests. Each function appends one packet to `out`; `opaque` comes back with its reply.

use crate::KEY_BYTES_MAX;
use crate::wire::Piece;
use corecached_protocol::binary::{CREATE_NOTHING, HEADER_BYTES, Opcode, REQUEST_MAGIC};

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
    let mut extras = [0; 8];
    extras[..4].copy_from_slice(&client_flags.to_be_bytes());
    extras[4..].copy_from_slice(&exptime.to_be_bytes());
    packet(out, opcode, opaque, cas, &extras, key, value);
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
    let (initial, exptime) = create.unwrap_or((0, CREATE_NOTHING));
    let mut extras = [0; 20];
    extras[..8].copy_from_slice(&delta.to_be_bytes());
    extras[8..16].copy_from_slice(&initial.to_be_bytes());
    extras[16..].copy_from_slice(&exptime.to_be_bytes());
    packet(out, opcode, opaque, 0, &extras, key, b"");
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
    let mut header = [0; HEADER_BYTES];
    header[0] = REQUEST_MAGIC;
    header[1] = opcode as u8;
    header[2..4].copy_from_slice(&(key.length() as u16).to_be_bytes());
    header[4] = extras.len() as u8;
    header[8..12].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    header[12..16].copy_from_slice(&opaque.to_be_bytes());
    header[16..].copy_from_slice(&cas.to_be_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(extras);
    key.append(out);
    value.append(out);
}
