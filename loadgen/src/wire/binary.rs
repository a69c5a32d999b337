//! The binary protocol: 24-byte headers, big endian. Multi-gets are quiet gets with a no-op behind them.
//!
//! The opaque of every request is the low half of its key's number, so that a reply for another key shows even
//! where the reply has no key.

use super::{ErrorKind, Kind, ProtocolError, ReplySink, Request, Shape, Status, ValueHeader};
use crate::workload::Workload;
use crate::workload::keys::{KEY_BYTES_MAX, KeyId};
use crate::workload::verb::{KeySpace, Verb};

const HEADER_BYTES: usize = 24;
const MAGIC_REQUEST: u8 = 0x80;
const MAGIC_REPLY: u8 = 0x81;

mod opcode {
    pub(super) const GET: u8 = 0x00;
    pub(super) const SET: u8 = 0x01;
    pub(super) const ADD: u8 = 0x02;
    pub(super) const REPLACE: u8 = 0x03;
    pub(super) const DELETE: u8 = 0x04;
    pub(super) const INCREMENT: u8 = 0x05;
    pub(super) const DECREMENT: u8 = 0x06;
    pub(super) const NOOP: u8 = 0x0a;
    pub(super) const GETKQ: u8 = 0x0d;
    pub(super) const APPEND: u8 = 0x0e;
    pub(super) const PREPEND: u8 = 0x0f;
    pub(super) const TOUCH: u8 = 0x1c;
    pub(super) const GAT: u8 = 0x1d;
}

/// An incr or decr with this exptime does not create its counter.
const NEVER_CREATE: u32 = u32::MAX;

/// Appends the request.
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let ttl = request.mark.ttl_s.to_be_bytes();
    match request.verb {
        Verb::Get | Verb::Gets | Verb::MetaGet => {
            packet(opcode::GET, &[], workload, request, false, out);
        }
        Verb::MultiGet => multiget(workload, request, out),
        Verb::Delete | Verb::MetaDelete => {
            packet(opcode::DELETE, &[], workload, request, false, out);
        }
        Verb::Touch => packet(opcode::TOUCH, &ttl, workload, request, false, out),
        Verb::Gat => packet(opcode::GAT, &ttl, workload, request, false, out),
        Verb::Incr | Verb::MetaArith => arithmetic(opcode::INCREMENT, workload, request, out),
        Verb::Decr => arithmetic(opcode::DECREMENT, workload, request, out),
        Verb::Set | Verb::Cas | Verb::MetaSet => store(opcode::SET, workload, request, out),
        Verb::Add => store(opcode::ADD, workload, request, out),
        Verb::Replace => store(opcode::REPLACE, workload, request, out),
        Verb::Append => packet(opcode::APPEND, &[], workload, request, true, out),
        Verb::Prepend => packet(opcode::PREPEND, &[], workload, request, true, out),
    }
}

/// Whether a reply with this opcode can be meant for a request with this verb.
pub(super) fn answers(opcode: u8, verb: Verb) -> bool {
    match verb {
        Verb::Get | Verb::Gets | Verb::MetaGet => opcode == opcode::GET,
        Verb::MultiGet => matches!(opcode, opcode::GETKQ | opcode::NOOP),
        Verb::Delete | Verb::MetaDelete => opcode == opcode::DELETE,
        Verb::Touch => opcode == opcode::TOUCH,
        Verb::Gat => opcode == opcode::GAT,
        Verb::Incr | Verb::MetaArith => opcode == opcode::INCREMENT,
        Verb::Decr => opcode == opcode::DECREMENT,
        Verb::Set | Verb::Cas | Verb::MetaSet => opcode == opcode::SET,
        Verb::Add => opcode == opcode::ADD,
        Verb::Replace => opcode == opcode::REPLACE,
        Verb::Append => opcode == opcode::APPEND,
        Verb::Prepend => opcode == opcode::PREPEND,
    }
}

fn opaque(key: KeyId) -> u32 {
    key.0 as u32
}

fn header(
    opcode: u8,
    key_bytes: usize,
    extras_bytes: usize,
    value_bytes: usize,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) {
    let body_bytes = (key_bytes + extras_bytes + value_bytes) as u32;
    let cas_unique = if request.verb == Verb::Cas {
        request.cas_unique
    } else {
        0
    };
    out.extend_from_slice(&[MAGIC_REQUEST, opcode]);
    out.extend_from_slice(&(key_bytes as u16).to_be_bytes());
    out.extend_from_slice(&[extras_bytes as u8, 0, 0, 0]);
    out.extend_from_slice(&body_bytes.to_be_bytes());
    out.extend_from_slice(&opaque(request.key).to_be_bytes());
    out.extend_from_slice(&cas_unique.to_be_bytes());
}

fn packet(
    opcode: u8,
    extras: &[u8],
    workload: &Workload,
    request: &Request<'_>,
    with_value: bool,
    out: &mut Vec<u8>,
) {
    let value_bytes = if with_value {
        request.value_bytes(workload) as usize
    } else {
        0
    };
    header(
        opcode,
        workload.key_format.key_bytes(),
        extras.len(),
        value_bytes,
        request,
        out,
    );
    out.extend_from_slice(extras);
    workload.key_format.render(request.space, request.key, out);
    if with_value {
        request.render_value(workload, out);
    }
}

fn multiget(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    for &key in request.keys {
        packet(
            opcode::GETKQ,
            &[],
            workload,
            &Request { key, ..*request },
            false,
            out,
        );
    }
    header(opcode::NOOP, 0, 0, 0, request, out);
}

fn store(opcode: u8, workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let mut extras = [0; 8];
    extras[4..].copy_from_slice(&request.mark.ttl_s.to_be_bytes());
    packet(opcode, &extras, workload, request, true, out);
}

fn arithmetic(opcode: u8, workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let mut extras = [0; 20];
    extras[..8].copy_from_slice(&1u64.to_be_bytes());
    extras[16..].copy_from_slice(&NEVER_CREATE.to_be_bytes());
    debug_assert_eq!(request.space, KeySpace::Counters);
    packet(opcode, &extras, workload, request, false, out);
}

/// The reply header's fields that matter to a client.
#[derive(Debug, Clone, Copy, Default)]
struct ReplyHeader {
    opcode: u8,
    key_bytes: usize,
    extras_bytes: usize,
    status: u16,
    body_bytes: usize,
    opaque: u32,
    cas_unique: u64,
}

impl ReplyHeader {
    fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let header = Self {
            opcode: bytes[1],
            key_bytes: usize::from(half(2)),
            extras_bytes: usize::from(bytes[4]),
            status: half(6),
            body_bytes: word(8) as usize,
            opaque: word(12),
            cas_unique: u64::from(word(16)) << 32 | u64::from(word(20)),
        };
        if header.key_bytes > KEY_BYTES_MAX
            || header.key_bytes + header.extras_bytes > header.body_bytes
        {
            return Err(ProtocolError::new(
                "a binary header whose lengths contradict each other",
                bytes,
            ));
        }
        Ok(header)
    }

    fn prefix_bytes(&self) -> usize {
        HEADER_BYTES + self.extras_bytes + self.key_bytes
    }

    fn value_bytes(&self) -> usize {
        self.body_bytes - self.extras_bytes - self.key_bytes
    }

    fn is_hit(&self) -> bool {
        self.status == 0 && matches!(self.opcode, opcode::GET | opcode::GETKQ | opcode::GAT)
    }

    fn status(&self) -> Status {
        match self.status {
            0 => Status::Ok,
            1 => Status::NotFound,
            2 if self.opcode == opcode::ADD => Status::NotStored,
            2 => Status::Exists,
            3 => Status::Error(ErrorKind::TooLarge),
            5 => Status::NotStored,
            0x81 => Status::Error(ErrorKind::UnknownCommand),
            0x82 => Status::Error(ErrorKind::OutOfMemory),
            4 | 6 => Status::Error(ErrorKind::Client),
            _ => Status::Error(ErrorKind::Server),
        }
    }
}

/// The parser of one connection.
#[derive(Debug)]
pub struct BinaryParser {
    /// Header, extras and key of the reply under way.
    prefix: Vec<u8>,
    header: ReplyHeader,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    ExtrasAndKey,
    Value { left: usize },
}

impl Default for BinaryParser {
    fn default() -> Self {
        Self {
            prefix: Vec::with_capacity(HEADER_BYTES + usize::from(u8::MAX) + KEY_BYTES_MAX),
            header: ReplyHeader::default(),
            state: State::Header,
        }
    }
}

impl BinaryParser {
    /// Takes the next received bytes.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl ReplySink,
    ) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Header => {
                    let rest = self.fill(HEADER_BYTES, bytes);
                    if self.prefix[0] != MAGIC_REPLY {
                        return Err(ProtocolError::new(
                            "not a reply of memcached's binary protocol",
                            &self.prefix,
                        ));
                    }
                    if self.prefix.len() == HEADER_BYTES {
                        self.header = ReplyHeader::parse(&self.prefix)?;
                        self.state = State::ExtrasAndKey;
                        self.begin_value(sink)?;
                    }
                    rest
                }
                State::ExtrasAndKey => {
                    let rest = self.fill(self.header.prefix_bytes(), bytes);
                    self.begin_value(sink)?;
                    rest
                }
                State::Value { left } => {
                    let (piece, rest) = bytes.split_at(left.min(bytes.len()));
                    self.take_value(piece, sink);
                    self.state = State::Value {
                        left: left - piece.len(),
                    };
                    self.end_value(sink)?;
                    rest
                }
            };
        }
        Ok(())
    }

    fn fill<'a>(&mut self, target: usize, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at((target - self.prefix.len()).min(bytes.len()));
        self.prefix.extend_from_slice(taken);
        rest
    }

    fn begin_value(&mut self, sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
        if self.prefix.len() < self.header.prefix_bytes() {
            return Ok(());
        }
        if sink.shape().is_none() {
            return Err(ProtocolError::unasked(&self.prefix));
        }
        if self.header.is_hit() {
            let key = &self.prefix[HEADER_BYTES + self.header.extras_bytes..];
            sink.value(&ValueHeader {
                kind: Kind::Opcode(self.header.opcode),
                key: (!key.is_empty()).then_some(key),
                opaque: Some(self.header.opaque),
                bytes: self.header.value_bytes() as u32,
                cas_unique: self.header.cas_unique,
            })?;
        }
        self.state = State::Value {
            left: self.header.value_bytes(),
        };
        self.end_value(sink)
    }

    fn take_value(&mut self, piece: &[u8], sink: &mut impl ReplySink) {
        if self.header.is_hit() {
            sink.body(piece);
        } else if matches!(self.header.status(), Status::Error(_)) {
            sink.error_text(piece);
        }
    }

    fn end_value(&mut self, sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
        let State::Value { left: 0 } = self.state else {
            return Ok(());
        };
        if self.header.is_hit() {
            sink.value_end();
        }
        let quiet = sink.shape() == Some(Shape::UntilNoop) && self.header.opcode == opcode::GETKQ;
        if !quiet {
            let status = self.header.status();
            let kind = match status {
                Status::Error(_) => Kind::Any,
                _ => Kind::Opcode(self.header.opcode),
            };
            sink.done(status, kind)?;
        }
        self.prefix.clear();
        self.state = State::Header;
        Ok(())
    }
}
