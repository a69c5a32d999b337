//! Names and values: every `stats` renderer produces them, whichever protocol the client speaks.
//!
//! ```text
//!   stats/*.rs -> Pairs --+-> text     STAT <name> <value>\r\n ... END\r\n      (wire/text.rs)
//!                         +-> binary   a packet for each, then an empty one     (wire/binary.rs)
//!                         +-> metrics  families and samples                     (metrics/)
//! ```

use std::ops::Range;

/// Names and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Name, value, name, value, ...
    bytes: Vec<u8>,
    /// For each pair: the ends of its name and of its value.
    ends: Vec<(usize, usize)>,
}

impl Pairs {
    /// Adds a pair with a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.text(name, value.to_string());
    }

    /// Adds a pair with any other value.
    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(name.as_bytes());
        let name_end = self.bytes.len();
        self.bytes.extend_from_slice(value.as_ref());
        self.ends.push((name_end, self.bytes.len()));
    }

    /// Adds the pairs of `other`.
    pub(crate) fn append(&mut self, other: &Pairs) {
        let shift = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        let shifted = other.ends.iter();
        self.ends
            .extend(shifted.map(|&(name, value)| (name + shift, value + shift)));
    }

    /// Every name with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let name = std::mem::replace(&mut start, end)..name_end;
            (self.part(name), self.part(name_end..end))
        })
    }

    fn part(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_out_as_they_went_in() {
        let mut pairs = Pairs::default();
        pairs.number("a", 0);
        pairs.text("", "");
        let mut more = Pairs::default();
        more.number("n", u64::MAX);
        more.text("b", b"\xff v");
        pairs.append(&more);
        let all: Vec<(&[u8], &[u8])> = pairs.iter().collect();
        let expected: [(&[u8], &[u8]); 4] = [
            (b"a", b"0"),
            (b"", b""),
            (b"n", b"18446744073709551615"),
            (b"b", b"\xff v"),
        ];
        assert_eq!(all, expected);
    }
}
