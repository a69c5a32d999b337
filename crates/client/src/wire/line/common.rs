//! The lines that nearly all replies consist of, read in one pass over their bytes.
//!
//! ```text
//!   VALUE <key> <client flags> <bytes>\r\n      VA <bytes>\r\n      END\r\n      HD\r\n
//! ```
//!
//! Whatever differs from these by a byte (more spaces, a cas unique, a number of ten digits, a line that is not whole)
//! is left to the parser of all lines, so this one has no errors to tell.

use super::Status;
use super::flags::ReplyFlags;
use super::part::Part;
use super::reply::{Reply, ValueHeader};

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
/// The first byte value above the space.
const VISIBLE: u64 = 0x21;
/// Numbers of as many digits fit 32 bits.
const DIGITS_MAX: usize = 9;

/// The common line at the start of `buf`, and how many bytes it takes with its end.
#[inline(always)]
pub(super) fn line(buf: &[u8]) -> Option<(usize, Part<'_>)> {
    match buf {
        [b'V', b'A', b'L', b'U', b'E', b' ', rest @ ..] => value(buf.len(), rest),
        [b'E', b'N', b'D', b'\r', b'\n', ..] => Some((5, Part::Reply(Reply::End))),
        [b'V', b'A', b' ', rest @ ..] => {
            let (value_bytes, rest) = number(rest)?;
            let rest = rest.strip_prefix(b"\r\n")?;
            let part = Part::MetaValue {
                value_bytes: value_bytes as usize,
                flags: ReplyFlags { words: &[] },
            };
            Some((buf.len() - rest.len(), part))
        }
        [b'H', b'D', b'\r', b'\n', ..] => {
            let part = Part::Status {
                status: Status::Hd,
                flags: ReplyFlags { words: &[] },
            };
            Some((4, part))
        }
        _ => None,
    }
}

/// What follows `VALUE `; the line begins `all` bytes before the end of the buffer.
#[inline(always)]
fn value(all: usize, rest: &[u8]) -> Option<(usize, Part<'_>)> {
    let (key, rest) = rest.split_at(visible(rest)?);
    if key.is_empty() {
        return None;
    }
    let (client_flags, rest) = number(rest.strip_prefix(b" ")?)?;
    let (value_bytes, rest) = number(rest.strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    let header = ValueHeader {
        key,
        client_flags,
        value_bytes: value_bytes as usize,
        cas: None,
    };
    Some((all - rest.len(), Part::Value(header)))
}

/// How many bytes above the space `text` begins with. Eight are looked at together: subtracting from each borrows into
/// the high bit of the first one that is too small.
#[inline(always)]
fn visible(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let chunk = u64::from_le_bytes(*text[at..].first_chunk::<8>()?);
        let below = chunk.wrapping_sub(ONES * VISIBLE) & !chunk & HIGHS;
        if below != 0 {
            return Some(at + below.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
}

/// The number that `text` begins with, of one to nine digits, and what follows it.
#[inline(always)]
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (at, byte) in text.iter().enumerate().take(DIGITS_MAX + 1) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (at > 0).then(|| (number, &text[at..]));
        }
        if at == DIGITS_MAX {
            break;
        }
        number = number * 10 + u32::from(digit);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::ReplyParser;
    use super::*;
    use crate::wire::Step;

    const LINES: [&[u8]; 7] = [
        b"VALUE k 0 5\r\nhello\r\nEND\r\n",
        b"VALUE a-key-of-some-length:17 4294967295 100\r\n",
        b"VALUE \xc3\xa4\xff 7 999999999\r\nEND\r\n",
        b"VALUE key 0 10 77\r\n",
        b"VA 100\r\nvv",
        b"END\r\nEND\r\n",
        b"HD\r\nEN\r\n",
    ];

    /// What the parser of all lines makes of it.
    fn general(buf: &[u8]) -> Option<(usize, Part<'_>)> {
        match ReplyParser::new().next_general(buf) {
            Step::Part { consumed, part } => Some((consumed, part)),
            Step::Incomplete | Step::Malformed(_) => None,
        }
    }

    #[test]
    fn what_is_read_is_what_the_general_parser_reads() {
        let mut read = 0;
        for whole in LINES {
            for end in 0..=whole.len() {
                let found = line(&whole[..end]);
                read += usize::from(found.is_some());
                assert!(found.is_none() || found == general(&whole[..end]));
            }
            for at in 0..whole.len() {
                for byte in [
                    b' ', b'\r', b'\n', b'0', b'9', b'+', b'-', b'x', 0, 0x1f, 0x80,
                ] {
                    let mut other = whole.to_vec();
                    other[at] = byte;
                    let found = line(&other);
                    assert!(found.is_none() || found == general(&other), "{other:?}");
                    other.insert(at, byte);
                    let found = line(&other);
                    assert!(found.is_none() || found == general(&other), "{other:?}");
                }
            }
        }
        assert!(read > 20, "common lines are read here");
    }

    #[test]
    fn common_lines_are_not_left_to_the_general_parser() {
        for whole in [LINES[0], LINES[4], LINES[5], LINES[6]] {
            assert_eq!(line(whole), general(whole));
            assert!(line(whole).is_some());
        }
        assert!(line(LINES[3]).is_none(), "a cas unique is not common");
    }
}
