//! A stream of replies, cut anywhere.

use super::data_block::{DataPiece, ValueBlock};
use super::reply::{Reply, ValueHeader};
use crate::scan::find;
use crate::step::Found;

/// Longest reply line; a server that sends more without a line end is not a memcached.
pub const REPLY_LINE_BYTES_MAX: usize = 8 * 1024;

/// Reads the replies of one connection.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    /// The value that is being read, if any.
    value: ValueBlock,
}

/// A step through the replies.
pub type Step<'a> = crate::Step<Part<'a>, Malformed>;

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A hit; one or more [`Part::Data`] follow.
    Value(ValueHeader<'a>),
    /// A piece of the value.
    Data(DataPiece<'a>),
    /// A line.
    Reply(Reply<'a>),
}

/// How a reply breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// No line end within [`REPLY_LINE_BYTES_MAX`].
    LineTooLong,
    /// A `VALUE` line that cannot be read.
    ValueLine,
    /// A value that is not followed by a line end.
    ValueEnd,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Malformed::LineTooLong => "reply line without an end",
            Malformed::ValueLine => "VALUE line that cannot be read",
            Malformed::ValueEnd => "value of another length than announced",
        })
    }
}

impl std::error::Error for Malformed {}

impl ReplyParser {
    /// A parser for a fresh connection.
    #[must_use]
    pub const fn new() -> Self {
        ReplyParser {
            value: ValueBlock::none(),
        }
    }

    /// The next part of the replies, which `buf` begins with.
    #[inline]
    pub fn next<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        match self.value.next(buf) {
            Some(piece) => Step::of(piece, |piece| Ok(Part::Data(piece))),
            None => Step::of(split_line(buf), |line| self.part(line)),
        }
    }

    #[inline]
    fn part<'a>(&mut self, line: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let Some(words) = line.strip_prefix(b"VALUE ") else {
            return Ok(Part::Reply(Reply::of(line)));
        };
        let header = ValueHeader::of(words).ok_or(Malformed::ValueLine)?;
        self.value = ValueBlock::of(header.value_bytes);
        Ok(Part::Value(header))
    }
}

/// The line at the start of `buf`, without its line end, and how many bytes it takes with it; `None` if it is not whole.
#[inline]
pub(crate) fn split_line(buf: &[u8]) -> Found<&[u8], Malformed> {
    let Some(newline) = find(b'\n', buf) else {
        let too_long = buf.len() > REPLY_LINE_BYTES_MAX;
        return if too_long {
            Err(Malformed::LineTooLong)
        } else {
            Ok(None)
        };
    };
    let line = &buf[..newline];
    Ok(Some((
        newline + 1,
        line.strip_suffix(b"\r").unwrap_or(line),
    )))
}
