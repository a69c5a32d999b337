//! From buffered bytes to one packet.

use super::opcode::Opcode;
use super::request::BinaryRequest;
use super::status::Status;
use super::{arith, delete, flush, get, sasl, simple, stat, store};
use crate::KEY_BYTES_MAX;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;

/// Longest body; an item is never larger.
pub const BODY_BYTES_MAX: u32 = 1 << 30;

/// The most bytes that are needed before a packet is understood: the length of the extras has one byte, and that of the
/// key, which is checked first, is at most 250.
const _: () = assert!(HEADER_BYTES + u8::MAX as usize + KEY_BYTES_MAX < 1024);

/// First byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// First byte of a reply.
pub const REPLY_MAGIC: u8 = 0x81;

/// The part of a request that its reply repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The opcode as sent, known or not.
    pub opcode: u8,
    /// The client's own mark.
    pub opaque: u32,
}

/// The result of parsing the bytes at the start of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// Not a packet up to its value yet: read more.
    Incomplete,
    /// Not a packet at all: close the connection without a reply.
    NotAPacket,
    /// A packet up to its value.
    Packet {
        /// Bytes of header, extras and key. A value or bytes to swallow follow them.
        consumed: usize,
        /// The part that the reply repeats.
        head: Head,
        /// The request of the packet.
        request: BinaryRequest<'a>,
    },
}

/// A packet whose lengths fit together, as the parsers of the opcodes see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) opcode: Opcode,
    pub(super) cas: u64,
    pub(super) extras: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) value_bytes: u32,
}

/// The fields of a header that matter; datatype and vbucket are not looked at.
struct Header {
    magic: u8,
    head: Head,
    key_bytes: usize,
    extras_bytes: usize,
    body_bytes: u32,
    cas: u64,
}

impl Header {
    #[inline]
    fn of(bytes: &[u8; HEADER_BYTES]) -> Self {
        let [
            magic,
            opcode,
            k0,
            k1,
            extras,
            _,
            _,
            _,
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            o2,
            o3,
            cas @ ..,
        ] = *bytes;
        Header {
            magic,
            head: Head {
                opcode,
                opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            },
            key_bytes: usize::from(u16::from_be_bytes([k0, k1])),
            extras_bytes: usize::from(extras),
            body_bytes: u32::from_be_bytes([b0, b1, b2, b3]),
            cas: u64::from_be_bytes(cas),
        }
    }

    /// The error in the lengths of the header, if any. Such an error closes the connection, since the start of the next
    /// packet is in doubt.
    fn error(&self) -> Option<Status> {
        if self.key_bytes + self.extras_bytes > self.body_bytes as usize {
            Some(Status::UnknownCommand)
        } else if self.body_bytes > BODY_BYTES_MAX || self.key_bytes > KEY_BYTES_MAX {
            Some(Status::Invalid)
        } else {
            None
        }
    }
}

/// Parses the packet at the start of `buf`, up to its value.
#[inline]
#[must_use]
pub fn parse(buf: &[u8]) -> Parsed<'_> {
    let Some(bytes) = buf.first_chunk() else {
        return match buf.first() {
            Some(&first) if first != REQUEST_MAGIC => Parsed::NotAPacket,
            _ => Parsed::Incomplete,
        };
    };
    let header = Header::of(bytes);
    if header.magic != REQUEST_MAGIC {
        return Parsed::NotAPacket;
    }
    let head = header.head;
    let answer = |consumed, request| Parsed::Packet {
        consumed,
        head,
        request,
    };
    if let Some(status) = header.error() {
        return answer(
            HEADER_BYTES,
            BinaryRequest::Error {
                status,
                swallow: 0,
                close: true,
            },
        );
    }
    let Some(opcode) = Opcode::from_byte(head.opcode) else {
        let swallow = header.body_bytes as usize;
        return answer(
            HEADER_BYTES,
            BinaryRequest::Error {
                status: Status::UnknownCommand,
                swallow,
                close: false,
            },
        );
    };
    let Some(rest) = buf[HEADER_BYTES..].get(..header.extras_bytes + header.key_bytes) else {
        return Parsed::Incomplete;
    };
    let (extras, key) = rest.split_at(header.extras_bytes);
    let value_bytes = header.body_bytes - rest.len() as u32;
    let packet = Packet {
        opcode,
        cas: header.cas,
        extras,
        key,
        value_bytes,
    };
    let request = request(&packet).unwrap_or(BinaryRequest::Error {
        status: Status::Invalid,
        swallow: 0,
        close: true,
    });
    answer(HEADER_BYTES + rest.len(), request)
}

/// The bytes where the key of the packet at the start of `buf` should be, for a look ahead: only their presence is
/// checked.
#[inline]
#[must_use]
pub fn first_key(buf: &[u8]) -> Option<&[u8]> {
    let header = Header::of(buf.first_chunk()?);
    let start = HEADER_BYTES + header.extras_bytes;
    buf.get(start..start + header.key_bytes)
        .filter(|key| !key.is_empty())
}

/// The request of a packet; `None` if its lengths are not those of its opcode.
#[inline]
fn request<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    use Opcode as O;
    match packet.opcode {
        O::Get | O::GetQ | O::GetK | O::GetKQ => get::parse_get(packet),
        O::Gat | O::GatQ | O::GatK | O::GatKQ | O::Touch => get::parse_touch(packet),
        O::Set | O::SetQ | O::Add | O::AddQ | O::Replace | O::ReplaceQ => {
            store::parse_store(packet)
        }
        O::Append | O::AppendQ | O::Prepend | O::PrependQ => store::parse_concat(packet),
        O::Delete | O::DeleteQ => delete::parse(packet),
        O::Incr | O::IncrQ | O::Decr | O::DecrQ => arith::parse(packet),
        O::Flush | O::FlushQ => flush::parse(packet),
        O::Noop | O::Version | O::Quit | O::QuitQ => simple::parse(packet),
        O::Stat => stat::parse(packet),
        O::SaslList | O::SaslAuth | O::SaslStep => sasl::parse(packet),
    }
}

impl Packet<'_> {
    /// Whether the packet has neither key nor value.
    pub(super) fn is_bare(&self) -> bool {
        self.key.is_empty() && self.value_bytes == 0
    }

    /// Whether the packet has a key and no value.
    pub(super) fn is_keyed(&self) -> bool {
        !self.key.is_empty() && self.value_bytes == 0
    }
}
