//! The memcached protocols as pure functions from bytes to requests and from outcomes to bytes.
//!
//! ```text
//!   bytes -> Codec::detect -> text::parse    -> Request
//!                             meta::parse    -> MetaRequest
//!                             binary::parse  -> BinaryRequest
//!   bytes <- reply, meta::reply, binary::reply
//!   datagram -> udp::request ... udp::frame -> datagrams
//! ```
//!
//! The client's side of the wire is `corecached-client`'s `wire`; it uses the words, numbers, headers, opcodes and
//! base64 of this crate, so that none of the grammar is there twice.
//!
//! Nothing here knows a socket, an executor, a clock or the engine. The reference is memcached 1.6.45; where an older
//! release answers differently, the newer text is used. `docs/protocol.md` lists every command and the known
//! differences.
//!
//! A server takes one command line at a time; of a set, the data block follows the line.
//!
//! ```
//! use corecached_protocol::text::{self, Parsed, Request};
//!
//! let received = b"set greeting 0 60 5\r\nhello\r\nget gree";
//! let Parsed::Request { consumed, request: Request::Store(store) } = text::parse(received) else {
//!     panic!("not a set");
//! };
//! assert_eq!((store.key, store.value_bytes), (&b"greeting"[..], 5));
//! let data = &received[consumed..][..5 + 2];
//! assert_eq!(data, b"hello\r\n");
//! // What follows is not a whole line yet.
//! let rest = &received[consumed + data.len()..];
//! assert!(matches!(text::parse(rest), Parsed::Incomplete));
//! ```

#![forbid(unsafe_code)]

pub mod binary;
mod codec;
pub mod dump;
pub mod event;
pub mod exptime;
mod item_fields;
pub mod meta;
pub mod number;
pub mod reply;
pub mod scan;
pub mod text;
pub mod udp;
pub mod uri;
pub mod words;

pub use codec::Codec;

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 250;

/// Largest value that a line may announce: with its line end its length must fit a signed 32-bit number.
pub const VALUE_BYTES_MAX: u32 = i32::MAX as u32 - 2;
