//! A stream of reply lines and values, cut anywhere.

use super::Status;
use super::common;
use super::data_block::ValueBlock;
use super::flags::ReplyFlags;
use super::part::{Malformed, Part};
use super::reply::{Reply, ValueHeader};
use crate::wire::carry::Parse;
use crate::wire::step::Found;
use corecached_protocol::number::c_u64;
use corecached_protocol::scan::find;
use corecached_protocol::words::Words;

/// Longest reply line; a server that sends more without a line end is not a memcached.
pub const REPLY_LINE_BYTES_MAX: usize = 8 * 1024;

/// Reads the replies of one connection.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    /// The value that is being read, if any.
    value: ValueBlock,
}

/// A step through the replies.
pub type Step<'a> = crate::wire::Step<Part<'a>, Malformed>;

impl ReplyParser {
    /// A parser for a fresh connection.
    #[must_use]
    pub const fn new() -> Self {
        ReplyParser {
            value: ValueBlock::none(),
        }
    }

    /// The next part of the replies, which `buf` begins with.
    // Parts are taken apart where they are made, without being moved: a third of the instructions otherwise.
    #[inline(always)]
    pub fn next<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        if let Some(piece) = self.value.next(buf) {
            return Step::of(piece, |piece| Ok(Part::Data(piece)));
        }
        let Some((consumed, part)) = common::line(buf) else {
            return self.next_general(buf);
        };
        if let Part::Value(ValueHeader { value_bytes, .. }) | Part::MetaValue { value_bytes, .. } =
            part
        {
            self.value = ValueBlock::of(value_bytes);
        }
        Step::Part { consumed, part }
    }

    /// The next line, whatever it is.
    #[inline(never)]
    pub(super) fn next_general<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        Step::of(split_line(buf), |line| self.part(line))
    }

    #[inline]
    fn part<'a>(&mut self, line: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let (word, words) = match line {
            [b'V', b'A', b'L', b'U', b'E', b' ', words @ ..] => return self.value(words),
            [a, b] => ([*a, *b], &line[2..]),
            [a, b, b' ', words @ ..] => ([*a, *b], words),
            _ => return Ok(Part::Reply(Reply::of(line))),
        };
        match &word {
            b"VA" => self.meta_value(words),
            b"ME" => Ok(Part::Debug(words)),
            word => Ok(match Status::from_word(word) {
                Some(status) => Part::Status {
                    status,
                    flags: ReplyFlags { words },
                },
                None => Part::Reply(Reply::of(line)),
            }),
        }
    }

    #[inline]
    fn value<'a>(&mut self, words: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let header = ValueHeader::of(words).ok_or(Malformed::ValueLine)?;
        self.value = ValueBlock::of(header.value_bytes);
        Ok(Part::Value(header))
    }

    #[inline]
    fn meta_value<'a>(&mut self, words: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let mut words = Words::new(words);
        let length = words
            .next()
            .and_then(c_u64)
            .and_then(|bytes| usize::try_from(bytes).ok());
        let value_bytes = length.ok_or(Malformed::ValueLine)?;
        self.value = ValueBlock::of(value_bytes);
        Ok(Part::MetaValue {
            value_bytes,
            flags: ReplyFlags {
                words: words.rest(),
            },
        })
    }
}

impl Parse for ReplyParser {
    type Part<'a> = Part<'a>;
    type Malformed = Malformed;

    #[inline(always)]
    fn next<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        ReplyParser::next(self, buf)
    }
}

/// The line at the start of `buf`, without its line end, and how many bytes it takes with it; `None` if it is not
/// whole.
#[inline]
fn split_line(buf: &[u8]) -> Found<&[u8], Malformed> {
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
