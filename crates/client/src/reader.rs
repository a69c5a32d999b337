//! The reader: from parts of replies to whole answers.
//!
//! ```text
//!   Asked { shape, opaque }     parts                                    answer
//!   One                         Value Data Data Value Data  END     ->   Values([hit, hit])
//!   UntilNoop(3)                MetaValue O7 Data  MetaValue O9 Data  MN ->  Values([hit 0, hit 2])
//!   One                         STAT STAT STAT END                  ->   Stats([..])
//! ```
//!
//! The reader keeps the answer under way between calls. That answer is bounded: a value by `value_bytes_max`,
//! statistics by [`STATS_BYTES_MAX`]. Memory for a value is taken as its bytes come, not as they are announced.

use crate::Protocol;
use crate::answer::{Answer, Attributes, Hit, text};
use crate::error::{ProtocolError, excerpt};
use crate::wire::{DataPiece, Step, binary, line};
use bytes::{Bytes, BytesMut};
use corecached_protocol::number::c_u64;

/// Most bytes of names and values in one answer of statistics.
pub(crate) const STATS_BYTES_MAX: usize = 16 << 20;
/// Memory taken for a value before any of it has come.
const VALUE_BYTES_AT_FIRST: usize = 1 << 20;

/// The shape of the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One answer: a line, a value, values up to `END`, statistics up to `END`, a packet.
    One,
    /// Any number of hits, then the answer of a no-op. The request asked quietly for this number of keys.
    UntilNoop(usize),
    /// No answer.
    Nothing,
}

/// A request that was sent and is not answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) shape: Shape,
    /// The opaque of the request, or of its first key.
    pub(crate) opaque: u32,
}

impl Asked {
    /// The opaques that the request used.
    pub(crate) const fn opaques(shape: Shape) -> u32 {
        match shape {
            Shape::UntilNoop(keys) => keys as u32 + 1,
            _ => 1,
        }
    }

    /// The index of the key that a reply with `opaque` belongs to.
    fn index(&self, opaque: u32) -> Result<usize, ProtocolError> {
        let index = opaque.wrapping_sub(self.opaque);
        let last = match self.shape {
            Shape::UntilNoop(keys) => keys as u32,
            _ => 0,
        };
        if index > last {
            return Err(ProtocolError::Shifted(format!(
                "opaque {opaque} for {} to {}",
                self.opaque,
                self.opaque.wrapping_add(last)
            )));
        }
        Ok(index as usize)
    }
}

#[derive(Debug)]
enum Parser {
    Line(line::ReplyParser),
    Binary(binary::ReplyParser),
}

/// The value under way.
#[derive(Debug)]
struct Partial {
    hit: Hit,
    value: BytesMut,
}

/// Makes answers of received bytes.
#[derive(Debug)]
pub(crate) struct Reader {
    parser: Parser,
    partial: Option<Partial>,
    hits: Vec<Hit>,
    stats: Vec<(String, String)>,
    stats_bytes: usize,
    value_bytes_max: usize,
}

/// The progress that the available bytes allowed.
#[derive(Debug)]
pub(crate) enum Progress {
    /// More bytes are needed.
    Incomplete,
    /// This many bytes are used, and the answer is not whole.
    Used(usize),
    /// This many bytes are used, and this is the answer.
    Whole(usize, Answer),
}

impl Reader {
    pub(crate) fn new(protocol: Protocol, value_bytes_max: usize) -> Self {
        let parser = match protocol {
            Protocol::Text | Protocol::Meta => Parser::Line(line::ReplyParser::new()),
            Protocol::Binary => Parser::Binary(binary::ReplyParser::new()),
        };
        Reader {
            parser,
            partial: None,
            hits: Vec::new(),
            stats: Vec::new(),
            stats_bytes: 0,
            value_bytes_max,
        }
    }

    /// Whether an answer has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.partial.is_some() || !self.hits.is_empty() || !self.stats.is_empty()
    }

    /// Reads the part that `buf` begins with, which belongs to the answer to `asked`.
    pub(crate) fn step(&mut self, buf: &[u8], asked: &Asked) -> Result<Progress, ProtocolError> {
        let (consumed, answer) = match &mut self.parser {
            Parser::Line(parser) => match parser.next(buf) {
                Step::Incomplete => return Ok(Progress::Incomplete),
                Step::Malformed(error) => return Err(ProtocolError::malformed(&error, buf)),
                Step::Part { consumed, part } => (consumed, self.line_part(part, asked)?),
            },
            Parser::Binary(parser) => match parser.next(buf) {
                Step::Incomplete => return Ok(Progress::Incomplete),
                Step::Malformed(error) => return Err(ProtocolError::malformed(&error, buf)),
                Step::Part { consumed, part } => (consumed, self.packet_part(part, asked)?),
            },
        };
        Ok(match answer {
            Some(answer) => Progress::Whole(consumed, answer),
            None => Progress::Used(consumed),
        })
    }

    fn line_part(
        &mut self,
        part: line::Part<'_>,
        asked: &Asked,
    ) -> Result<Option<Answer>, ProtocolError> {
        match part {
            line::Part::Value(header) => {
                let attributes = Attributes {
                    client_flags: Some(header.client_flags),
                    cas: header.cas,
                    ..Attributes::default()
                };
                let key = Some(Bytes::copy_from_slice(header.key));
                self.begin(key, None, attributes, header.value_bytes)?;
                Ok(None)
            }
            line::Part::MetaValue { value_bytes, flags } => {
                let index = self.opaque_of(&flags, asked)?;
                self.begin(None, index, Attributes::of_flags(&flags), value_bytes)?;
                Ok(None)
            }
            line::Part::Data(piece) => {
                let is_meta = self.partial.as_ref().is_some_and(|p| p.hit.key.is_none());
                let ends = self.data(piece) && is_meta && asked.shape == Shape::One;
                Ok(ends.then(|| self.values()))
            }
            line::Part::Status { status, flags } => {
                self.opaque_of(&flags, asked)?;
                if matches!(asked.shape, Shape::UntilNoop(_)) {
                    return Err(ProtocolError::Shifted(format!(
                        "{status:?} between quiet gets"
                    )));
                }
                Ok(Some(Answer::of_status(status, &flags)))
            }
            line::Part::Debug(words) => Ok(Some(Answer::Line(text(words)))),
            line::Part::Reply(reply) => self.line(&reply, asked),
        }
    }

    /// A line that is neither a value nor a meta status.
    fn line(
        &mut self,
        reply: &line::Reply<'_>,
        asked: &Asked,
    ) -> Result<Option<Answer>, ProtocolError> {
        use line::Reply;
        match *reply {
            Reply::Stat { name, value } => {
                self.stat(name, value)?;
                Ok(None)
            }
            Reply::End if !self.stats.is_empty() => Ok(Some(self.take_stats())),
            Reply::End => Ok(Some(self.values())),
            Reply::MetaNoop if asked.shape != Shape::One => Ok(Some(self.values())),
            Reply::Error { .. } => {
                self.hits.clear();
                self.stats.clear();
                Ok(Some(Answer::of_reply(reply)))
            }
            _ if asked.shape != Shape::One => Err(ProtocolError::Shifted(format!(
                "{reply:?} between quiet gets"
            ))),
            _ => Ok(Some(Answer::of_reply(reply))),
        }
    }

    /// Checks the opaque of a meta reply, if it came back, and gives the place of the key.
    fn opaque_of(
        &self,
        flags: &line::ReplyFlags<'_>,
        asked: &Asked,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(opaque) = flags.argument(b'O') else {
            return Ok(None);
        };
        let number = c_u64(opaque).and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| {
            ProtocolError::Shifted(format!("an opaque that was not sent: {}", excerpt(opaque)))
        })?;
        asked.index(number).map(Some)
    }

    fn packet_part(
        &mut self,
        part: binary::Part<'_>,
        asked: &Asked,
    ) -> Result<Option<Answer>, ProtocolError> {
        match part {
            binary::Part::Hit {
                head,
                client_flags,
                value_bytes,
                cas,
                ..
            } => {
                let index = asked.index(head.opaque)?;
                let attributes = Attributes {
                    client_flags: Some(client_flags),
                    cas: Some(cas),
                    ..Attributes::default()
                };
                self.begin(None, Some(index), attributes, value_bytes)?;
                // A packet without a value has no piece that ends it.
                let is_whole = value_bytes == 0;
                if is_whole {
                    self.data(DataPiece {
                        bytes: b"",
                        last: true,
                    });
                }
                let ends = is_whole && asked.shape == Shape::One;
                Ok(ends.then(|| self.values()))
            }
            binary::Part::Data(piece) => {
                let ends = self.data(piece) && asked.shape == Shape::One;
                Ok(ends.then(|| self.values()))
            }
            binary::Part::Reply(reply) => self.packet(&reply, asked),
        }
    }

    /// A packet that is no hit.
    fn packet(
        &mut self,
        reply: &binary::Reply<'_>,
        asked: &Asked,
    ) -> Result<Option<Answer>, ProtocolError> {
        let index = asked.index(reply.head.opaque)?;
        if let Shape::UntilNoop(keys) = asked.shape {
            // An error in answer to one of the quiet gets counts as a miss.
            return Ok((index == keys).then(|| self.values()));
        }
        if !reply.is_final() {
            self.stat(reply.key, reply.value)?;
            return Ok(None);
        }
        if !self.stats.is_empty() {
            return Ok(Some(self.take_stats()));
        }
        Ok(Some(Answer::of_packet(reply)))
    }

    fn begin(
        &mut self,
        key: Option<Bytes>,
        index: Option<usize>,
        attributes: Attributes,
        value_bytes: usize,
    ) -> Result<(), ProtocolError> {
        if value_bytes > self.value_bytes_max {
            return Err(ProtocolError::TooLong {
                bytes: value_bytes,
                max: self.value_bytes_max,
            });
        }
        self.partial = Some(Partial {
            hit: Hit {
                key,
                index,
                value: Bytes::new(),
                attributes,
            },
            value: BytesMut::with_capacity(value_bytes.min(VALUE_BYTES_AT_FIRST)),
        });
        Ok(())
    }

    /// Takes a piece of the value under way; true when the value is whole.
    fn data(&mut self, piece: DataPiece<'_>) -> bool {
        let Some(partial) = &mut self.partial else {
            return false;
        };
        partial.value.extend_from_slice(piece.bytes);
        if piece.last
            && let Some(Partial { mut hit, value }) = self.partial.take()
        {
            hit.value = value.freeze();
            self.hits.push(hit);
        }
        piece.last
    }

    fn stat(&mut self, name: &[u8], value: &[u8]) -> Result<(), ProtocolError> {
        self.stats_bytes += name.len() + value.len();
        if self.stats_bytes > STATS_BYTES_MAX {
            return Err(ProtocolError::TooLong {
                bytes: self.stats_bytes,
                max: STATS_BYTES_MAX,
            });
        }
        self.stats.push((text(name), text(value)));
        Ok(())
    }

    fn values(&mut self) -> Answer {
        Answer::Values(std::mem::take(&mut self.hits))
    }

    fn take_stats(&mut self) -> Answer {
        self.stats_bytes = 0;
        Answer::Stats(std::mem::take(&mut self.stats))
    }
}
