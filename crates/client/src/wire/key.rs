//! Keys on the wire: which ones the line protocols can carry.

use super::piece::Piece;
use corecached_protocol::KEY_BYTES_MAX;
use corecached_protocol::meta::encoded_bytes;

/// Longest key that can be sent in base64.
pub const BASE64_KEY_BYTES_MAX: usize = KEY_BYTES_MAX / 4 * 3;
const _: () = assert!(encoded_bytes(BASE64_KEY_BYTES_MAX) <= KEY_BYTES_MAX);
const _: () = assert!(encoded_bytes(BASE64_KEY_BYTES_MAX + 1) > KEY_BYTES_MAX);

/// Whether `key` may stand in a command line: 1 to 250 bytes, none of them a space or a control byte.
#[must_use]
pub fn is_plain(key: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
        && !key.iter().any(|&byte| byte <= b' ' || byte == 0x7f)
}

/// Appends a key, which must be one that the line protocols can carry: 1 to 250 bytes, no space, no control bytes. The
/// caller has to ensure this ([`is_plain`]); it is asserted in debug builds only.
#[inline]
pub(super) fn push_key(out: &mut Vec<u8>, key: impl Piece) {
    let start = out.len();
    key.append(out);
    debug_assert!(
        is_plain(&out[start..]),
        "not a key: {:?}",
        out[start..].escape_ascii().to_string()
    );
}
