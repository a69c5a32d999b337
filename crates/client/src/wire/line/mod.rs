//! Replies in lines: those of classic text commands and of meta commands, which may be mixed on one connection.
//!
//! ```text
//!   VALUE <key> <client flags> <bytes>[ <cas>]   ->  Part::Value, then Part::Data until `last`; END ends the reply
//!   VA <bytes> <flag>*                           ->  Part::MetaValue, then Part::Data; `last` ends the reply
//!   HD EN NS EX NF <flag>*                       ->  Part::Status
//!   ME <key> <name>=<value>*                     ->  Part::Debug
//!   any other line                               ->  Part::Reply
//! ```
//!
//! Each classic request is answered by exactly one [`Part::Reply`] whose [`Reply::is_final`] holds, after any number of
//! values or statistics; each meta request by a status, or a value with its data. So a pipelining client needs to
//! remember no more than the order of its requests.

mod common;
mod data_block;
mod flags;
mod parser;
mod part;
mod reply;

pub use flags::ReplyFlags;
pub use parser::{REPLY_LINE_BYTES_MAX, ReplyParser, Step};
pub use part::{Malformed, Part};
pub use reply::{ErrorKind, Reply, ValueHeader};

pub use corecached_protocol::meta::Flag;
pub use corecached_protocol::meta::reply::Status;
