//! Values that describe themselves, and the incremental check of one that comes back.
//!
//! ```text
//!  0          8          16      20      24      28
//!  | key mark | version  | bytes | ttl s | run   | pseudo-random body ...
//! ```
//!
//! The key mark is [`KeyId::mix`]; the version grows with the time of the write; the run tells values of this
//! process from those of another. The body is cut from a shared 64 KiB pool at an offset that key and version
//! choose, so that writing and checking it are a memcpy and a memcmp, and a value torn between two versions shows.
//! Values shorter than the header are a pattern of the key alone: wrong keys and lengths are still found.

use crate::workload::keys::KeyId;
use std::sync::LazyLock;

/// Bytes of the header; shorter values have a pattern instead.
pub const HEADER_BYTES: usize = 28;

const POOL_BYTES: usize = 1 << 16;

/// The pool, stored twice in a row, so that a piece that wraps around is still one slice.
static POOL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x853c_49e6_748f_ea9bu64;
    let once: Vec<u8> = (0..POOL_BYTES / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
        })
        .collect();
    [once.as_slice(), once.as_slice()].concat()
});

/// A write's place in time: nanoseconds since 1970 with the worker's number in the low bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(pub u64);

/// The header of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The key that the value belongs to.
    pub key: KeyId,
    /// The version, which tells when the value was written.
    pub version: Version,
    /// The lifetime that the value was written with, in seconds; 0 if it never expires.
    pub ttl_s: u32,
    /// The process that wrote the value.
    pub run: u32,
}

fn body_offset(key_mark: u64, version: Version) -> usize {
    let hash = (key_mark ^ version.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (u64::BITS - POOL_BYTES.ilog2())) as usize
}

/// Appends the value of `value_bytes` bytes that `mark` describes.
pub fn render(mark: Mark, value_bytes: u32, out: &mut Vec<u8>) {
    let key_mark = mark.key.mix();
    let mut left = value_bytes as usize;
    let mut offset = if left < HEADER_BYTES {
        body_offset(key_mark, Version(0))
    } else {
        out.extend_from_slice(&key_mark.to_le_bytes());
        out.extend_from_slice(&mark.version.0.to_le_bytes());
        out.extend_from_slice(&value_bytes.to_le_bytes());
        out.extend_from_slice(&mark.ttl_s.to_le_bytes());
        out.extend_from_slice(&mark.run.to_le_bytes());
        left -= HEADER_BYTES;
        body_offset(key_mark, mark.version)
    };
    let pool = POOL.as_slice();
    while left > 0 {
        let piece = left.min(POOL_BYTES);
        out.extend_from_slice(&pool[offset..offset + piece]);
        left -= piece;
        offset = (offset + piece) % POOL_BYTES;
    }
}

/// The fault of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The value carries another key's mark (or its pattern is not this key's).
    WrongKey,
    /// The value's length is not the key's length, or not the length in its header.
    WrongLength,
    /// The value's body does not belong to its header.
    Torn,
}

/// Checks one value as its pieces arrive, copying only the header.
#[derive(Debug)]
pub struct Check {
    key_mark: u64,
    value_bytes: u32,
    position: usize,
    offset: usize,
    header: [u8; HEADER_BYTES],
    mark: Mark,
    /// The key mark in the header.
    found_key_mark: Option<u64>,
    damage: Option<Damage>,
}

impl Default for Check {
    fn default() -> Self {
        Self::new(KeyId(0), 0, 0)
    }
}

impl Check {
    /// Begins the check of a value of `value_bytes` bytes for `key`, which should have `expected_bytes`.
    #[must_use]
    pub fn new(key: KeyId, value_bytes: u32, expected_bytes: u32) -> Self {
        let key_mark = key.mix();
        Self {
            key_mark,
            value_bytes,
            position: 0,
            offset: body_offset(key_mark, Version(0)),
            header: [0; HEADER_BYTES],
            mark: Mark {
                key,
                ..Mark::default()
            },
            found_key_mark: None,
            damage: (value_bytes != expected_bytes).then_some(Damage::WrongLength),
        }
    }

    /// The next bytes of the value.
    #[inline]
    pub fn feed(&mut self, mut piece: &[u8]) {
        if self.value_bytes as usize >= HEADER_BYTES && self.position < HEADER_BYTES {
            let take = piece.len().min(HEADER_BYTES - self.position);
            self.header[self.position..self.position + take].copy_from_slice(&piece[..take]);
            self.position += take;
            piece = &piece[take..];
            if self.position == HEADER_BYTES {
                self.read_header();
            }
        }
        self.check_body(piece);
    }

    fn check_body(&mut self, mut piece: &[u8]) {
        self.position += piece.len();
        let pool = POOL.as_slice();
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(POOL_BYTES));
            if self.damage.is_none() && now != &pool[self.offset..self.offset + now.len()] {
                let short = (self.value_bytes as usize) < HEADER_BYTES;
                self.damage = Some(if short {
                    Damage::WrongKey
                } else {
                    Damage::Torn
                });
            }
            self.offset = (self.offset + now.len()) % POOL_BYTES;
            piece = later;
        }
    }

    fn read_header(&mut self) {
        let word = |at: usize| {
            u64::from_le_bytes(self.header[at..at + 8].try_into().expect("eight bytes"))
        };
        let half =
            |at: usize| u32::from_le_bytes(self.header[at..at + 4].try_into().expect("four bytes"));
        let (key_mark, version) = (word(0), Version(word(8)));
        let (value_bytes, ttl_s, run) = (half(16), half(20), half(24));
        self.mark = Mark {
            version,
            ttl_s,
            run,
            ..self.mark
        };
        self.offset = body_offset(key_mark, version);
        self.found_key_mark = Some(key_mark);
        if key_mark != self.key_mark {
            self.damage = Some(Damage::WrongKey);
        } else if value_bytes != self.value_bytes {
            self.damage = Some(Damage::WrongLength);
        }
    }

    /// The key mark ([`KeyId::mix`]) in the value's header, if it has one.
    #[must_use]
    pub fn found_key_mark(&self) -> Option<u64> {
        self.found_key_mark
    }

    /// The result once all bytes were fed: the fault, or the mark (without version for a short value).
    pub fn finish(&self) -> Result<Option<Mark>, Damage> {
        match self.damage {
            Some(damage) => Err(damage),
            None if self.position != self.value_bytes as usize => Err(Damage::WrongLength),
            None if self.position < HEADER_BYTES => Ok(None),
            None => Ok(Some(self.mark)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(key: u64, version: u64) -> Mark {
        Mark {
            key: KeyId(key),
            version: Version(version),
            ttl_s: 60,
            run: 7,
        }
    }

    fn rendered(mark: Mark, bytes: u32) -> Vec<u8> {
        let mut out = Vec::new();
        render(mark, bytes, &mut out);
        assert_eq!(out.len(), bytes as usize);
        out
    }

    fn check(key: u64, expected: u32, value: &[u8], step: usize) -> Result<Option<Mark>, Damage> {
        let mut check = Check::new(KeyId(key), value.len() as u32, expected);
        value
            .chunks(step.max(1))
            .for_each(|piece| check.feed(piece));
        check.finish()
    }

    #[test]
    fn values_verify_in_any_pieces() {
        for bytes in [0, 1, 27, 28, 29, 100, 5000, 200_000] {
            let value = rendered(mark(5, 99), bytes);
            for step in [1, 7, 28, 4096, 300_000] {
                let expected = (bytes as usize >= HEADER_BYTES).then(|| mark(5, 99));
                assert_eq!(
                    check(5, bytes, &value, step),
                    Ok(expected),
                    "{bytes} by {step}"
                );
            }
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let value = rendered(mark(5, 99), 100);
        assert_eq!(check(6, 100, &value, 100), Err(Damage::WrongKey));
        assert_eq!(check(5, 101, &value, 100), Err(Damage::WrongLength));
        let mut torn = value.clone();
        torn[60..].copy_from_slice(&rendered(mark(5, 100), 100)[60..]);
        assert_eq!(check(5, 100, &torn, 33), Err(Damage::Torn));
        assert_eq!(
            check(6, 10, &rendered(mark(5, 1), 10), 10),
            Err(Damage::WrongKey)
        );
        let mut cut = value.clone();
        cut.truncate(90);
        assert_eq!(check(5, 90, &cut, 90), Err(Damage::WrongLength));
    }
}
