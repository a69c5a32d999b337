//! Keys as memcached's logs and dumps show them: percent-encoded, but for the unreserved characters of RFC 3986.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `key`, encoded.
pub fn encode(out: &mut Vec<u8>, key: &[u8]) {
    for &byte in key {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_unreserved_characters_are_encoded() {
        let mut out = Vec::new();
        encode(&mut out, b"Az09-._~ :/%\x00\xff");
        assert_eq!(out, b"Az09-._~%20%3A%2F%25%00%FF");
    }
}
