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
mod key;
pub mod reply;
mod set;

pub use arith::{ArithMode, MetaArith};
pub use base64::{encode as encode_base64, encoded_bytes};
pub use debug::MetaDebug;
pub use delete::MetaDelete;
pub use flags::{Flag, Flags};
pub use get::MetaGet;
pub use key::{KeyScratch, MetaKey};
pub use set::{MetaSet, SetMode};

use crate::KEY_BYTES_MAX;
use crate::text::tokens::Words;
use error::LineError;

/// Most words of a meta command, its own and the key among them.
pub const WORDS_MAX: usize = 20;

/// Longest opaque, without its letter.
pub const OPAQUE_BYTES_MAX: usize = 31;

/// A meta command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaRequest<'a> {
    /// `mg`.
    Get(MetaGet<'a>),
    /// `ms`; the data block follows.
    Set(MetaSet<'a>),
    /// `md`.
    Delete(MetaDelete<'a>),
    /// `ma`.
    Arith(MetaArith<'a>),
    /// `me`.
    Debug(MetaDebug<'a>),
    /// A line that is not a valid command. The reply is sent even if the command asked to be quiet.
    Error {
        /// The reply line.
        reply: &'static [u8],
        /// How many bytes after the line are dropped unread: the data block of `ms` and its line end.
        swallow: usize,
    },
}

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
        b's' => set::parse(rest),
        b'd' => delete::parse(rest).map_or_else(refused, MetaRequest::Delete),
        b'a' => arith::parse(rest).map_or_else(refused_arith, MetaRequest::Arith),
        b'e' => debug::parse(rest).map_or_else(refused, MetaRequest::Debug),
        _ => return None,
    })
}

const fn refused<'a>(error: LineError) -> MetaRequest<'a> {
    MetaRequest::Error {
        reply: error.reply(),
        swallow: 0,
    }
}

const fn refused_arith<'a>(error: LineError) -> MetaRequest<'a> {
    MetaRequest::Error {
        reply: error.reply_to_arith(),
        swallow: 0,
    }
}

/// The key that `words` begin with.
#[inline]
fn key_word<'a>(words: &mut Words<'a>) -> Result<&'a [u8], LineError> {
    words.next().ok_or(LineError::Incomplete)
}

/// The key and the flags of a command that consists of these only.
#[inline]
fn keyed(rest: &[u8]) -> Result<(MetaKey<'_>, Flags<'_>), LineError> {
    let mut words = Words::new(rest);
    let wire = key_word(&mut words)?;
    key_and_flags(wire, words.rest(), 2)
}

/// The key `wire` with the flags in `words`, which `words_before` words of the line stand before.
#[inline]
fn key_and_flags<'a>(
    wire: &'a [u8],
    words: &'a [u8],
    words_before: usize,
) -> Result<(MetaKey<'a>, Flags<'a>), LineError> {
    if wire.len() > KEY_BYTES_MAX {
        return Err(LineError::KeyTooLong);
    }
    let flags = Flags::parse(words, words_before)?;
    let key = MetaKey::new(wire, flags.has(b'b')).ok_or(LineError::UndecodableKey)?;
    Ok((key, flags))
}
