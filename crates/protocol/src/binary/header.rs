//! The 24 bytes that every packet begins with, of requests and of replies: read and written here only.
//!
//! The picture is at the head of [`binary`](super).

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;

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

/// A header. Nothing about it is checked; the data type is not looked at and is sent as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// [`REQUEST_MAGIC`] or [`REPLY_MAGIC`].
    pub magic: u8,
    /// The part that a reply repeats.
    pub head: Head,
    /// The code of a [`Status`](super::Status) in a reply; in a request it means nothing.
    pub status: u16,
    /// Length of the extras.
    pub extras_bytes: u8,
    /// Length of the key.
    pub key_bytes: u16,
    /// Length of extras, key and value together.
    pub body_bytes: u32,
    /// Cas unique.
    pub cas: u64,
}

impl Header {
    /// The header in these bytes.
    #[inline]
    #[must_use]
    pub const fn of(bytes: &[u8; HEADER_BYTES]) -> Self {
        let &[magic, opcode, k0, k1, extras, _, s0, s1, ref rest @ ..] = bytes;
        let &[b0, b1, b2, b3, o0, o1, o2, o3, ref cas @ ..] = rest;
        Header {
            magic,
            head: Head {
                opcode,
                opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            },
            status: u16::from_be_bytes([s0, s1]),
            extras_bytes: extras,
            key_bytes: u16::from_be_bytes([k0, k1]),
            body_bytes: u32::from_be_bytes([b0, b1, b2, b3]),
            cas: u64::from_be_bytes(*cas),
        }
    }

    /// The bytes of this header.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.magic;
        bytes[1] = self.head.opcode;
        bytes[2..4].copy_from_slice(&self.key_bytes.to_be_bytes());
        bytes[4] = self.extras_bytes;
        bytes[6..8].copy_from_slice(&self.status.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.body_bytes.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.head.opaque.to_be_bytes());
        bytes[16..].copy_from_slice(&self.cas.to_be_bytes());
        bytes
    }

    /// Length of extras and key together, which the value comes after.
    #[inline]
    #[must_use]
    pub fn bytes_before_value(&self) -> usize {
        usize::from(self.extras_bytes) + usize::from(self.key_bytes)
    }

    /// Length of the value; `None` if extras and key alone are longer than the body.
    #[inline]
    #[must_use]
    pub fn value_bytes(&self) -> Option<u32> {
        self.body_bytes
            .checked_sub(self.bytes_before_value() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; HEADER_BYTES] = [
        0x81, 0x0d, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    ];

    #[test]
    fn each_field_is_read_from_its_bytes() {
        let header = Header {
            magic: REPLY_MAGIC,
            head: Head {
                opcode: 0x0d,
                opaque: 0x0a0b_0c0d,
            },
            status: 0x0405,
            extras_bytes: 3,
            key_bytes: 0x0102,
            body_bytes: 0x0607_0809,
            cas: 0x0e0f_1011_1213_1415,
        };
        assert_eq!(Header::of(&BYTES), header);
        assert_eq!(header.bytes(), BYTES);
    }

    #[test]
    fn a_value_is_what_extras_and_key_leave_of_the_body() {
        let mut header = Header::of(&BYTES);
        assert_eq!(header.bytes_before_value(), 3 + 0x0102);
        for (body_bytes, value_bytes) in [
            (u32::MAX, Some(u32::MAX - 0x0105)),
            (0x0106, Some(1)),
            (0x0105, Some(0)),
            (0x0104, None),
            (0, None),
        ] {
            header.body_bytes = body_bytes;
            assert_eq!(header.value_bytes(), value_bytes);
        }
    }
}
