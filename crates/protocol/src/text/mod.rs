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
//! Meta commands share the line rules: [`mn`](Request::MetaNoop), which needs no key, is here, and the lines of the
//! others go through to [`crate::meta`].

mod admin;
mod arith;
mod commands;
mod debugtime;
mod delete;
mod flush;
mod get;
mod keys;
mod line;
mod lru;
mod lru_crawler;
mod request;
mod slabs;
mod stats;
mod store;
mod touch;
mod watch;

pub use commands::COMMANDS;
pub use debugtime::DebugTime;
pub use get::KEYS_BYTES_AT_ONCE_MAX;
pub use keys::{Checked, KeyCheck, Keys};
pub use line::{
    LINE_BYTES_AT_ONCE_MAX, LINE_BYTES_MAX, LINE_BYTES_UNTERMINATED_MAX, Parsed, parse, parse_after,
};
pub use lru::LruRequest;
pub use lru_crawler::{CrawlTarget, CrawlerRequest};
pub use request::{DetailMode, Request, ShutdownMode, StatsRequest, StoreRequest, StoreVerb};
pub use slabs::SlabsRequest;
pub use watch::Streams;
