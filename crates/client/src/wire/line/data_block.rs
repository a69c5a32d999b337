//! The data block of a value: a known number of bytes and `\r\n`, which may arrive in any pieces.

use super::part::Malformed;
use crate::wire::DataPiece;
use crate::wire::step::Found;

/// Bytes of the line end behind the data.
const LINE_END_BYTES: usize = 2;

/// The data block that is being read, if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueBlock {
    /// Bytes of data that have not been handed out yet.
    left: Option<usize>,
}

impl ValueBlock {
    /// No block: a line comes next.
    pub(crate) const fn none() -> Self {
        ValueBlock { left: None }
    }

    /// A block of `bytes` of data.
    pub(crate) const fn of(bytes: usize) -> Self {
        ValueBlock { left: Some(bytes) }
    }

    /// The next piece of the block, as long as `buf` allows. `None` if there is no block, as after its last piece.
    #[inline]
    pub(crate) fn next<'a>(&mut self, buf: &'a [u8]) -> Option<Found<DataPiece<'a>, Malformed>> {
        let left = self.left?;
        let bytes = &buf[..buf.len().min(left)];
        let last = match buf[bytes.len()..] {
            [b'\r', b'\n', ..] => true,
            [] | [b'\r'] => false,
            _ => return Some(Err(Malformed::ValueEnd)),
        };
        if bytes.is_empty() && !last {
            return Some(Ok(None));
        }
        self.left = if last { None } else { Some(left - bytes.len()) };
        let line_end = if last { LINE_END_BYTES } else { 0 };
        Some(Ok(Some((
            bytes.len() + line_end,
            DataPiece { bytes, last },
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_at_every_cut() {
        let wire = b"hello\r\nnext";
        for cut in 0..=7 {
            let (mut block, mut at, mut value) = (ValueBlock::of(5), 0, Vec::new());
            for end in [cut, wire.len()] {
                while let Some(Ok(Some((consumed, piece)))) = block.next(&wire[at..end]) {
                    at += consumed;
                    value.extend_from_slice(piece.bytes);
                }
            }
            assert_eq!((at, &value[..]), (7, &b"hello"[..]), "cut at {cut}");
            assert_eq!(block, ValueBlock::none());
        }
    }

    #[test]
    fn an_empty_value_is_one_last_piece() {
        let piece = DataPiece {
            bytes: b"",
            last: true,
        };
        assert_eq!(ValueBlock::of(0).next(b"\r\n"), Some(Ok(Some((2, piece)))));
        assert_eq!(ValueBlock::of(0).next(b"\r"), Some(Ok(None)));
        assert_eq!(ValueBlock::of(0).next(b""), Some(Ok(None)));
    }

    #[test]
    fn a_missing_line_end_is_found() {
        for (bytes, wire) in [(1, &b"ab"[..]), (1, b"a\rb"), (0, b"\n"), (0, b"x")] {
            assert_eq!(
                ValueBlock::of(bytes).next(wire),
                Some(Err(Malformed::ValueEnd)),
                "{wire:?}"
            );
        }
    }
}
