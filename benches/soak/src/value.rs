//! Values that say what they must be: `<key>:<version>:<length>:` and a stream of bytes that follows from all three.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// Lengths on both sides of what the server treats differently: values it copies and values it sends from its memory,
/// values it receives in windows, by direct reads, in several chunks, and in more than a page.
const EDGES: [usize; 12] = [
    1, 64, 512, 1400, 4096, 16384, 65536, 131_072, 262_144, 524_288, 1_048_500, 1_500_000,
];

/// A length between 0 and `bytes_max`: near an edge or anywhere, small ones being more frequent.
pub(crate) fn length(rng: &mut StdRng, bytes_max: usize) -> usize {
    let bytes = match rng.random_range(0..10) {
        0..5 => rng.random_range(0..200),
        5..7 => rng.random_range(0..5_000),
        7..9 => {
            let edge = EDGES[rng.random_range(0..EDGES.len())];
            edge + rng.random_range(0..80) - edge.min(40)
        }
        _ => rng.random_range(0..=bytes_max),
    };
    bytes.min(bytes_max)
}

/// The value of `key` in its `version`, `bytes` long. One too short for its head is all stream.
pub(crate) fn make(key: &str, version: u64, bytes: usize) -> Vec<u8> {
    let head = format!("{key}:{version}:{bytes}:");
    let mut value = Vec::with_capacity(bytes + head.len());
    value.extend_from_slice(head.as_bytes());
    let mut seed = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in head.as_bytes() {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut stream = StdRng::seed_from_u64(seed);
    let from = value.len();
    value.resize(bytes.max(from), 0);
    stream.fill_bytes(&mut value[from..]);
    value.truncate(bytes);
    value
}

/// Whether `value` is one that [`make`] gave for `key`, whole. Short ones are not told apart.
pub(crate) fn is_of(key: &str, value: &[u8]) -> bool {
    let mut words = value.splitn(4, |&byte| byte == b':');
    let word = |part: Option<&[u8]>| part.and_then(|text| String::from_utf8(text.to_vec()).ok());
    let (name, version, bytes) = (word(words.next()), word(words.next()), word(words.next()));
    let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
    match (name, number(version), number(bytes), words.next()) {
        (Some(name), Some(version), Some(bytes), Some(_)) => {
            name == key && bytes as usize == value.len() && make(key, version, value.len()) == value
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_and_a_changed_one_is_not() {
        let mut value = make("shared7", 12, 5000);
        assert_eq!(value.len(), 5000);
        assert!(is_of("shared7", &value));
        assert!(!is_of("shared8", &value));
        assert!(!is_of("shared7", &value[..4999]));
        value[4000] ^= 1;
        assert!(!is_of("shared7", &value));
    }

    #[test]
    fn short_values_have_their_length() {
        for bytes in 0..40 {
            assert_eq!(make("k", 1, bytes).len(), bytes);
        }
    }
}
