//! From buffered bytes to one packet.

use super::header::{HEADER_BYTES, Head, Header, REQUEST_MAGIC};
use super::opcode::Opcode;
use super::packet::Packet;
use super::request::BinaryRequest;
use super::status::Status;
use super::{arith, delete, flush, get, sasl, simple, stat, store};
use crate::KEY_BYTES_MAX;

/// Longest body; an item is never larger.
pub const BODY_BYTES_MAX: u32 = 1 << 30;

/// The most bytes that are needed before a packet is understood: the length of the extras has one byte, and that of the
/// key, which is checked first, is at most 250.
const _: () = assert!(HEADER_BYTES + u8::MAX as usize + KEY_BYTES_MAX < 1024);

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

/// Length of the value, or the error in the lengths of a header. Such an error closes the connection, since the start
/// of the next packet is in doubt.
#[inline]
fn value_bytes(header: &Header) -> Result<u32, Status> {
    let value_bytes = header.value_bytes().ok_or(Status::UnknownCommand)?;
    if header.body_bytes > BODY_BYTES_MAX || usize::from(header.key_bytes) > KEY_BYTES_MAX {
        return Err(Status::Invalid);
    }
    Ok(value_bytes)
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
    let value_bytes = match value_bytes(&header) {
        Ok(value_bytes) => value_bytes,
        Err(status) => {
            let request = BinaryRequest::Error {
                status,
                swallow: 0,
                close: true,
            };
            return answer(HEADER_BYTES, request);
        }
    };
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
    let Some(rest) = buf[HEADER_BYTES..].get(..header.bytes_before_value()) else {
        return Parsed::Incomplete;
    };
    let (extras, key) = rest.split_at(usize::from(header.extras_bytes));
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
    let start = HEADER_BYTES + usize::from(header.extras_bytes);
    buf.get(start..HEADER_BYTES + header.bytes_before_value())
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
