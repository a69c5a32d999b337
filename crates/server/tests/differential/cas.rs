//! The two servers' cas uniques side by side, and what else differs from run to run.

use std::collections::BTreeMap;

/// No server gets this far.
const UNKNOWN: u64 = u64::MAX - 1;

/// Which cas unique of one server stands for which of the other: the numbers differ, what is the same must not.
#[derive(Debug, Default)]
pub(crate) struct CasPairs {
    theirs: BTreeMap<u64, u64>,
    ours: BTreeMap<u64, u64>,
    /// The last one of each key, theirs and ours.
    last: BTreeMap<Vec<u8>, (u64, u64)>,
    /// Numbers that differed in the spaces behind them.
    pub(crate) paddings: u64,
}

impl CasPairs {
    /// Whether the two are seen together, or not at all.
    pub(crate) fn agree(&mut self, key: &[u8], theirs: u64, ours: u64) -> bool {
        self.last.insert(key.to_vec(), (theirs, ours));
        *self.theirs.entry(theirs).or_insert(ours) == ours
            && *self.ours.entry(ours).or_insert(theirs) == theirs
    }

    /// The last cas uniques of a key, theirs and ours; if none is known, one that no item has.
    pub(crate) fn last(&self, key: &[u8]) -> (u64, u64) {
        self.last.get(key).copied().unwrap_or((UNKNOWN, UNKNOWN))
    }

    /// Whether both are the same number, but for the spaces that decr may leave behind it: memcached leaves none when a
    /// reply that is not sent yet still refers to the item, which depends on how the bytes came.
    pub(crate) fn differ_in_padding(&mut self, theirs: &[u8], ours: &[u8]) -> bool {
        let (number, our_number) = (theirs.trim_ascii_end(), ours.trim_ascii_end());
        let same = number == our_number && number.iter().all(u8::is_ascii_digit);
        self.paddings += u64::from(same);
        same
    }
}
