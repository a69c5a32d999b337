//! The client's side of the binary protocol: requests to bytes, bytes to replies.

mod parser;
pub mod render;

pub use parser::{Malformed, Part, REPLY_BODY_BYTES_MAX, Reply, ReplyParser, Step};
