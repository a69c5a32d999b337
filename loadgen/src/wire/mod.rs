//! loadgen's requests in the protocols of `corecached_client`: requests to bytes, bytes to events. No sockets, no
//! clocks.
//!
//! Rendering appends to a buffer whose capacity was reserved before the run. Parsing is incremental: bytes go in as
//! they were received, in any pieces, and a [`ReplySink`] is told their meaning. Values pass through as slices of the
//! receive buffer and are never copied.

pub mod binary;
pub mod line;
pub mod meta;
pub mod text;

use crate::value::{self, Mark};
use crate::workload::Workload;
use crate::workload::keys::{KeyFormat, KeyId};
use crate::workload::verb::{KeySpace, Verb};
use clap::ValueEnum;
use corecached_client::wire::Piece;
use std::fmt;

/// A protocol of memcached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Classic text; the meta verbs of a mix are meta commands on the same connections.
    Text,
    /// Every verb as a meta command.
    Meta,
    /// The binary protocol.
    Binary,
}

impl Protocol {
    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Meta => "meta",
            Self::Binary => "binary",
        }
    }
}

/// One request to render.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The operation.
    pub verb: Verb,
    /// The space of the key, which decides what a value is.
    pub space: KeySpace,
    /// The key.
    pub key: KeyId,
    /// The keys of a multi-get, the first included; empty for other verbs.
    pub keys: &'a [KeyId],
    /// The header of a written value, with the lifetime asked for.
    pub mark: Mark,
    /// The unique of a cas.
    pub cas_unique: u64,
}

/// Keys of one request at their longest, with all framing.
const FRAME_BYTES_MAX: usize = 128;

/// An upper bound on the bytes of one request of `workload`: what send buffers reserve.
#[must_use]
pub fn request_bytes_max(workload: &Workload) -> usize {
    let key = workload.key_format.key_bytes() + FRAME_BYTES_MAX;
    let keys = if workload.spec.mix.any(|verb| verb == Verb::MultiGet) {
        workload.spec.mix.multiget_keys() + 1
    } else {
        1
    };
    key * keys + workload.sizes.bytes_max() as usize
}

/// The bytes that one append or prepend adds.
const LIST_ELEMENT: &[u8] = b"0123456789abcdef";

/// The first number of a counter: it leaves room for many decrements before the counter stops at zero.
const COUNTER_START: &[u8] = b"1000000000";

impl Request<'_> {
    /// The length of the value this request carries.
    #[must_use]
    pub fn value_bytes(&self, workload: &Workload) -> u32 {
        match self.space {
            KeySpace::Values => workload.sizes.value_bytes(self.key),
            KeySpace::Counters => COUNTER_START.len() as u32,
            KeySpace::Lists => LIST_ELEMENT.len() as u32,
        }
    }

    /// The key, as something that appends itself.
    #[inline]
    fn key_piece<'w>(&self, workload: &'w Workload) -> KeyPiece<'w> {
        KeyPiece {
            format: &workload.key_format,
            space: self.space,
            key: self.key,
        }
    }

    /// The keys of a multi-get.
    fn key_pieces<'w>(&self, workload: &'w Workload) -> impl Iterator<Item = KeyPiece<'w>> {
        let (format, space) = (&workload.key_format, self.space);
        self.keys
            .iter()
            .map(move |&key| KeyPiece { format, space, key })
    }

    /// The value, as something that appends itself.
    #[inline]
    fn value_piece<'w>(&'w self, workload: &'w Workload) -> ValuePiece<'w> {
        ValuePiece {
            request: self,
            workload,
        }
    }

    /// Appends the value.
    pub fn render_value(&self, workload: &Workload, out: &mut Vec<u8>) {
        match self.space {
            KeySpace::Values => value::render(self.mark, self.value_bytes(workload), out),
            KeySpace::Counters => out.extend_from_slice(COUNTER_START),
            KeySpace::Lists => out.extend_from_slice(LIST_ELEMENT),
        }
    }
}

/// A key that is rendered right into a request.
struct KeyPiece<'w> {
    format: &'w KeyFormat,
    space: KeySpace,
    key: KeyId,
}

impl Piece for KeyPiece<'_> {
    #[inline]
    fn length(&self) -> usize {
        self.format.key_bytes()
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        self.format.render(self.space, self.key, out);
    }
}

/// A value that is made right in a request.
struct ValuePiece<'w> {
    request: &'w Request<'w>,
    workload: &'w Workload,
}

impl Piece for ValuePiece<'_> {
    #[inline]
    fn length(&self) -> usize {
        self.request.value_bytes(self.workload) as usize
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        self.request.render_value(self.workload, out);
    }
}

/// Appends the bytes of `request` in `protocol`.
#[inline]
pub fn render(protocol: Protocol, workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    match protocol {
        Protocol::Text if !request.verb.is_meta() => text::render(workload, request, out),
        Protocol::Text | Protocol::Meta => meta::render(workload, request, out),
        Protocol::Binary => binary::render(workload, request, out),
    }
}

/// How many replies the oldest outstanding request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One reply.
    One,
    /// Any number of hits, then the reply of a no-op (quiet gets).
    UntilNoop,
}

/// The kind of a reply, which limits the requests that it can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The reply may answer any request (an error, a reply without a verb).
    Any,
    /// `VALUE` or `END`: a classic read.
    Retrieval,
    /// `STORED`, `NOT_STORED` or `EXISTS`.
    Storage,
    /// `DELETED`.
    Deleted,
    /// `TOUCHED`.
    Touched,
    /// A number: a classic incr or decr.
    Number,
    /// `NOT_FOUND`.
    NotFound,
    /// A meta reply without a value.
    Meta,
    /// A meta reply with a value.
    MetaValue,
    /// A binary reply with this opcode.
    Opcode(u8),
}

impl Kind {
    /// Whether such a reply can be meant for a request with this verb.
    #[inline]
    #[must_use]
    pub fn fits(self, verb: Verb, protocol: Protocol) -> bool {
        let meta = protocol == Protocol::Meta || verb.is_meta();
        match self {
            Self::Any => true,
            Self::Retrieval => !meta && verb.reads(),
            Self::Storage => {
                !meta && (verb.writes_value() || matches!(verb, Verb::Append | Verb::Prepend))
            }
            Self::Deleted => !meta && verb.deletes(),
            Self::Touched => !meta && verb == Verb::Touch,
            Self::Number => !meta && matches!(verb, Verb::Incr | Verb::Decr),
            Self::NotFound => {
                !meta
                    && matches!(
                        verb,
                        Verb::Cas | Verb::Delete | Verb::Incr | Verb::Decr | Verb::Touch
                    )
            }
            Self::Meta => meta,
            Self::MetaValue => {
                meta && (verb.reads() || matches!(verb, Verb::Incr | Verb::Decr | Verb::MetaArith))
            }
            Self::Opcode(opcode) => binary::answers(opcode, verb),
        }
    }
}

/// The first line or header of a hit.
#[derive(Debug, Clone, Copy)]
pub struct ValueHeader<'a> {
    /// The kind of reply that the hit begins.
    pub kind: Kind,
    /// The key, if the reply has it.
    pub key: Option<&'a [u8]>,
    /// The opaque of the binary protocol, which loadgen fills with the low bits of the key number.
    pub opaque: Option<u32>,
    /// Length of the value.
    pub bytes: u32,
    /// The cas unique, if the reply has it.
    pub cas_unique: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Stored, deleted, touched, counted; for reads: all hits have been reported.
    Ok,
    /// `NOT_STORED`.
    NotStored,
    /// `EXISTS`.
    Exists,
    /// `NOT_FOUND`, or a miss where the protocol says so.
    NotFound,
    /// The server refused.
    Error(ErrorKind),
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorKind {
    /// `ERROR`: the server does not know the command.
    UnknownCommand,
    /// `CLIENT_ERROR`: the server does not like the request.
    Client,
    /// `SERVER_ERROR out of memory ...`.
    OutOfMemory,
    /// `SERVER_ERROR object too large for cache`.
    TooLarge,
    /// Any other `SERVER_ERROR`.
    Server,
}

impl ErrorKind {
    /// The number of kinds.
    pub const COUNT: usize = 5;

    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UnknownCommand,
        Self::Client,
        Self::OutOfMemory,
        Self::TooLarge,
        Self::Server,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownCommand => "unknown command",
            Self::Client => "client error",
            Self::OutOfMemory => "out of memory",
            Self::TooLarge => "too large",
            Self::Server => "server error",
        }
    }
}

/// Is told the meaning of a connection's bytes, in order.
pub trait ReplySink {
    /// The shape of the oldest outstanding request, or nothing if none is outstanding.
    fn shape(&self) -> Option<Shape>;
    /// A hit begins. An error ends the conversation: later bytes of this connection cannot be understood.
    fn value(&mut self, header: &ValueHeader<'_>) -> Result<(), ProtocolError>;
    /// The next piece of the hit's value.
    fn body(&mut self, piece: &[u8]);
    /// The value is complete.
    fn value_end(&mut self);
    /// A refusal's text; [`ReplySink::done`] follows.
    fn error_text(&mut self, text: &[u8]);
    /// The oldest outstanding request is answered. An error ends the conversation.
    fn done(&mut self, status: Status, kind: Kind) -> Result<(), ProtocolError>;
}

/// The reason why a conversation cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are no reply of the protocol.
    Malformed,
    /// The replies are of the protocol, but do not belong to the requests they arrive for: one was lost, or came twice.
    Shifted,
}

/// Bytes that are no reply of the protocol, or a reply to another request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// The kind of fault.
    pub fault: Fault,
    what: &'static str,
    excerpt: String,
}

impl ProtocolError {
    /// An error about `bytes`, of which an excerpt is kept.
    #[must_use]
    pub fn new(what: &'static str, bytes: &[u8]) -> Self {
        let excerpt = bytes[..bytes.len().min(64)].escape_ascii().to_string();
        Self {
            fault: Fault::Malformed,
            what,
            excerpt,
        }
    }

    /// The error of a reply that no request asked for.
    #[must_use]
    pub fn unasked(bytes: &[u8]) -> Self {
        let excerpt = Self::new("", bytes).excerpt;
        Self::shifted(format!("a reply that nothing was asked for: \"{excerpt}\""))
    }

    /// Replies that are shifted, as `example` shows.
    #[must_use]
    pub fn shifted(example: String) -> Self {
        Self {
            fault: Fault::Shifted,
            what: "",
            excerpt: example,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Malformed => write!(f, "{}: \"{}\"", self.what, self.excerpt),
            Fault::Shifted => f.write_str(&self.excerpt),
        }
    }
}

/// The reply parser of one connection.
#[derive(Debug)]
pub enum Parser {
    /// Classic text and meta.
    Line(line::LineParser),
    /// Binary.
    Binary(binary::BinaryParser),
}

impl Parser {
    /// The parser for `protocol`.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Text | Protocol::Meta => Self::Line(line::LineParser::default()),
            Protocol::Binary => Self::Binary(binary::BinaryParser::default()),
        }
    }

    /// Takes the next received bytes.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
        match self {
            Self::Line(parser) => parser.feed(bytes, sink),
            Self::Binary(parser) => parser.feed(bytes, sink),
        }
    }
}

#[cfg(test)]
mod tests;
