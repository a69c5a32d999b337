//! The meta commands `mg`, `ms`, `md`, `ma` and `me`, as a server reads and answers them. (`mn` has no key and is a
//! [`text`](crate::text) command.)
//!
//! ```text
//!   ms <key> <bytes> <flag>*\r\n<data>\r\n        HD <flag>*\r\n
//!   mg <key> <flag>*\r\n                          VA <bytes> <flag>*\r\n<data>\r\n
//!                 '-> Flags: checked once, walked again in order when the reply is written
//! ```
//!
//! A flag is one letter with its argument attached; what a letter does depends on the command, and letters without a
//! meaning for it are accepted. Framing is that of the text protocol, whose parser hands these lines on to [`parse`].

mod arith;
mod base64;
mod debug;
mod delete;
mod error;
mod flags;
mod get;
mod head;
mod key;
pub mod reply;
mod request;
mod set;

pub use arith::{ArithMode, MetaArith};
pub use base64::{encode as encode_base64, encoded_bytes};
pub use debug::MetaDebug;
pub use delete::MetaDelete;
pub use flags::{Flag, Flags, OPAQUE_BYTES_MAX, WORDS_MAX};
pub use get::MetaGet;
pub use key::{KeyScratch, MetaKey};
pub use request::MetaRequest;
pub use set::{MetaSet, SetMode};

use error::LineError;

/// Parses a command line without its line end; `None` if its first word is not one of the five.
#[inline]
#[must_use]
pub fn parse(line: &[u8]) -> Option<MetaRequest<'_>> {
    let [b'm', letter, rest @ ..] = line else {
        return None;
    };
    if !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    Some(match letter {
        b'g' => get::parse(rest).map_or_else(refused, MetaRequest::Get),
        b's' => set::parse(rest).map_or_else(refused_set, MetaRequest::Set),
        b'd' => delete::parse(rest).map_or_else(refused, MetaRequest::Delete),
        b'a' => arith::parse(rest).map_or_else(refused_arith, MetaRequest::Arith),
        b'e' => debug::parse(rest).map_or_else(refused, MetaRequest::Debug),
        _ => return None,
    })
}

const fn refused<'a>(error: LineError) -> MetaRequest<'a> {
    error_line(error.reply(), 0)
}

const fn refused_arith<'a>(error: LineError) -> MetaRequest<'a> {
    error_line(error.reply_to_arith(), 0)
}

const fn refused_set<'a>(error: set::Refused) -> MetaRequest<'a> {
    error_line(error.error.reply(), error.swallow)
}

const fn error_line<'a>(reply: &'static [u8], swallow: usize) -> MetaRequest<'a> {
    MetaRequest::Error { reply, swallow }
}
