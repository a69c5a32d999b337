//! The client's side of the classic text protocol: requests to bytes, bytes to replies.
//!
//! ```text
//!   render::get(&mut out, key)            ->  "get key\r\n"
//!
//!   "VALUE key 0 5\r\nhello\r\nEND\r\n"   ->  Part::Value(header), Part::Data { "hello", last }, Part::Reply(End)
//! ```
//!
//! No sockets, no clock, no allocation while the request buffer has room. Each request is answered by exactly one
//! [`Part::Reply`] whose [`Reply::is_final`] holds, after any number of values or statistics, so that a pipelining
//! client needs to remember no more than the order of its requests.

mod data_block;
mod parser;
pub mod render;
mod reply;

pub use data_block::DataPiece;
pub(crate) use data_block::ValueBlock;
pub(crate) use parser::split_line;
pub use parser::{Malformed, Part, REPLY_LINE_BYTES_MAX, ReplyParser, Step};
pub use reply::{ErrorKind, Reply, ValueHeader};
