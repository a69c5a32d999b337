//! What a reply in lines consists of, and how it can break the protocol.

use super::Status;
use super::flags::ReplyFlags;
use super::reply::{Reply, ValueHeader};
use crate::wire::DataPiece;

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A hit of a classic command; one or more [`Part::Data`] follow, and `END` after the last hit.
    Value(ValueHeader<'a>),
    /// `VA`; one or more [`Part::Data`] follow.
    MetaValue {
        /// Length of the value.
        value_bytes: usize,
        /// The flags that came back.
        flags: ReplyFlags<'a>,
    },
    /// A piece of the value; the last one ends the reply to a meta command.
    Data(DataPiece<'a>),
    /// A meta reply of one line.
    Status {
        /// The first word of the reply.
        status: Status,
        /// The flags that came back.
        flags: ReplyFlags<'a>,
    },
    /// `ME <key> <name>=<value>...`: what follows the first word.
    Debug(&'a [u8]),
    /// Any other line: the replies of classic commands, `MN`, and errors.
    Reply(Reply<'a>),
}

/// How a reply breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// No line end within [`REPLY_LINE_BYTES_MAX`](super::REPLY_LINE_BYTES_MAX).
    LineTooLong,
    /// A `VALUE` or `VA` line that cannot be read.
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
