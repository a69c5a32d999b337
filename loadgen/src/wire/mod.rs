//! loadgen's requests in the protocols of `corecached_client`: requests to bytes, bytes to events. No sockets, no
//! clocks.
//!
//! Rendering appends to a buffer whose capacity was reserved before the run. Parsing is incremental: bytes go in as
//! they were received, in any pieces, and a [`ReplySink`] is told their meaning. Values pass through as slices of the
//! receive buffer and are never copied.
//!
//! ```text
//!   render  ->  text, meta, binary  ->  request        the verb, keys and value that are sent
//!   Parser  ->  line, binary        ->  reply, fault   what came back, and why it is no reply
//! ```

pub mod binary;
pub mod fault;
pub mod line;
pub mod meta;
mod opcode;
pub mod protocol;
pub mod reply;
pub mod request;
pub mod text;

use crate::workload::Workload;
use fault::ProtocolError;
use protocol::Protocol;
use reply::ReplySink;
use request::Request;

/// Appends the bytes of `request` in `protocol`.
#[inline]
pub fn render(protocol: Protocol, workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    match protocol {
        Protocol::Text if !request.verb.is_meta() => text::render(workload, request, out),
        Protocol::Text | Protocol::Meta => meta::render(workload, request, out),
        Protocol::Binary => binary::render(workload, request, out),
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
