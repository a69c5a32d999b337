//! The protocol of a connection, which its first byte decides once.

/// First byte of a binary request packet.
const BINARY_REQUEST_MAGIC: u8 = 0x80;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Classic text and meta commands, one line each.
    Text,
    /// Packets with a 24-byte header.
    Binary,
}

impl Codec {
    /// The protocol that a connection's `first` byte chooses; it never changes afterwards.
    ///
    /// Only the request magic means binary: the reply magic 0x81 is text (and as such an unknown command).
    #[inline]
    #[must_use]
    pub const fn detect(first: u8) -> Codec {
        if first == BINARY_REQUEST_MAGIC {
            Codec::Binary
        } else {
            Codec::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_request_magic_is_binary() {
        for first in 0..=u8::MAX {
            assert_eq!(
                Codec::detect(first) == Codec::Binary,
                first == 0x80,
                "{first:#x}"
            );
        }
    }
}
