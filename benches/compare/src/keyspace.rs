//! Keys and values by number.
//!
//! A key is `key:` + zero padding + its number, always `key_bytes` long; a value begins and ends
//! with the last [`MARK_BYTES`] digits of its key's number, so that a reply can be checked
//! without keeping a copy of the data.

use corecached_client::wire::Piece;

use crate::args::Args;

/// Digits of the key's number at both ends of a value; fits the smallest value allowed.
pub(crate) const MARK_BYTES: usize = 10;

const PREFIX: &[u8] = b"key:";

/// Writes keys and values, and takes keys apart.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace {
    key_bytes: usize,
    value_bytes: usize,
}

impl Keyspace {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            key_bytes: args.key_bytes.into(),
            value_bytes: args.value_bytes as usize,
        }
    }

    pub(crate) fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// The key of `number`.
    pub(crate) fn key(&self, number: u32) -> Key<'_> {
        Key {
            keyspace: self,
            number,
        }
    }

    /// The value of `number`.
    pub(crate) fn value(&self, number: u32) -> Value<'_> {
        Value {
            keyspace: self,
            number,
        }
    }

    /// The number in `key`, if it is one of ours.
    pub(crate) fn number_of(&self, key: &[u8]) -> Option<u32> {
        if key.len() != self.key_bytes || !key.starts_with(PREFIX) {
            return None;
        }
        key[PREFIX.len()..].iter().try_fold(0u32, |sum, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| sum.wrapping_mul(10).wrapping_add(digit.into()))
        })
    }
}

/// The key of a number.
pub(crate) struct Key<'k> {
    keyspace: &'k Keyspace,
    number: u32,
}

impl Piece for Key<'_> {
    fn length(&self) -> usize {
        self.keyspace.key_bytes
    }

    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PREFIX);
        let padding = self.keyspace.key_bytes - PREFIX.len() - MARK_BYTES;
        out.extend(std::iter::repeat_n(b'0', padding));
        out.extend_from_slice(&mark(self.number));
    }
}

/// The value of a number.
pub(crate) struct Value<'k> {
    keyspace: &'k Keyspace,
    number: u32,
}

impl Piece for Value<'_> {
    fn length(&self) -> usize {
        self.keyspace.value_bytes
    }

    fn append(&self, out: &mut Vec<u8>) {
        let mark = mark(self.number);
        let start = out.len();
        out.resize(start + self.keyspace.value_bytes, b'v');
        out[start..start + MARK_BYTES].copy_from_slice(&mark);
        let end = out.len();
        out[end - MARK_BYTES..].copy_from_slice(&mark);
    }
}

/// The digits that both ends of a value of key `number` carry.
pub(crate) fn mark(number: u32) -> [u8; MARK_BYTES] {
    let mut digits = [b'0'; MARK_BYTES];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace() -> Keyspace {
        Keyspace {
            key_bytes: 24,
            value_bytes: 30,
        }
    }

    #[test]
    fn a_key_carries_its_number() {
        let mut key = Vec::new();
        keyspace().key(123_456).append(&mut key);
        assert_eq!(key, b"key:00000000000000123456");
        assert_eq!(keyspace().number_of(&key), Some(123_456));
        assert_eq!(keyspace().number_of(b"key:1"), None);
    }

    #[test]
    fn a_value_is_marked_at_both_ends() {
        let mut value = Vec::new();
        keyspace().value(42).append(&mut value);
        assert_eq!(value, b"0000000042vvvvvvvvvv0000000042");
    }
}
