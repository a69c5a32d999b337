//! Replies of all three protocols, as a client reads them.
//!
//! The same bytes are read whole and in pieces; both ways must find the same parts and end in the same way. Pieces of
//! values are joined, since where they are cut depends on how the bytes come.

use std::fmt::Debug;

use corecached_client::wire::{DataPiece, Step, binary, line};

use super::cuts;

/// Replies of the text protocol and of the meta commands, which one parser reads.
pub fn lines(bytes: &[u8]) {
    check(bytes, || {
        let mut parser = line::ReplyParser::new();
        move |buf: &[u8]| {
            record(parser.next(buf), |part| match part {
                line::Part::Data(piece) => Found::data(piece),
                other => Found::part(&other),
            })
        }
    });
}

/// Replies of the binary protocol.
pub fn binary(bytes: &[u8]) {
    check(bytes, || {
        let mut parser = binary::ReplyParser::new();
        move |buf: &[u8]| {
            record(parser.next(buf), |part| match part {
                binary::Part::Data(piece) => Found::data(piece),
                other => Found::part(&other),
            })
        }
    });
}

/// What a parser found, in a form that does not borrow the buffer.
#[derive(Debug, PartialEq)]
enum Found {
    Part(String),
    Data { bytes: Vec<u8>, last: bool },
}

impl Found {
    fn part(part: &impl Debug) -> Self {
        Found::Part(format!("{part:?}"))
    }

    fn data(piece: DataPiece<'_>) -> Self {
        Found::Data {
            bytes: piece.bytes.to_vec(),
            last: piece.last,
        }
    }
}

fn record<P, E: Debug>(step: Step<P, E>, found: impl FnOnce(P) -> Found) -> Step<Found, String> {
    match step {
        Step::Incomplete => Step::Incomplete,
        Step::Part { consumed, part } => Step::Part {
            consumed,
            part: found(part),
        },
        Step::Malformed(error) => Step::Malformed(format!("{error:?}")),
    }
}

/// All that was found, and why it ended if it was not for want of bytes.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    found: Vec<Found>,
    malformed: Option<String>,
}

fn check<P: FnMut(&[u8]) -> Step<Found, String>>(bytes: &[u8], parser: impl Fn() -> P) {
    let whole = read(bytes, [bytes.len()], parser());
    // Long inputs are cut at a few places only, or the work would be quadratic.
    if bytes.len() <= 256 {
        assert_eq!(
            read(bytes, 1..=bytes.len(), parser()),
            whole,
            "byte by byte"
        );
    }
    for cut in cuts(bytes.len()) {
        assert_eq!(
            read(bytes, [cut, bytes.len()], parser()),
            whole,
            "cut at {cut}"
        );
    }
}

/// Reads `bytes`, of which more have come at each of `ends`.
fn read(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    mut next: impl FnMut(&[u8]) -> Step<Found, String>,
) -> Seen {
    let (mut seen, mut at) = (Seen::default(), 0);
    for end in ends {
        loop {
            match next(&bytes[at..end]) {
                Step::Incomplete => break,
                Step::Part { consumed, part } => {
                    assert!(consumed > 0 && at + consumed <= end);
                    at += consumed;
                    seen.add(part);
                }
                Step::Malformed(error) => {
                    // How much of a value is handed out before its end turns out to be wrong depends on the pieces.
                    if matches!(seen.found.last(), Some(Found::Data { last: false, .. })) {
                        seen.found.pop();
                    }
                    seen.malformed = Some(error);
                    return seen;
                }
            }
        }
    }
    seen
}

impl Seen {
    fn add(&mut self, found: Found) {
        if let (
            Found::Data { bytes, last },
            Some(Found::Data {
                bytes: before,
                last: done @ false,
            }),
        ) = (&found, self.found.last_mut())
        {
            before.extend_from_slice(bytes);
            *done = *last;
            return;
        }
        self.found.push(found);
    }
}
