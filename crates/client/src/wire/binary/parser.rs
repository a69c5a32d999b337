//! A stream of reply packets, cut anywhere.

use crate::wire::step::Found;
use crate::wire::{DataPiece, Parse};
use corecached_protocol::binary::{HEADER_BYTES, Head, Header, Opcode, REPLY_MAGIC, Status};

/// Longest body of a reply that is not a hit of a fetch; those come in pieces and have no limit.
pub const REPLY_BODY_BYTES_MAX: usize = 1 << 20;

/// Reads the replies of one connection.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    /// Bytes of the value being read that are still to come.
    left: usize,
}

/// A step through the replies.
pub type Step<'a> = crate::wire::Step<Part<'a>, Malformed>;

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A hit of a fetch. One or more [`Part::Data`] follow, unless `value_bytes` is 0.
    Hit {
        /// The part of the request that the reply repeats.
        head: Head,
        /// The key, if the opcode returns it.
        key: &'a [u8],
        /// Client flags.
        client_flags: u32,
        /// Length of the value.
        value_bytes: usize,
        /// Cas unique.
        cas: u64,
    },
    /// A piece of the value; the last one ends the reply.
    Data(DataPiece<'a>),
    /// Any other reply, whole.
    Reply(Reply<'a>),
}

/// A reply that is no hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The part of the request that the reply repeats.
    pub head: Head,
    /// The status of the reply; an unknown status as its code.
    pub status: Result<Status, u16>,
    /// Extras: the client flags after TOUCH.
    pub extras: &'a [u8],
    /// The key: of a miss, or the name of a statistic.
    pub key: &'a [u8],
    /// The value: the text of an error, a number, a version, a statistic.
    pub value: &'a [u8],
    /// Cas unique.
    pub cas: u64,
}

impl Reply<'_> {
    /// The number after INCR or DECR.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.value.try_into().ok().map(u64::from_be_bytes)
    }

    /// Whether this packet ends the answer: an answer of statistics ends with an empty one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.head.opcode != Opcode::Stat as u8
            || self.status != Ok(Status::Ok)
            || self.key.is_empty()
    }
}

/// How a reply breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// A packet that does not begin with the magic of a reply.
    Magic,
    /// Lengths that do not fit together.
    Lengths,
    /// A body longer than [`REPLY_BODY_BYTES_MAX`].
    BodyTooLong,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Malformed::Magic => "packet without the magic of a reply",
            Malformed::Lengths => "packet whose lengths do not fit together",
            Malformed::BodyTooLong => "packet with too long a body",
        })
    }
}

impl std::error::Error for Malformed {}

/// A reply's header with the length of its value, or how they break the protocol.
#[inline]
fn header(bytes: &[u8; HEADER_BYTES]) -> Result<(Header, usize), Malformed> {
    let header = Header::of(bytes);
    if header.magic != REPLY_MAGIC {
        return Err(Malformed::Magic);
    }
    let value_bytes = header.value_bytes().ok_or(Malformed::Lengths)?;
    Ok((header, value_bytes as usize))
}

#[inline]
fn is_hit(header: &Header) -> bool {
    header.status == Status::Ok as u16
        && Opcode::from_byte(header.head.opcode).is_some_and(Opcode::is_fetch)
}

impl ReplyParser {
    /// A parser for a fresh connection.
    #[must_use]
    pub const fn new() -> Self {
        ReplyParser { left: 0 }
    }

    /// The next part of the replies, which `buf` begins with.
    #[inline]
    pub fn next<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        if self.left > 0 {
            return self.data(buf);
        }
        let Some(bytes) = buf.first_chunk() else {
            // A server that answers in lines sends fewer bytes than a header, and then waits.
            return match buf.first() {
                Some(&magic) if magic != REPLY_MAGIC => Step::Malformed(Malformed::Magic),
                _ => Step::Incomplete,
            };
        };
        let body = &buf[HEADER_BYTES..];
        let found = header(bytes).and_then(|(header, value_bytes)| {
            if is_hit(&header) {
                self.hit(&header, value_bytes, body)
            } else {
                reply(&header, body)
            }
        });
        Step::of(found, Ok)
    }

    fn data<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        let bytes = &buf[..buf.len().min(self.left)];
        if bytes.is_empty() {
            return Step::Incomplete;
        }
        self.left -= bytes.len();
        let piece = DataPiece {
            bytes,
            last: self.left == 0,
        };
        Step::Part {
            consumed: bytes.len(),
            part: Part::Data(piece),
        }
    }

    #[inline]
    fn hit<'a>(
        &mut self,
        header: &Header,
        value_bytes: usize,
        body: &'a [u8],
    ) -> Found<Part<'a>, Malformed> {
        let before_value = header.bytes_before_value();
        let Some(bytes) = body.get(..before_value) else {
            return Ok(None);
        };
        let (extras, key) = bytes.split_at(usize::from(header.extras_bytes));
        let client_flags = u32::from_be_bytes(extras.try_into().map_err(|_| Malformed::Lengths)?);
        self.left = value_bytes;
        let part = Part::Hit {
            head: header.head,
            key,
            client_flags,
            value_bytes,
            cas: header.cas,
        };
        Ok(Some((HEADER_BYTES + before_value, part)))
    }
}

fn reply<'a>(header: &Header, body: &'a [u8]) -> Found<Part<'a>, Malformed> {
    let body_bytes = header.body_bytes as usize;
    if body_bytes > REPLY_BODY_BYTES_MAX {
        return Err(Malformed::BodyTooLong);
    }
    let Some(body) = body.get(..body_bytes) else {
        return Ok(None);
    };
    let (extras, rest) = body.split_at(usize::from(header.extras_bytes));
    let (key, value) = rest.split_at(usize::from(header.key_bytes));
    let status = Status::from_code(header.status).ok_or(header.status);
    let reply = Reply {
        head: header.head,
        status,
        extras,
        key,
        value,
        cas: header.cas,
    };
    Ok(Some((HEADER_BYTES + body.len(), Part::Reply(reply))))
}

impl Parse for ReplyParser {
    type Part<'a> = Part<'a>;
    type Malformed = Malformed;

    #[inline]
    fn next<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        ReplyParser::next(self, buf)
    }
}
