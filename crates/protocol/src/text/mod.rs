//! The classic text protocol: one command line in, one [`Request`] out.
//!
//! ```text
//!   buf:  g e t   a   b b \r \n s e t  ...
//!         '-----------------' consumed; the data block of a storage command is the caller's business
//!         verb   Keys
//! ```
//!
//! A line ends in `\n`, with or without a `\r` before it; its words are separated by spaces and nothing else. A line is
//! parsed as a whole or not at all, nothing is copied, and nothing depends on what came before it on the connection.
//! The meta commands that need no key are here too, since they share the line rules.

mod admin;
mod arith;
mod commands;
mod delete;
mod flush;
mod get;
mod later;
mod line;
pub(crate) mod number;
mod request;
mod stats;
mod store;
pub(crate) mod tokens;
mod touch;

pub use commands::{COMMANDS, Command, CommandStatus};
pub use line::{LINE_BYTES_MAX, LINE_BYTES_UNTERMINATED_MAX, Parsed, parse, parse_after};
pub use request::{DetailMode, Request, ShutdownMode, StatsRequest, StoreRequest, StoreVerb};
pub use store::VALUE_BYTES_MAX;
pub use tokens::Keys;
