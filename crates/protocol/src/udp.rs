//! The frame of a UDP datagram: eight bytes before the text or binary protocol.
//!
//! ```text
//!    0         2         4         6         8
//!   +---------+---------+---------+---------+-------------------------+
//!   | request | number  | number  | 0       | a request, or a piece   |
//!   | id      | of this | of all  |         | of the reply            |
//!   +---------+---------+---------+---------+-------------------------+
//!     big endian, 16 bits each; a request is one datagram, a reply as many as it takes
//! ```
//!
//! All replies to one request datagram are one message, numbered through: as the protocol says, and unlike memcached
//! since 1.6, which numbers each value of a multi-get as a message of its own.

/// Bytes of the frame.
pub const HEADER_BYTES: usize = 8;
/// Longest datagram of a reply, frame included: it passes through an Ethernet unfragmented.
pub const DATAGRAM_BYTES_MAX: usize = 1400;
/// Bytes of the reply in each datagram but the last.
pub const PAYLOAD_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - HEADER_BYTES;
/// Longest reply: datagrams are numbered with 16 bits.
pub const REPLY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX * u16::MAX as usize;

/// The client's number for its request; every datagram of the reply carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u16);

/// The request in a datagram. `None` if there is none, or if the datagram is a part of a longer request, which
/// memcached does not take either.
pub fn request(datagram: &[u8]) -> Option<(RequestId, &[u8])> {
    let (&[id0, id1, _, _, total0, total1, _, _], request) =
        datagram.split_first_chunk::<HEADER_BYTES>()?;
    let is_whole = [total0, total1] == [0, 1];
    (is_whole && !request.is_empty())
        .then_some((RequestId(u16::from_be_bytes([id0, id1])), request))
}

/// The number of datagrams that a reply of `reply_bytes` bytes takes.
pub const fn datagrams(reply_bytes: usize) -> usize {
    reply_bytes.div_ceil(PAYLOAD_BYTES_MAX)
}

/// Appends the datagrams of the reply that `pieces` make up together, one after the other: all but the last have
/// [`DATAGRAM_BYTES_MAX`] bytes.
///
/// `reply_bytes` is the length of all pieces, at most [`REPLY_BYTES_MAX`].
pub fn frame<'a>(
    id: RequestId,
    reply_bytes: usize,
    pieces: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) {
    debug_assert!(reply_bytes <= REPLY_BYTES_MAX, "too long for 16 bits");
    let total = datagrams(reply_bytes);
    out.reserve(reply_bytes + total * HEADER_BYTES);
    let (mut number, mut room) = (0_usize, 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            if room == 0 {
                header(id, number as u16, total as u16, out);
                (number, room) = (number + 1, PAYLOAD_BYTES_MAX);
            }
            let (now, later) = piece.split_at(piece.len().min(room));
            out.extend_from_slice(now);
            room -= now.len();
            piece = later;
        }
    }
    debug_assert!(
        number == total,
        "the pieces have another length than was said"
    );
}

fn header(id: RequestId, number: u16, total: u16, out: &mut Vec<u8>) {
    for word in [id.0, number, total, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_are_taken() {
        let whole = b"\x12\x34\x00\x00\x00\x01\x00\x00get a\r\n";
        assert_eq!(request(whole), Some((RequestId(0x1234), &b"get a\r\n"[..])));
        // The number of this datagram and the last word are not looked at, as in memcached.
        let odd = b"\x00\x01\x00\x07\x00\x01\xff\xffx";
        assert_eq!(request(odd), Some((RequestId(1), &b"x"[..])));
        for refused in [
            &b""[..],
            b"get a\r\n",
            b"\x00\x01\x00\x00\x00\x01\x00\x00",
            b"\x00\x01\x00\x00\x00\x02\x00\x00get a\r\n",
            b"\x00\x01\x00\x00\x01\x01\x00\x00get a\r\n",
            b"\x00\x01\x00\x00\x00\x00\x00\x00get a\r\n",
        ] {
            assert_eq!(request(refused), None, "{refused:?}");
        }
    }

    /// Takes datagrams apart as a client does.
    fn unframe(id: u16, mut bytes: &[u8]) -> Vec<u8> {
        let (mut reply, mut number) = (Vec::new(), 0_u16);
        while !bytes.is_empty() {
            let (datagram, rest) = bytes.split_at(bytes.len().min(DATAGRAM_BYTES_MAX));
            let word = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
            let total = datagrams_of(bytes.len(), number);
            assert_eq!(
                [word(0), word(2), word(4), word(6)],
                [id, number, total, 0],
                "header of datagram {number}"
            );
            reply.extend_from_slice(&datagram[HEADER_BYTES..]);
            (bytes, number) = (rest, number + 1);
        }
        reply
    }

    fn datagrams_of(bytes_left: usize, number: u16) -> u16 {
        number + bytes_left.div_ceil(DATAGRAM_BYTES_MAX) as u16
    }

    #[test]
    fn replies_of_every_length_come_apart_and_together() {
        let reply: Vec<u8> = (0..3 * PAYLOAD_BYTES_MAX as u32 + 2)
            .map(|at| (at * 7 + at / 251) as u8)
            .collect();
        let lengths = (1..=3).flat_map(|n| {
            let edge = n * PAYLOAD_BYTES_MAX;
            [edge - 1, edge, edge + 1]
        });
        for length in lengths.chain([1, 7]) {
            for cut in [0, 1, length / 2, length] {
                let (first, second) = reply[..length].split_at(cut);
                let mut out = Vec::new();
                frame(RequestId(77), length, [first, second].into_iter(), &mut out);
                assert_eq!(unframe(77, &out), &reply[..length], "{length} cut at {cut}");
                assert_eq!(out.len(), length + datagrams(length) * HEADER_BYTES);
            }
        }
    }

    #[test]
    fn no_reply_is_no_datagram() {
        let mut out = Vec::new();
        frame(RequestId(1), 0, [&b""[..]].into_iter(), &mut out);
        assert!(out.is_empty());
    }
}
