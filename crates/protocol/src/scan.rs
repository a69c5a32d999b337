//! Finding one byte in short texts.
//!
//! Words and most lines are shorter than 64 bytes, where the call and set-up of a vectorised search cost more than the
//! search. The first bytes are looked at eight at a time, in line; only what is longer goes to `memchr`.

/// Bytes that are searched in line.
const INLINE_BYTES: usize = 64;

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Index of the first `byte` in `text`.
#[inline]
#[must_use]
pub fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk::<8>() {
        if let Some(index) = find_in_chunk(byte, *chunk) {
            return Some(at + index);
        }
        at += 8;
        if at >= INLINE_BYTES {
            return memchr::memchr(byte, &text[at..]).map(|index| at + index);
        }
    }
    // Fewer than eight bytes are left: look at the last eight of the text, of which the first ones are known not to
    // match.
    match text.last_chunk::<8>() {
        Some(chunk) => find_in_chunk(byte, *chunk).map(|index| text.len() - 8 + index),
        None => text.iter().position(|&other| other == byte),
    }
}

/// The first zero byte of `chunk ^ pattern`: subtracting one from each byte borrows into the high bit of a zero byte,
/// and of no byte before the first one (Lamport, "Multiple byte processing with full-word instructions", CACM 18(8)).
#[inline]
fn find_in_chunk(byte: u8, chunk: [u8; 8]) -> Option<usize> {
    let differences = u64::from_le_bytes(chunk) ^ u64::from_ne_bytes([byte; 8]);
    let zeros = differences.wrapping_sub(ONES) & !differences & HIGHS;
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_plain_search() {
        // Bytes that differ from the one sought by one, or in the high bit, are those a word trick could get wrong.
        for filler in [b'x', b' ' - 1, b' ' + 1, b' ' | 0x80, 0, 0xff] {
            for length in 0..100 {
                let mut text = vec![filler; length];
                assert_eq!(find(b' ', &text), None, "{length} of {filler:#x}");
                for index in (0..length).rev() {
                    text[index] = b' ';
                    assert_eq!(
                        find(b' ', &text),
                        Some(index),
                        "{index} of {length}, {filler:#x}"
                    );
                }
            }
        }
    }
}
