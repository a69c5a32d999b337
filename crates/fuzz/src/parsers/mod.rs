//! One target for each protocol and side of the wire: takes any bytes, panics when what is parsed is not as it should
//! be.
//!
//! What all request parsers promise:
//!
//! ```text
//!   consumed    never 0, never more than there is; what follows does not matter
//!   cut         a part of a request is "incomplete" at every length, the whole is the whole
//!   slices      lie inside the buffer; keys have 1 to 250 bytes
//!   round trip  a request that a client writes again parses to the same request
//! ```

pub mod binary;
pub mod client;
pub mod meta;
pub mod text;

use corecached_protocol::KEY_BYTES_MAX;

/// Lengths at which a request of `whole` bytes is cut: all of a short one, a sample of a long one.
fn cuts(whole: usize) -> impl Iterator<Item = usize> {
    let step = (whole / 64).max(1);
    let tail = whole.saturating_sub(32);
    (0..tail).step_by(step).chain(tail..whole)
}

/// A key of the text protocols: of the right length, inside `buf`, one word.
fn check_text_key(key: &[u8], buf: &[u8]) {
    check_key(key, buf);
    assert!(!key.contains(&b' ') && !key.contains(&b'\n'), "{key:?}");
}

fn check_key(key: &[u8], buf: &[u8]) {
    assert!((1..=KEY_BYTES_MAX).contains(&key.len()), "{key:?}");
    assert_inside(key, buf);
}

/// Nothing was copied, and nothing was made up.
fn assert_inside(part: &[u8], buf: &[u8]) {
    let (part, buf) = (part.as_ptr_range(), buf.as_ptr_range());
    assert!(buf.start <= part.start && part.end <= buf.end);
}

/// Whether a client may send `key` as a word. (A server takes control bytes, clients do not send them.)
fn is_sendable(key: &[u8]) -> bool {
    !key.iter().any(|&byte| byte <= b' ' || byte == 0x7f)
}
