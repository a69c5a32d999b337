//! The header and key of an item, read word by word. The words may be anything, since the memory may be changing.

use crate::item::{HEAD_BYTES, Head, State};
use crate::segment::View;
use crate::types::Deadline;

/// Words of the longest header with the longest key, and one behind them.
const WORDS: usize = (HEAD_BYTES + 8 + 4 + 4 + 16 + 255).div_ceil(8) + 1;

/// An item with the right key.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) head: Head,
    pub(super) address: usize,
    cas_bytes: usize,
    /// The words behind the head, up to the end of the fields before the key.
    fields: [u64; FIELD_WORDS],
}

/// Words of the fields between head and key, and one behind them.
const FIELD_WORDS: usize = 4;

/// The 8 bytes at `at` of some words. The last of the words lies behind all bytes that are asked for.
#[inline]
fn bytes_at(words: &[u64], at: usize) -> u64 {
    let (index, shift) = (at / 8, 8 * (at % 8));
    let low = words[index] >> shift;
    if shift == 0 {
        low
    } else {
        low | words[index + 1] << (64 - shift)
    }
}

/// Whether the bytes at `at` of the words are `key`.
#[inline]
fn has_key(words: &[u64], at: usize, key: &[u8]) -> bool {
    let (whole, rest) = key.as_chunks::<8>();
    let mut differs = 0;
    for (index, &bytes) in whole.iter().enumerate() {
        differs |= bytes_at(words, at + 8 * index) ^ u64::from_le_bytes(bytes);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let mask = u64::MAX >> (8 * (8 - rest.len()));
        differs |= bytes_at(words, at + 8 * whole.len()) & mask ^ u64::from_le_bytes(last);
    }
    differs == 0
}

impl Candidate {
    /// The item at `address`, if there seems to be one with this key.
    #[inline]
    pub(super) fn load(view: &View, address: usize, cas_bytes: usize, key: &[u8]) -> Option<Self> {
        let mut words = [0; WORDS];
        if !view.load_some(address, &mut words[..1]) {
            return None;
        }
        let head = Head(words[0]);
        // The engine has to be asked for a chain: its key lies further behind.
        head.known_state()?;
        if head.key_bytes() != key.len() {
            return None;
        }
        let key_at = head.key_at(cas_bytes);
        let count = (key_at + key.len()).div_ceil(8);
        if !view.load_some(address + HEAD_BYTES, &mut words[1..count]) {
            return None;
        }
        has_key(&words, key_at, key).then(|| Self {
            head,
            address,
            cas_bytes,
            fields: std::array::from_fn(|index| words[index + 1]),
        })
    }

    /// Whether this is a linked item in one chunk that a client has fetched.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.head.state() == State::Linked && self.head.is_fetched()
    }

    #[inline]
    fn field(&self, at: usize) -> u64 {
        bytes_at(&self.fields, at - HEAD_BYTES)
    }

    /// The cas unique, 0 without.
    #[inline]
    pub(super) fn cas(&self) -> u64 {
        let width = self.head.flags_at(self.cas_bytes) - HEAD_BYTES;
        match width {
            0 => 0,
            _ => self.field(HEAD_BYTES) & u64::MAX >> (64 - 8 * width),
        }
    }

    /// The client flags, 0 where none are kept.
    #[inline]
    pub(super) fn client_flags(&self) -> u32 {
        match self.head.has_flags() {
            true => self.field(self.head.flags_at(self.cas_bytes)) as u32,
            false => 0,
        }
    }

    /// The deadline.
    #[inline]
    pub(super) fn deadline(&self) -> Deadline {
        match self.head.has_deadline() {
            true => Deadline(self.field(self.head.deadline_at(self.cas_bytes)) as u32),
            false => Deadline::NEVER,
        }
    }

    /// Offset of the value in the segment.
    #[inline]
    pub(super) fn value_at(&self) -> usize {
        self.address + self.head.value_at(self.cas_bytes)
    }

    /// Bytes of header, key and value.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.head.value_at(self.cas_bytes) + self.head.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_wherever_they_lie() {
        let text: Vec<u8> = (0..96).collect();
        let (whole, _) = text.as_chunks::<8>();
        let words: Vec<u64> = whole.iter().map(|&word| u64::from_le_bytes(word)).collect();
        for at in 8..24 {
            for len in 1..=40 {
                let key = &text[at..at + len];
                assert!(has_key(&words, at, key), "{len} bytes at {at}");
                for wrong in 0..len {
                    let mut other = key.to_vec();
                    other[wrong] ^= 1;
                    assert!(
                        !has_key(&words, at, &other),
                        "byte {wrong} of {len} at {at}"
                    );
                }
            }
        }
    }
}
