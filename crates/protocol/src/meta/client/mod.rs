//! The client's side of the meta commands: requests to bytes, bytes to replies.

mod parser;
mod render;

pub use parser::{Part, ReplyFlags, ReplyParser, Status, Step};
pub use render::Command;
