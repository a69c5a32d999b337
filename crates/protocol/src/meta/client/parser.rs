//! A stream of replies to meta commands, cut anywhere.

use super::super::flags::Flag;
pub use super::super::reply::Status;
use crate::client_text::{self, DataPiece, Malformed, Reply, ValueBlock};
use crate::text::number::c_u64;
use crate::text::tokens::Tokens;

/// Reads the replies of one connection. Text commands may be among the requests, `mn` above all.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    value: ValueBlock,
}

/// A step through the replies.
pub type Step<'a> = crate::Step<Part<'a>, Malformed>;

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// `VA`; one or more [`Part::Data`] follow.
    Value {
        /// Length of the value.
        value_bytes: usize,
        /// The flags that came back.
        flags: ReplyFlags<'a>,
    },
    /// A piece of the value; the last one ends the reply.
    Data(DataPiece<'a>),
    /// A reply of one line.
    Status {
        /// Its first word.
        status: Status,
        /// The flags that came back.
        flags: ReplyFlags<'a>,
    },
    /// `ME <key> <name>=<value>...`: what follows the first word.
    Debug(&'a [u8]),
    /// A line of the text protocol: `MN`, an error, and the replies of text commands but for their values.
    Text(Reply<'a>),
}

/// Flags of a reply in the order they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyFlags<'a> {
    words: &'a [u8],
}

impl<'a> ReplyFlags<'a> {
    /// The flags.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Flag<'a>> + Clone + use<'a> {
        Tokens::new(self.words).map(|word| Flag {
            letter: word[0],
            argument: &word[1..],
        })
    }

    /// The argument of a flag, if it came back.
    #[inline]
    #[must_use]
    pub fn argument(&self, letter: u8) -> Option<&'a [u8]> {
        self.iter()
            .find(|flag| flag.letter == letter)
            .map(|flag| flag.argument)
    }

    /// The number of a flag, if it came back with one.
    #[inline]
    #[must_use]
    pub fn number(&self, letter: u8) -> Option<u64> {
        self.argument(letter).and_then(c_u64)
    }

    /// Whether a flag came back.
    #[inline]
    #[must_use]
    pub fn has(&self, letter: u8) -> bool {
        self.argument(letter).is_some()
    }
}

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
            None => Step::of(client_text::split_line(buf), |line| self.part(line)),
        }
    }

    #[inline]
    fn part<'a>(&mut self, line: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let (word, words) = match line {
            [a, b] => ([*a, *b], &line[2..]),
            [a, b, b' ', words @ ..] => ([*a, *b], words),
            _ => return Ok(Part::Text(Reply::of(line))),
        };
        let status = match &word {
            b"HD" => Status::Hd,
            b"EN" => Status::En,
            b"NS" => Status::Ns,
            b"EX" => Status::Ex,
            b"NF" => Status::Nf,
            b"VA" => return self.value(words),
            b"ME" => return Ok(Part::Debug(words)),
            _ => return Ok(Part::Text(Reply::of(line))),
        };
        Ok(Part::Status {
            status,
            flags: ReplyFlags { words },
        })
    }

    fn value<'a>(&mut self, words: &'a [u8]) -> Result<Part<'a>, Malformed> {
        let mut words = Tokens::new(words);
        let length = words
            .next()
            .and_then(c_u64)
            .and_then(|bytes| usize::try_from(bytes).ok());
        let value_bytes = length.ok_or(Malformed::ValueLine)?;
        self.value = ValueBlock::of(value_bytes);
        Ok(Part::Value {
            value_bytes,
            flags: ReplyFlags {
                words: words.rest(),
            },
        })
    }
}
