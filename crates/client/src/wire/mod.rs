//! The protocols as a client speaks them: requests to bytes, bytes to replies. No sockets, no clock, no allocation.
//!
//! ```text
//!   text::get(&mut out, key)                 ->  "get key\r\n"
//!   meta::Command::get(&mut out, key) ...    ->  "mg key v\r\n"
//!   binary::keyed(&mut out, Opcode::Get, ..) ->  24 bytes and the key
//!
//!   "VALUE key 0 5\r\nhello\r\nEND\r\n"      ->  line::ReplyParser    ->  Value(header), Data { "hello", last }, Reply(End)
//!   "VA 5 c7\r\nhello\r\n"                   ->  line::ReplyParser    ->  MetaValue { .. }, Data { "hello", last }
//!   0x81 ...                                 ->  binary::ReplyParser  ->  Hit { .. }, Data { "hello", last }
//! ```
//!
//! A parser is given the received bytes that are not used yet. It returns the part at their beginning and the number of
//! its bytes. [`Carry`] feeds a parser from separate receive buffers, and copies only the parts that lie across the end
//! of a buffer.
//!
//! The grammar that both sides of the wire share (words, numbers, headers, opcodes, base64) is `corecached_protocol`'s.

pub mod binary;
mod carry;
pub mod line;
pub mod meta;
mod step;
pub mod text;

pub use carry::{Carry, Parse};
pub use step::Step;

/// A key or a value that is put into a request. Slices and strings are pieces; so is any type that knows its length and
/// can append itself, even if its bytes do not exist before.
///
/// ```
/// use corecached_client::wire::{Piece, text};
///
/// /// The key `user:` and a number of eight digits.
/// struct UserKey(u32);
///
/// impl Piece for UserKey {
///     fn length(&self) -> usize {
///         "user:".len() + 8
///     }
///     fn append(&self, out: &mut Vec<u8>) {
///         out.extend_from_slice(format!("user:{:08}", self.0).as_bytes());
///     }
/// }
///
/// let mut out = Vec::new();
/// text::get(&mut out, UserKey(7));
/// assert_eq!(out, b"get user:00000007\r\n");
/// ```
pub trait Piece {
    /// How many bytes [`Piece::append`] appends.
    fn length(&self) -> usize;

    /// Appends the bytes.
    fn append(&self, out: &mut Vec<u8>);
}

impl<T: AsRef<[u8]> + ?Sized> Piece for &T {
    #[inline]
    fn length(&self) -> usize {
        self.as_ref().len()
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_ref());
    }
}

/// A piece of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPiece<'a> {
    /// The bytes; empty only in the last piece of a line protocol's value.
    pub bytes: &'a [u8],
    /// Whether the value ends here; its line end has been consumed with it.
    pub last: bool,
}

/// Appends a key, which must be one that the line protocols can carry: 1 to 250 bytes, no space, no control bytes. The
/// caller has to ensure this ([`is_plain`](crate::key::is_plain)); it is asserted in debug builds only.
#[inline]
fn push_key(out: &mut Vec<u8>, key: impl Piece) {
    let start = out.len();
    key.append(out);
    debug_assert!(
        crate::key::is_plain(&out[start..]),
        "not a key: {:?}",
        out[start..].escape_ascii().to_string()
    );
}
