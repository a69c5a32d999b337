//! Reply lines.

use corecached_protocol::number::{c_u32, c_u64};
use corecached_protocol::reply::word;
use corecached_protocol::scan::find;
use corecached_protocol::words::Words;

/// A line that answers a request, or one of the lines before the one that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `STORED`.
    Stored,
    /// `NOT_STORED`.
    NotStored,
    /// `EXISTS`.
    Exists,
    /// `NOT_FOUND`.
    NotFound,
    /// `DELETED`.
    Deleted,
    /// `TOUCHED`.
    Touched,
    /// `OK`.
    Ok,
    /// `END` of values or statistics.
    End,
    /// `RESET`.
    Reset,
    /// `MN`.
    MetaNoop,
    /// The new number after incr or decr.
    Number(u64),
    /// `VERSION <version>`.
    Version(&'a [u8]),
    /// `STAT <name> <value>`; more lines follow.
    Stat {
        /// Name of the statistic.
        name: &'a [u8],
        /// The value of the statistic; it may hold spaces.
        value: &'a [u8],
    },
    /// Any of the three error lines.
    Error {
        /// The kind of error: it says whose fault the error is.
        kind: ErrorKind,
        /// The text after the first word; empty for a bare `ERROR`.
        message: &'a [u8],
    },
    /// Any other line, such as the words of admin commands.
    Other(&'a [u8]),
}

/// The first word of an error line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// `ERROR`: no such command.
    Command,
    /// `CLIENT_ERROR`.
    Client,
    /// `SERVER_ERROR`.
    Server,
}

/// `VALUE <key> <client flags> <bytes>[ <cas>]`; the value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueHeader<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Client flags of the item.
    pub client_flags: u32,
    /// Length of the value.
    pub value_bytes: usize,
    /// The cas unique, after gets and gats.
    pub cas: Option<u64>,
}

impl<'a> Reply<'a> {
    /// Whether the request is answered with this line. (A value never is the answer: `END` follows.)
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Reply::Stat { .. })
    }

    /// The meaning of a line without its line end; `VALUE` lines have their own parser.
    #[inline]
    pub(crate) fn of(line: &'a [u8]) -> Self {
        match line {
            word::END => Reply::End,
            word::STORED => Reply::Stored,
            word::NOT_STORED => Reply::NotStored,
            word::EXISTS => Reply::Exists,
            word::NOT_FOUND => Reply::NotFound,
            word::DELETED => Reply::Deleted,
            word::TOUCHED => Reply::Touched,
            word::OK => Reply::Ok,
            word::RESET => Reply::Reset,
            word::MN => Reply::MetaNoop,
            word::ERROR => Reply::Error {
                kind: ErrorKind::Command,
                message: b"",
            },
            _ => Self::with_argument(line),
        }
    }

    fn with_argument(line: &'a [u8]) -> Self {
        if line.first().is_some_and(u8::is_ascii_digit) {
            return c_u64(line).map_or(Reply::Other(line), Reply::Number);
        }
        let Some(space) = find(b' ', line) else {
            return Reply::Other(line);
        };
        let (first, rest) = (&line[..space], &line[space + 1..]);
        let error = |kind| Reply::Error {
            kind,
            message: rest,
        };
        match first {
            b"STAT" => Self::stat(rest).unwrap_or(Reply::Other(line)),
            b"VERSION" => Reply::Version(rest),
            word::ERROR => error(ErrorKind::Command),
            b"CLIENT_ERROR" => error(ErrorKind::Client),
            b"SERVER_ERROR" | b"SERVER_ERROR:" => error(ErrorKind::Server),
            _ => Reply::Other(line),
        }
    }

    fn stat(rest: &'a [u8]) -> Option<Self> {
        let space = find(b' ', rest)?;
        Some(Reply::Stat {
            name: &rest[..space],
            value: &rest[space + 1..],
        })
    }
}

impl<'a> ValueHeader<'a> {
    /// The words after `VALUE`, if they are as they should be.
    #[inline]
    pub(super) fn of(rest: &'a [u8]) -> Option<Self> {
        let mut words = Words::new(rest);
        let key = words.next()?;
        let client_flags = c_u32(words.next()?)?;
        let value_bytes = usize::try_from(c_u64(words.next()?)?).ok()?;
        let cas = match words.next() {
            Some(word) => Some(c_u64(word)?),
            None => None,
        };
        words.next().is_none().then_some(ValueHeader {
            key,
            client_flags,
            value_bytes,
            cas,
        })
    }
}
