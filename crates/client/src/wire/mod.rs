//! The protocols as a client speaks them: requests to bytes, bytes to replies. No sockets, no clock, no allocation.
//!
//! ```text
//!   text::get(&mut out, key)                 ->  "get key\r\n"
//!   meta::Command::get(&mut out, key) ...    ->  "mg key v\r\n"
//!   binary::keyed(&mut out, Opcode::Get, ..) ->  24 bytes and the key
//!
//!   "VALUE key 0 5\r\nhello\r\nEND\r\n" -> line::ReplyParser   -> Value(header), Data { "hello", last }, Reply(End)
//!   "VA 5 c7\r\nhello\r\n"              -> line::ReplyParser   -> MetaValue { .. }, Data { "hello", last }
//!   0x81 ...                            -> binary::ReplyParser -> Hit { .. }, Data { "hello", last }
//! ```
//!
//! A parser is given the received bytes that are not used yet. It returns the part at their beginning and the number of
//! its bytes. [`Carry`] feeds a parser from separate receive buffers, and copies only the parts that lie across the end
//! of a buffer.
//!
//! The grammar that both sides of the wire share (words, numbers, headers, opcodes, base64) is `corecached_protocol`'s.

pub mod binary;
mod carry;
mod data;
pub mod key;
pub mod line;
pub mod meta;
mod piece;
mod step;
pub mod text;

pub use carry::{Carry, Parse};
pub use data::DataPiece;
pub use piece::Piece;
pub use step::Step;
