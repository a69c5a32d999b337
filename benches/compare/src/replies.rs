//! Checks replies as they arrive, in pieces of any size, without gathering values.
//!
//! ```text
//!   VALUE <key> 0 <bytes>   the next key that was asked for: those before it are misses
//!   data                    both marks, where the pieces overlap them
//!   END, STORED             the reply that was expected
//!   VA <bytes>              the next key that was asked for; data as above ends the reply
//!   EN, HD                  a miss, a set
//! ```

use std::collections::VecDeque;
use std::io;

use corecached_client::wire::Carry;
use corecached_client::wire::line::{Part, Reply, ReplyParser, Status, ValueHeader};

use crate::keyspace::{Keyspace, MARK_BYTES, mark};
use crate::requests::Expected;

/// Bytes of a wrong reply that are shown.
const SHOWN_BYTES: usize = 300;

/// The checking reader of one connection.
#[derive(Debug)]
pub(crate) struct Replies {
    parser: ReplyParser,
    carry: Carry,
    checks: Checks,
}

/// What the replies are checked against.
#[derive(Debug)]
struct Checks {
    keyspace: Keyspace,
    /// The key of the value under way, and how much of it has come.
    number: u32,
    at: usize,
    misses: u64,
}

impl Replies {
    pub(crate) fn new(keyspace: Keyspace) -> Self {
        Self {
            parser: ReplyParser::new(),
            carry: Carry::new(),
            checks: Checks {
                keyspace,
                number: 0,
                at: 0,
                misses: 0,
            },
        }
    }

    /// Keys that were asked for and not answered, so far.
    pub(crate) fn misses(&self) -> u64 {
        self.checks.misses
    }

    /// Takes what arrived and removes from `expected` each reply that is now complete.
    ///
    /// # Errors
    /// The server answered something else than `expected`.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        expected: &mut VecDeque<Expected>,
    ) -> io::Result<()> {
        let checks = &mut self.checks;
        self.carry.feed(
            &mut self.parser,
            bytes,
            |part, bytes| checks.part(&part, bytes, expected),
            |_, bytes| wrong(bytes),
        )
    }
}

impl Checks {
    fn part(
        &mut self,
        part: &Part<'_>,
        bytes: &[u8],
        expected: &mut VecDeque<Expected>,
    ) -> io::Result<()> {
        match (part, expected.front_mut()) {
            (Part::Data(piece), front) => {
                let ends_reply = piece.last && matches!(front, Some(Expected::MetaValue(_)));
                if ends_reply {
                    expected.pop_front();
                }
                self.body(piece.bytes)
            }
            (Part::Reply(Reply::Stored), Some(Expected::Stored)) => {
                expected.pop_front();
                Ok(())
            }
            (Part::Status { status, .. }, Some(front)) => {
                let is_miss = match (status, front) {
                    (Status::Hd, Expected::MetaStored) => false,
                    (Status::En, Expected::MetaValue(_)) => true,
                    _ => return Err(wrong(bytes)),
                };
                self.misses += u64::from(is_miss);
                expected.pop_front();
                Ok(())
            }
            (Part::MetaValue { value_bytes, .. }, Some(Expected::MetaValue(number)))
                if *value_bytes == self.keyspace.value_bytes() =>
            {
                (self.number, self.at) = (*number, 0);
                Ok(())
            }
            (Part::Reply(Reply::End), Some(Expected::Values(numbers))) => {
                self.misses += numbers.len() as u64;
                expected.pop_front();
                Ok(())
            }
            (Part::Value(header), Some(Expected::Values(numbers))) => {
                self.value(header, numbers).ok_or_else(|| wrong(bytes))
            }
            _ => Err(wrong(bytes)),
        }
    }

    /// Begins the value of one of the keys; `None` if it is not what was stored, or not asked for.
    fn value(&mut self, header: &ValueHeader<'_>, numbers: &mut VecDeque<u32>) -> Option<()> {
        let is_right = header.client_flags == 0
            && header.value_bytes == self.keyspace.value_bytes()
            && header.cas.is_none();
        let number = self.keyspace.number_of(header.key);
        let number = number.filter(|_| is_right)?;
        // Keys before this one were passed over: they are misses.
        while numbers.pop_front()? != number {
            self.misses += 1;
        }
        (self.number, self.at) = (number, 0);
        Some(())
    }

    /// Checks the next piece of a value.
    fn body(&mut self, piece: &[u8]) -> io::Result<()> {
        let (mark, at) = (mark(self.number), self.at);
        let last = self.keyspace.value_bytes() - MARK_BYTES;
        let is_right = matches_at(piece, at, &mark, 0) && matches_at(piece, at, &mark, last);
        self.at += piece.len();
        if is_right { Ok(()) } else { Err(wrong(piece)) }
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
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    io::Error::other(format!("unexpected reply: {shown:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;
    use corecached_client::wire::Piece;

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
        Keyspace::new(&args).value(7).append(&mut value);
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
    fn meta_replies_pass_at_every_split_and_no_other_value() {
        let stream = b"HD\r\nVA 24\r\n0000000007vvvv0000000007\r\nEN\r\nVA 24\r\n0000000008vvvv0000000008\r\n";
        let numbers = |last| {
            VecDeque::from([
                Expected::MetaStored,
                Expected::MetaValue(7),
                Expected::MetaValue(9),
                Expected::MetaValue(last),
            ])
        };
        for split in 0..=stream.len() {
            let (mut replies, mut expected) = (replies_24(), numbers(8));
            replies.feed(&stream[..split], &mut expected).unwrap();
            replies.feed(&stream[split..], &mut expected).unwrap();
            assert!(expected.is_empty());
            assert_eq!(replies.misses(), 1);
        }
        assert!(replies_24().feed(stream, &mut numbers(6)).is_err());
        let mut expected = VecDeque::from([Expected::MetaStored]);
        assert!(replies_24().feed(b"NS\r\n", &mut expected).is_err());
    }

    #[test]
    fn a_wrong_length_is_found() {
        assert!(replies().feed(GOOD, &mut expected()).is_err());
    }
}
