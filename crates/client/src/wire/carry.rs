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

/// A parser: it reads the parts of a stream of replies.
pub trait Parse {
    /// A part.
    type Part<'a>;
    /// How the stream can break the protocol.
    type Malformed;

    /// The next part of the replies, which `buf` begins with.
    fn next<'a>(&mut self, buf: &'a [u8]) -> Step<Self::Part<'a>, Self::Malformed>;
}

/// The most bytes that are added to the kept ones before the parser is asked again.
const ADDED_BYTES: usize = 2048;

/// The beginning of a part whose end has not come.
#[derive(Debug)]
pub struct Carry {
    kept: Vec<u8>,
}

impl Default for Carry {
    fn default() -> Self {
        Carry::new()
    }
}

impl Carry {
    /// A carry that keeps nothing yet, with room so that ordinary lines and packets need no allocation later.
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

    /// Parses the kept bytes and then `bytes`, and calls `take` with each part and its bytes.
    ///
    /// # Errors
    ///
    /// The parser's error, which `malformed` turns into `E` together with the bytes at which it was found; or the error
    /// that `take` returns. The stream is of no use afterwards.
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

    /// Adds bytes of `bytes` to the kept ones until these are a part, and returns the rest of `bytes`.
    #[cold]
    fn finish<'b, P: Parse, E>(
        &mut self,
        parser: &mut P,
        mut bytes: &'b [u8],
        take: &mut impl FnMut(P::Part<'_>, &[u8]) -> Result<(), E>,
        malformed: &impl Fn(P::Malformed, &[u8]) -> E,
    ) -> Result<&'b [u8], E> {
        // The kept bytes are put back unless the part is whole; an error ends the stream.
        let mut kept = std::mem::take(&mut self.kept);
        while !bytes.is_empty() {
            let had = kept.len();
            let added = bytes.len().min(ADDED_BYTES);
            kept.extend_from_slice(&bytes[..added]);
            let used = match parser.next(&kept) {
                Step::Part { consumed, part } => {
                    take(part, &kept[..consumed])?;
                    // The bytes kept before were no whole part, so this part ends in the added bytes.
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
