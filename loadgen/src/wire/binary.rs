//! The binary protocol: 24-byte headers, big endian. Multi-gets are quiet gets with a no-op behind them.
//!
//! ```text
//!   request  ->  corecached_client's packets      the opaque is the low half of the key's number, so that a reply
//!                                                 for another key shows even where the reply has no key
//!   Hit, Data, Reply  ->  value, body, value_end, done      a hit of a quiet get is not done: the no-op's reply is
//! ```

use super::fault::ProtocolError;
use super::opcode::opcode_of;
use super::reply::{ErrorKind, Kind, ReplySink, Shape, Status, ValueHeader};
use super::request::Request;
use crate::workload::Workload;
use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;
use corecached_client::wire::Carry;
use corecached_client::wire::binary::{
    self, Malformed, Opcode, Part, Reply, ReplyParser, Status as WireStatus,
};

fn opaque(key: KeyId) -> u32 {
    key.0 as u32
}

/// Appends the request.
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let (opcode, opaque) = (opcode_of(request.verb), opaque(request.key));
    let key = request.key_piece(workload);
    match request.verb {
        Verb::Get | Verb::Gets | Verb::MetaGet | Verb::Delete | Verb::MetaDelete => {
            binary::keyed(out, opcode, opaque, key, 0);
        }
        Verb::MultiGet => multiget(workload, request, out),
        Verb::Touch | Verb::Gat => binary::touch(out, opcode, opaque, key, request.mark.ttl_s),
        Verb::Incr | Verb::MetaArith | Verb::Decr => {
            binary::arith(out, opcode, opaque, key, 1, None);
        }
        Verb::Set | Verb::Cas | Verb::MetaSet | Verb::Add | Verb::Replace => {
            let cas = if request.verb == Verb::Cas {
                request.cas_unique
            } else {
                0
            };
            let fields = (0, request.mark.ttl_s, cas);
            binary::store(
                out,
                opcode,
                opaque,
                key,
                fields,
                request.value_piece(workload),
            );
        }
        Verb::Append | Verb::Prepend => {
            binary::with_value(out, opcode, opaque, key, 0, request.value_piece(workload));
        }
    }
}

fn multiget(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    for (&id, key) in request.keys.iter().zip(request.key_pieces(workload)) {
        binary::keyed(out, Opcode::GetKQ, opaque(id), key, 0);
    }
    binary::bare(out, Opcode::Noop, opaque(request.key));
}

fn status_of(reply: &Reply<'_>) -> Status {
    use WireStatus as S;
    match reply.status {
        Ok(S::Ok) => Status::Ok,
        Ok(S::NotFound) => Status::NotFound,
        Ok(S::Exists) if reply.head.opcode == Opcode::Add as u8 => Status::NotStored,
        Ok(S::Exists) => Status::Exists,
        Ok(S::NotStored) => Status::NotStored,
        Ok(S::TooLarge) => Status::Error(ErrorKind::TooLarge),
        Ok(S::UnknownCommand) => Status::Error(ErrorKind::UnknownCommand),
        Ok(S::OutOfMemory) => Status::Error(ErrorKind::OutOfMemory),
        Ok(S::Invalid | S::NonNumeric) => Status::Error(ErrorKind::Client),
        Ok(S::AuthError | S::AuthContinue) | Err(_) => Status::Error(ErrorKind::Server),
    }
}

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct BinaryParser {
    parser: ReplyParser,
    carry: Carry,
    /// The opcode of the hit whose value is coming.
    hit: u8,
}

impl BinaryParser {
    /// Takes the next received bytes.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
        let hit = &mut self.hit;
        self.carry.feed(
            &mut self.parser,
            bytes,
            |part, raw| take(part, raw, hit, sink),
            malformed,
        )
    }
}

#[inline]
fn take(
    part: Part<'_>,
    raw: &[u8],
    hit: &mut u8,
    sink: &mut impl ReplySink,
) -> Result<(), ProtocolError> {
    match part {
        Part::Data(piece) => {
            sink.body(piece.bytes);
            if piece.last { end(*hit, sink) } else { Ok(()) }
        }
        _ if sink.shape().is_none() => Err(ProtocolError::unasked(raw)),
        Part::Hit {
            head,
            key,
            value_bytes,
            cas,
            ..
        } => {
            *hit = head.opcode;
            sink.value(&ValueHeader {
                kind: Kind::Opcode(head.opcode),
                key: (!key.is_empty()).then_some(key),
                opaque: Some(head.opaque),
                // The length of a packet's body has 32 bits.
                bytes: value_bytes as u32,
                cas_unique: cas,
            })?;
            if value_bytes == 0 {
                return end(head.opcode, sink);
            }
            Ok(())
        }
        Part::Reply(reply) => answer(&reply, sink),
    }
}

/// The value of a hit is complete, and the reply with it unless the get was quiet.
#[inline]
fn end(opcode: u8, sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
    sink.value_end();
    if is_quiet(opcode, sink) {
        return Ok(());
    }
    sink.done(Status::Ok, Kind::Opcode(opcode))
}

/// A reply that is no hit.
fn answer(reply: &Reply<'_>, sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
    let status = status_of(reply);
    let is_error = matches!(status, Status::Error(_));
    if is_error {
        sink.error_text(reply.value);
    }
    let opcode = reply.head.opcode;
    if is_quiet(opcode, sink) {
        return Ok(());
    }
    let kind = if is_error {
        Kind::Any
    } else {
        Kind::Opcode(opcode)
    };
    sink.done(status, kind)
}

fn is_quiet(opcode: u8, sink: &impl ReplySink) -> bool {
    opcode == Opcode::GetKQ as u8 && sink.shape() == Some(Shape::UntilNoop)
}

#[cold]
fn malformed(error: Malformed, bytes: &[u8]) -> ProtocolError {
    let what = match error {
        Malformed::Magic => "not a reply of memcached's binary protocol",
        Malformed::Lengths => "a binary header whose lengths contradict each other",
        Malformed::BodyTooLong => "a binary reply of more than a megabyte that is no value",
    };
    ProtocolError::new(what, bytes)
}
