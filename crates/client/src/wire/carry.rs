//! Feeds a parser from receive buffers that each hold a part of the stream.
//!
//! ```text
//!   buffer 1            buffer 2                      buffer 3
//!   STORED\r\nVAL       UE k 0 10\r\n01234            56789\r\nEND\r\n
//!   '--------'|--' kept '-------------'|---' handed on '-----' ...
//! ```
//!
//! Whole parts and pieces of values are handed on where they lie. Only the beginning of a part that the buffer's end
//! cuts is copied, until the rest of it has come.

use super::Step;

/// What reads the parts of a stream of replies.
pub trait Parse {
    /// A part.
    type Part<'a>;
    /// How the stream can break the protocol.
    type Malformed;

    /// The next part of the replies, which `buf` begins with.
    fn next<'a>(&mut self, buf: &'a [u8]) -> Step<Self::Part<'a>, Self::Malformed>;
}

/// How many bytes at most are added to what is kept before the parser is asked again.
const ADDED_BYTES: usize = 2048;

/// The beginning of a part whose end has not come.
#[derive(Debug, Default)]
pub struct Carry {
    kept: Vec<u8>,
}

impl Carry {
    /// Nothing kept, with room so that ordinary lines and packets need no allocation later.
    #[must_use]
    pub fn new() -> Self {
        Carry {
            kept: Vec::with_capacity(2 * ADDED_BYTES),
        }
    }

    /// Bytes of a part that is not whole.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Parses all that has come, `bytes` last, and calls `take` with each part and the bytes that it is.
    ///
    /// # Errors
    ///
    /// What the parser finds malformed, turned into an error by `malformed` together with the bytes at which it was
    /// found; or what `take` returns. The stream is of no use afterwards.
    #[inline]
    pub fn feed<P: Parse, E>(
        &mut self,
        parser: &mut P,
        mut bytes: &[u8],
        mut take: impl FnMut(P::Part<'_>, &[u8]) -> Result<(), E>,
        malformed: impl Fn(P::Malformed, &[u8]) -> E,
    ) -> Result<(), E> {
        if !self.kept.is_empty() {
            bytes = self.finish(parser, bytes, &mut take, &malformed)?;
        }
        while !bytes.is_empty() {
            match parser.next(bytes) {
                Step::Part { consumed, part } => {
                    let (of_part, rest) = bytes.split_at(consumed);
                    take(part, of_part)?;
                    bytes = rest;
                }
                Step::Incomplete => {
                    self.kept.extend_from_slice(bytes);
                    break;
                }
                Step::Malformed(error) => return Err(malformed(error, bytes)),
            }
        }
        Ok(())
    }

    /// Adds of `bytes` to what is kept until that is a part, and returns those behind it.
    #[cold]
    fn finish<'b, P: Parse, E>(
        &mut self,
        parser: &mut P,
        mut bytes: &'b [u8],
        take: &mut impl FnMut(P::Part<'_>, &[u8]) -> Result<(), E>,
        malformed: &impl Fn(P::Malformed, &[u8]) -> E,
    ) -> Result<&'b [u8], E> {
        // Put back unless the part is whole; an error ends the stream.
        let mut kept = std::mem::take(&mut self.kept);
        while !bytes.is_empty() {
            let had = kept.len();
            let added = bytes.len().min(ADDED_BYTES);
            kept.extend_from_slice(&bytes[..added]);
            let used = match parser.next(&kept) {
                Step::Part { consumed, part } => {
                    take(part, &kept[..consumed])?;
                    // What was kept before was no part, so this one ends in what was added.
                    Some(consumed.saturating_sub(had))
                }
                Step::Incomplete => None,
                Step::Malformed(error) => return Err(malformed(error, &kept)),
            };
            bytes = &bytes[used.unwrap_or(added)..];
            if used.is_some() {
                kept.clear();
                break;
            }
        }
        self.kept = kept;
        Ok(bytes)
    }
}
