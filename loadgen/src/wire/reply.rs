//! The meaning of replies, whatever the protocol: what a [`ReplySink`] is told.

use super::fault::ProtocolError;
use super::opcode;
use super::protocol::Protocol;
use crate::workload::verb::Verb;

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
            Self::Opcode(opcode) => opcode::answers(opcode, verb),
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
