//! Meta requests, one flag at a time.
//!
//! ```text
//!   Command::get(&mut out, key).letter(b'v').number(b'T', 30).end()   ->   mg key v T30\r\n
//! ```
//!
//! Replies are read by [`line::ReplyParser`](super::line::ReplyParser).

use super::key::{BASE64_KEY_BYTES_MAX, push_key};
use super::piece::Piece;
use corecached_protocol::meta::encode_base64;
use corecached_protocol::reply::{CRLF, number};

pub use corecached_protocol::meta::Flag;

/// A command that is being written: `Command::get(&mut out, key).letter(b'v').number(b'T', 30).end()`.
///
/// The caller has to choose letters that make sense for the command, each at most once.
#[derive(Debug)]
#[must_use = "a command needs its end"]
pub struct Command<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Command<'o> {
    /// `mg <key>`.
    #[inline]
    pub fn get(out: &'o mut Vec<u8>, key: impl Piece) -> Self {
        Self::with_key(out, b"mg ", key)
    }

    /// `ms <key> <bytes>`; end it with [`Command::end_with_value`] and a value of that length.
    #[inline]
    pub fn set(out: &'o mut Vec<u8>, key: impl Piece, value_bytes: usize) -> Self {
        let command = Self::with_key(out, b"ms ", key);
        command.out.push(b' ');
        number(command.out, value_bytes);
        command
    }

    /// `md <key>`.
    #[inline]
    pub fn delete(out: &'o mut Vec<u8>, key: impl Piece) -> Self {
        Self::with_key(out, b"md ", key)
    }

    /// `ma <key>`.
    #[inline]
    pub fn arith(out: &'o mut Vec<u8>, key: impl Piece) -> Self {
        Self::with_key(out, b"ma ", key)
    }

    /// `me <key>`.
    #[inline]
    pub fn debug(out: &'o mut Vec<u8>, key: impl Piece) -> Self {
        Self::with_key(out, b"me ", key)
    }

    /// `mg <key in base64> b`, for a key of any bytes, at most 186 of them.
    pub fn get_base64(out: &'o mut Vec<u8>, key: &[u8]) -> Self {
        Self::with_base64_key(out, b"mg ", key).letter(b'b')
    }

    /// `ms <key in base64> <bytes> b`; as [`Command::set`] otherwise.
    pub fn set_base64(out: &'o mut Vec<u8>, key: &[u8], value_bytes: usize) -> Self {
        let command = Self::with_base64_key(out, b"ms ", key);
        command.out.push(b' ');
        number(command.out, value_bytes);
        command.letter(b'b')
    }

    /// `md <key in base64> b`.
    pub fn delete_base64(out: &'o mut Vec<u8>, key: &[u8]) -> Self {
        Self::with_base64_key(out, b"md ", key).letter(b'b')
    }

    /// `ma <key in base64> b`.
    pub fn arith_base64(out: &'o mut Vec<u8>, key: &[u8]) -> Self {
        Self::with_base64_key(out, b"ma ", key).letter(b'b')
    }

    #[inline]
    fn with_key(out: &'o mut Vec<u8>, word: &[u8; 3], key: impl Piece) -> Self {
        out.extend_from_slice(word);
        push_key(out, key);
        Command { out }
    }

    fn with_base64_key(out: &'o mut Vec<u8>, word: &[u8; 3], key: &[u8]) -> Self {
        debug_assert!((1..=BASE64_KEY_BYTES_MAX).contains(&key.len()), "not a key");
        out.extend_from_slice(word);
        encode_base64(out, key);
        Command { out }
    }

    /// A flag without an argument.
    #[inline]
    pub fn letter(self, letter: u8) -> Self {
        self.out.extend_from_slice(&[b' ', letter]);
        self
    }

    /// A flag with a number.
    #[inline]
    pub fn number(self, letter: u8, value: impl itoa::Integer) -> Self {
        self.out.extend_from_slice(&[b' ', letter]);
        number(self.out, value);
        self
    }

    /// A flag with bytes, such as the opaque `O`.
    #[inline]
    pub fn flag(self, flag: Flag<'_>) -> Self {
        self.out.extend_from_slice(&[b' ', flag.letter]);
        self.out.extend_from_slice(flag.argument);
        self
    }

    /// Ends the command.
    #[inline]
    pub fn end(self) {
        self.out.extend_from_slice(CRLF);
    }

    /// Ends `ms` and appends its value, which has the length announced.
    #[inline]
    pub fn end_with_value(self, value: impl Piece) {
        self.out.extend_from_slice(CRLF);
        value.append(self.out);
        self.out.extend_from_slice(CRLF);
    }
}
