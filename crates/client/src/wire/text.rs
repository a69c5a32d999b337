//! Classic text requests. Each function appends one request to `out`.
//!
//! ```text
//!   store(&mut out, "k", &Store::new(StoreVerb::Set), "hello")   ->   set k 0 0 5\r\nhello\r\n
//! ```
//!
//! Keys must be valid: 1 to 250 bytes, no space, no control bytes. The caller has to ensure this; it is asserted in
//! debug builds only. Replies are read by [`line::ReplyParser`](super::line::ReplyParser).

use super::key::push_key;
use super::piece::Piece;
use corecached_protocol::reply::{CRLF, number};
use corecached_protocol::text::StoreRequest;

pub use corecached_protocol::text::StoreVerb;

/// Longest value that a line can announce.
pub const VALUE_BYTES_MAX: usize = corecached_protocol::VALUE_BYTES_MAX as usize;

/// The arguments of a storage command besides key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// The verb: one of the six storage commands.
    pub verb: StoreVerb,
    /// Client flags.
    pub client_flags: u32,
    /// The exptime as it goes over the wire.
    pub exptime: i32,
    /// The cas unique to compare with ([`StoreVerb::Cas`]), else not sent.
    pub cas: u64,
    /// Whether the reply is suppressed.
    pub noreply: bool,
}

impl Store {
    /// A store without client flags, which never expires and is answered.
    #[must_use]
    pub const fn new(verb: StoreVerb) -> Self {
        Store {
            verb,
            client_flags: 0,
            exptime: 0,
            cas: 0,
            noreply: false,
        }
    }
}

/// Whether a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyMode {
    /// The request is answered.
    Reply,
    /// The request says `noreply`: only some errors are answered.
    Noreply,
}

impl ReplyMode {
    /// [`ReplyMode::Noreply`] if `noreply` holds.
    #[must_use]
    pub const fn noreply_if(noreply: bool) -> Self {
        if noreply {
            ReplyMode::Noreply
        } else {
            ReplyMode::Reply
        }
    }
}

impl From<&StoreRequest<'_>> for Store {
    fn from(request: &StoreRequest<'_>) -> Self {
        Store {
            verb: request.verb,
            client_flags: request.client_flags,
            exptime: request.exptime,
            cas: request.cas,
            noreply: request.noreply,
        }
    }
}

/// `get <key>`.
#[inline]
pub fn get(out: &mut Vec<u8>, key: impl Piece) {
    word_and_key(out, b"get", key);
    out.extend_from_slice(CRLF);
}

/// `gets <key>`.
#[inline]
pub fn gets(out: &mut Vec<u8>, key: impl Piece) {
    word_and_key(out, b"gets", key);
    out.extend_from_slice(CRLF);
}

/// `get <key>+`; there must be at least one key.
#[inline]
pub fn multi_get<K: Piece>(out: &mut Vec<u8>, keys: impl IntoIterator<Item = K>) {
    many(out, b"get", keys);
}

/// `gets <key>+`; there must be at least one key.
#[inline]
pub fn multi_gets<K: Piece>(out: &mut Vec<u8>, keys: impl IntoIterator<Item = K>) {
    many(out, b"gets", keys);
}

/// `gat <exptime> <key>+`; there must be at least one key.
#[inline]
pub fn gat<K: Piece>(out: &mut Vec<u8>, exptime: i32, keys: impl IntoIterator<Item = K>) {
    out.extend_from_slice(b"gat ");
    number(out, exptime);
    many(out, b"", keys);
}

/// `gats <exptime> <key>+`; there must be at least one key.
#[inline]
pub fn gats<K: Piece>(out: &mut Vec<u8>, exptime: i32, keys: impl IntoIterator<Item = K>) {
    out.extend_from_slice(b"gats ");
    number(out, exptime);
    many(out, b"", keys);
}

/// A storage command with its value.
#[inline]
pub fn store(out: &mut Vec<u8>, key: impl Piece, store: &Store, value: impl Piece) {
    store_line(out, key, store, value.length());
    value.append(out);
    out.extend_from_slice(CRLF);
}

/// The line of a storage command; `value_bytes` of data and `\r\n` must follow.
#[inline]
pub fn store_line(out: &mut Vec<u8>, key: impl Piece, store: &Store, value_bytes: usize) {
    debug_assert!(value_bytes <= VALUE_BYTES_MAX, "{value_bytes} bytes");
    word_and_key(out, store.verb.word(), key);
    out.push(b' ');
    number(out, store.client_flags);
    out.push(b' ');
    number(out, store.exptime);
    out.push(b' ');
    number(out, value_bytes);
    if store.verb == StoreVerb::Cas {
        out.push(b' ');
        number(out, store.cas);
    }
    end(out, ReplyMode::noreply_if(store.noreply));
}

/// `touch <key> <exptime>`.
#[inline]
pub fn touch(out: &mut Vec<u8>, key: impl Piece, exptime: i32, reply: ReplyMode) {
    word_and_key(out, b"touch", key);
    out.push(b' ');
    number(out, exptime);
    end(out, reply);
}

/// `delete <key>`.
#[inline]
pub fn delete(out: &mut Vec<u8>, key: impl Piece, reply: ReplyMode) {
    word_and_key(out, b"delete", key);
    end(out, reply);
}

/// `incr <key> <delta>`.
#[inline]
pub fn incr(out: &mut Vec<u8>, key: impl Piece, delta: u64, reply: ReplyMode) {
    arith(out, b"incr", key, delta, reply);
}

/// `decr <key> <delta>`.
#[inline]
pub fn decr(out: &mut Vec<u8>, key: impl Piece, delta: u64, reply: ReplyMode) {
    arith(out, b"decr", key, delta, reply);
}

/// `flush_all [<delay>]`.
pub fn flush_all(out: &mut Vec<u8>, delay: Option<i32>, reply: ReplyMode) {
    out.extend_from_slice(b"flush_all");
    if let Some(delay) = delay {
        out.push(b' ');
        number(out, delay);
    }
    end(out, reply);
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
pub fn verbosity(out: &mut Vec<u8>, level: u32, reply: ReplyMode) {
    out.extend_from_slice(b"verbosity ");
    number(out, level);
    end(out, reply);
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
fn arith(out: &mut Vec<u8>, word: &[u8], key: impl Piece, delta: u64, reply: ReplyMode) {
    word_and_key(out, word, key);
    out.push(b' ');
    number(out, delta);
    end(out, reply);
}

#[inline]
fn many<K: Piece>(out: &mut Vec<u8>, word: &[u8], keys: impl IntoIterator<Item = K>) {
    out.extend_from_slice(word);
    for key in keys {
        out.push(b' ');
        push_key(out, key);
    }
    out.extend_from_slice(CRLF);
}

#[inline]
fn word_and_key(out: &mut Vec<u8>, word: &[u8], key: impl Piece) {
    out.extend_from_slice(word);
    out.push(b' ');
    push_key(out, key);
}

#[inline]
fn end(out: &mut Vec<u8>, reply: ReplyMode) {
    out.extend_from_slice(match reply {
        ReplyMode::Reply => CRLF,
        ReplyMode::Noreply => b" noreply\r\n",
    });
}
