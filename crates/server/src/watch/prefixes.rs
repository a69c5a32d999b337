//! `stats detail`: operations by the prefix of their keys. Each shard counts those that it executes, so that no lock is
//! taken for a prefix that it has met before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// Prefixes that are counted, over all shards.
const PREFIXES_MAX: usize = 1 << 16;

/// Counts of one prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixCounts {
    /// Lookups.
    pub(crate) get: u64,
    /// Lookups that found their item.
    pub(crate) hit: u64,
    /// Storage commands.
    pub(crate) set: u64,
    /// Deletions, found or not.
    pub(crate) del: u64,
}

/// The prefixes that are counted anywhere, so that there are not too many of them.
#[derive(Debug, Default)]
pub(super) struct PrefixNames(RwLock<HashSet<Box<[u8]>>>);

impl PrefixNames {
    /// Whether a prefix may be counted: it is known, or there is room for one more.
    fn admit(&self, prefix: &[u8]) -> bool {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if names.contains(prefix) || names.len() >= PREFIXES_MAX {
            return names.contains(prefix);
        }
        drop(names);
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() < PREFIXES_MAX {
            names.insert(prefix.into());
        }
        names.contains(prefix)
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// The counts of one shard, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes(HashMap<Box<[u8]>, PrefixCounts>);

impl Prefixes {
    /// The counts of a key's prefix: what stands before the delimiter. `None` for a key without one, and for one prefix
    /// too many.
    pub(super) fn of_key(
        &mut self,
        key: &[u8],
        delimiter: u8,
        names: &PrefixNames,
    ) -> Option<&mut PrefixCounts> {
        let end = memchr::memchr(delimiter, key)?;
        let prefix = &key[..end];
        if !self.0.contains_key(prefix) {
            if !names.admit(prefix) {
                return None;
            }
            self.0.insert(prefix.into(), PrefixCounts::default());
        }
        self.0.get_mut(prefix)
    }

    /// Adds the counts of another shard.
    pub(crate) fn add(&mut self, other: Prefixes) {
        for (prefix, more) in other.0 {
            let counts = self.0.entry(prefix).or_default();
            counts.get += more.get;
            counts.hit += more.hit;
            counts.set += more.set;
            counts.del += more.del;
        }
    }

    /// Forgets all counts.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them, in the order of the alphabet.
    pub(crate) fn sorted(&self) -> BTreeMap<&[u8], PrefixCounts> {
        self.0
            .iter()
            .map(|(prefix, counts)| (&**prefix, *counts))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_the_first_delimiter() {
        let (mut prefixes, names) = (Prefixes::default(), PrefixNames::default());
        for key in ["a:b:c", "a:", ":x", "plain"] {
            if let Some(counts) = prefixes.of_key(key.as_bytes(), b':', &names) {
                counts.get += 1;
            }
        }
        let counted: Vec<(&[u8], u64)> = prefixes
            .sorted()
            .into_iter()
            .map(|(prefix, counts)| (prefix, counts.get))
            .collect();
        assert_eq!(counted, [(b"".as_slice(), 1), (b"a".as_slice(), 2)]);
    }

    #[test]
    fn prefixes_are_bounded_over_all_shards() {
        let names = PrefixNames::default();
        let mut shards = [Prefixes::default(), Prefixes::default()];
        let mut counted = 0;
        for number in 0..PREFIXES_MAX + 1000 {
            let key = format!("p{number}:key");
            let shard = &mut shards[number % 2];
            counted += usize::from(shard.of_key(key.as_bytes(), b':', &names).is_some());
        }
        assert_eq!(counted, PREFIXES_MAX);
        // A shard that has not met it may still count what another has.
        assert!(shards[1].of_key(b"p0:key", b':', &names).is_some());
        assert!(shards[1].of_key(b"new:key", b':', &names).is_none());
        let [mut all, other] = shards;
        all.add(other);
        assert_eq!(all.sorted().len(), PREFIXES_MAX);
    }
}
