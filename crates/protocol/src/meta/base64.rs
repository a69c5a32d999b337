//! Base64 with padding (RFC 4648, section 4), for keys of any bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Value of each byte of the alphabet; [`NONE`] for the others.
const VALUES: [u8; 256] = values();
const NONE: u8 = 0xff;

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// Length of `bytes` bytes in base64.
#[must_use]
pub const fn encoded_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Appends `bytes` in base64.
pub fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(encoded_bytes(bytes.len()));
    for group in bytes.chunks(3) {
        let [a, b, c] = [
            group[0],
            group.get(1).copied().unwrap_or(0),
            group.get(2).copied().unwrap_or(0),
        ];
        let bits = u32::from_be_bytes([0, a, b, c]);
        for place in 0..4 {
            // A group of n bytes has n + 1 digits.
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= group.len() { digit } else { b'=' });
        }
    }
}

/// Decodes `text` to the start of `out` and returns how many bytes that are. `None` for anything but whole groups of
/// four digits, the last one padded as it must be, and for a text of nothing.
///
/// `out` must have room for three quarters of `text`.
pub(super) fn decode(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (groups, []) = text.as_chunks::<4>() else {
        return None;
    };
    let (last, whole) = groups.split_last()?;
    let mut at = 0;
    for group in whole {
        out[at..at + 3].copy_from_slice(&decode_group(group)?);
        at += 3;
    }
    let padding = last.iter().rev().take_while(|&&byte| byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut digits = *last;
    digits[4 - padding..].fill(b'A');
    let bytes = decode_group(&digits)?;
    let left = 3 - padding;
    out[at..at + left].copy_from_slice(&bytes[..left]);
    Some(at + left)
}

fn decode_group(group: &[u8; 4]) -> Option<[u8; 3]> {
    let mut bits = 0u32;
    for &byte in group {
        let value = VALUES[usize::from(byte)];
        if value == NONE {
            return None;
        }
        bits = bits << 6 | u32::from(value);
    }
    let [_, a, b, c] = bits.to_be_bytes();
    Some([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, text) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut encoded = Vec::new();
            encode(&mut encoded, bytes.as_bytes());
            assert_eq!(encoded, text.as_bytes());
            let mut decoded = [0; 6];
            assert_eq!(decode(text.as_bytes(), &mut decoded), Some(bytes.len()));
            assert_eq!(&decoded[..bytes.len()], bytes.as_bytes());
        }
    }

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let mut encoded = Vec::new();
        encode(&mut encoded, &bytes);
        assert_eq!(encoded.len(), encoded_bytes(bytes.len()));
        let mut decoded = [0; 258];
        assert_eq!(decode(&encoded, &mut decoded), Some(bytes.len()));
        assert_eq!(decoded[..bytes.len()], bytes);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "Z", "Zg=", "Zg===", "Z===", "====", "Zg==Zg==", "Zm9!", "Zm 9", "=Zm9", "Z=g=",
        ] {
            assert_eq!(decode(text.as_bytes(), &mut [0; 8]), None, "{text:?}");
        }
    }
}
