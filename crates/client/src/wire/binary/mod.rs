//! The client's side of the binary protocol: requests to bytes, bytes to replies.
//!
//! ```text
//!   keyed, touch, store, with_value, arith, flush, bare -> header | extras | key | value
//!   ReplyParser::next                                   <- a hit with its value in pieces, or any other packet whole
//! ```

mod parser;
mod render;

pub use parser::{Malformed, Part, REPLY_BODY_BYTES_MAX, Reply, ReplyParser, Step};
pub use render::{arith, bare, flush, keyed, store, touch, with_value};

pub use corecached_protocol::binary::{
    HEADER_BYTES, Head, Header, Opcode, REPLY_MAGIC, REQUEST_MAGIC, Status,
};
