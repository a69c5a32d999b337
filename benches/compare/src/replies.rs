//! Reads and checks replies as they arrive, in pieces of any size, without gathering values.
//!
//! ```text
//!        VALUE <key> 0 <bytes>            value, CRLF
//! Line ------------------------> Body -----------------> Line
//! Line -- END | STORED ---> next expected reply
//! ```

use std::collections::VecDeque;
use std::io;

use crate::keyspace::{Keyspace, MARK_BYTES, mark};
use crate::requests::Expected;

/// A reply line is never longer: `VALUE `, a key of 250 bytes, two numbers, CRLF.
const LINE_BYTES_MAX: usize = 300;

/// Where the reader stands in the stream.
#[derive(Debug)]
enum Stage {
    Line,
    Body { number: u32, at: usize },
}

/// The checking reader of one connection.
#[derive(Debug)]
pub(crate) struct Replies {
    keyspace: Keyspace,
    stage: Stage,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    misses: u64,
}

impl Replies {
    pub(crate) fn new(keyspace: Keyspace) -> Self {
        Self {
            keyspace,
            stage: Stage::Line,
            partial: Vec::with_capacity(LINE_BYTES_MAX),
            misses: 0,
        }
    }

    /// Keys that were asked for and not answered, so far.
    pub(crate) fn misses(&self) -> u64 {
        self.misses
    }

    /// Takes what arrived and removes from `expected` each reply that is now complete.
    ///
    /// # Errors
    /// The server answered something else than `expected`.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        expected: &mut VecDeque<Expected>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = match self.stage {
                Stage::Line => self.line(bytes, expected)?,
                Stage::Body { number, at } => self.body(bytes, number, at)?,
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    fn line(&mut self, bytes: &[u8], expected: &mut VecDeque<Expected>) -> io::Result<usize> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.partial.extend_from_slice(bytes);
            if self.partial.len() > LINE_BYTES_MAX {
                return Err(wrong(&self.partial));
            }
            return Ok(bytes.len());
        };
        if self.partial.is_empty() {
            self.complete_line(&bytes[..=end], expected)?;
        } else {
            let mut line = std::mem::take(&mut self.partial);
            line.extend_from_slice(&bytes[..=end]);
            self.complete_line(&line, expected)?;
            line.clear();
            self.partial = line;
        }
        Ok(end + 1)
    }

    fn complete_line(&mut self, line: &[u8], expected: &mut VecDeque<Expected>) -> io::Result<()> {
        match expected.front_mut() {
            Some(Expected::Stored) if line == b"STORED\r\n" => {
                expected.pop_front();
            }
            Some(Expected::Values(numbers)) if line == b"END\r\n" => {
                self.misses += numbers.len() as u64;
                expected.pop_front();
            }
            Some(Expected::Values(numbers)) => {
                let number = self.value_header(line).ok_or_else(|| wrong(line))?;
                // Keys before this one were passed over: they are misses.
                while numbers.pop_front().ok_or_else(|| wrong(line))? != number {
                    self.misses += 1;
                }
                self.stage = Stage::Body { number, at: 0 };
            }
            _ => return Err(wrong(line)),
        }
        Ok(())
    }

    /// The number of the key in a `VALUE` line of the right shape and length.
    fn value_header(&self, line: &[u8]) -> Option<u32> {
        let rest = line.strip_prefix(b"VALUE ")?.strip_suffix(b"\r\n")?;
        let mut words = rest.split(|byte| *byte == b' ');
        let number = self.keyspace.number_of(words.next()?)?;
        let mut digits = itoa::Buffer::new();
        let bytes = digits.format(self.keyspace.value_bytes());
        let right = words.next()? == b"0" && words.next()? == bytes.as_bytes();
        (right && words.next().is_none()).then_some(number)
    }

    /// Checks the piece of a value (and its line end) that begins at offset `at`.
    fn body(&mut self, bytes: &[u8], number: u32, at: usize) -> io::Result<usize> {
        let value_bytes = self.keyspace.value_bytes();
        let taken = bytes.len().min(value_bytes + 2 - at);
        let piece = &bytes[..taken];
        let mark = mark(number);
        let right = matches_at(piece, at, &mark, 0)
            && matches_at(piece, at, &mark, value_bytes - MARK_BYTES)
            && matches_at(piece, at, b"\r\n", value_bytes);
        if !right {
            return Err(wrong(&piece[..taken.min(LINE_BYTES_MAX)]));
        }
        self.stage = if at + taken == value_bytes + 2 {
            Stage::Line
        } else {
            Stage::Body {
                number,
                at: at + taken,
            }
        };
        Ok(taken)
    }
}

/// Whether `piece`, which begins at stream offset `at`, agrees with `wanted` at offset `start`
/// as far as the two overlap.
fn matches_at(piece: &[u8], at: usize, wanted: &[u8], start: usize) -> bool {
    let from = at.max(start);
    let to = (at + piece.len()).min(start + wanted.len());
    from >= to || piece[from - at..to - at] == wanted[from - start..to - start]
}

fn wrong(bytes: &[u8]) -> io::Error {
    io::Error::other(format!(
        "unexpected reply: {:?}",
        String::from_utf8_lossy(bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;

    fn replies() -> Replies {
        let args = Args::parse_from([
            "compare",
            "--server-pid=1",
            "--key-bytes=14",
            "--value-bytes=12",
        ]);
        Replies::new(Keyspace::new(&args))
    }

    const GOOD: &[u8] = b"STORED\r\nVALUE key:0000000007 0 12\r\n000000000007\r\nEND\r\n";

    fn expected() -> VecDeque<Expected> {
        VecDeque::from([
            Expected::Stored,
            Expected::Values(VecDeque::from([5, 7, 9])),
        ])
    }

    /// The value of key 7 at 12 bytes: both marks overlap.
    fn stream() -> Vec<u8> {
        let mut value = Vec::new();
        let args = Args::parse_from([
            "compare",
            "--server-pid=1",
            "--key-bytes=14",
            "--value-bytes=24",
        ]);
        Keyspace::new(&args).push_value(&mut value, 7);
        let mut stream = b"STORED\r\nVALUE key:0000000007 0 24\r\n".to_vec();
        stream.extend_from_slice(&value);
        stream.extend_from_slice(b"\r\nEND\r\n");
        stream
    }

    fn replies_24() -> Replies {
        let args = Args::parse_from([
            "compare",
            "--server-pid=1",
            "--key-bytes=14",
            "--value-bytes=24",
        ]);
        Replies::new(Keyspace::new(&args))
    }

    #[test]
    fn a_good_stream_passes_at_every_split_and_misses_are_counted() {
        let stream = stream();
        for split in 0..=stream.len() {
            let (mut replies, mut expected) = (replies_24(), expected());
            replies.feed(&stream[..split], &mut expected).unwrap();
            replies.feed(&stream[split..], &mut expected).unwrap();
            assert!(expected.is_empty());
            assert_eq!(replies.misses(), 2);
        }
    }

    #[test]
    fn a_changed_byte_is_found() {
        let stream = stream();
        // The filling in the middle of a value is not looked at.
        let filling = stream.windows(4).position(|w| w == b"vvvv").unwrap();
        for at in (0..stream.len()).filter(|at| !(filling..filling + 4).contains(at)) {
            let mut bad = stream.clone();
            bad[at] ^= 1;
            let mut expected = expected();
            let result = replies_24().feed(&bad, &mut expected);
            assert!(result.is_err() || !expected.is_empty(), "byte {at}");
        }
    }

    #[test]
    fn a_wrong_length_is_found() {
        assert!(replies().feed(GOOD, &mut expected()).is_err());
    }
}
