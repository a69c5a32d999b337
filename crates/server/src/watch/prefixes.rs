//! `stats detail`: operations by the prefix of their keys. Each shard counts those that it executes, so that no lock is
//! taken for a prefix that it has met before.
//!
//! ```text
//!   PrefixNames, of all shards       number  0     1     2              a dump walks them, some at a time
//!                                    name    user  page  img
//!   Prefixes of a shard              counts  ...   ...   ...            a name leads to its number by a table
//! ```
//!
//! There may be 65,536 prefixes of 250 bytes, and a client can make and forget all of them. So tables have their full
//! size from their first entry on (growing would move all entries at once), and the names that `stats reset` forgets
//! are freed a few at a time.

use std::collections::HashMap;
use std::collections::hash_map::IntoIter;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Most prefixes that are counted, over all shards.
const PREFIXES_MAX: usize = 1 << 16;
/// Prefixes that a step of a dump shows: some 30 us.
pub(crate) const PREFIXES_PER_STEP: usize = 256;
/// Forgotten names that are freed in a turn of the loop: some 20 us.
const FREED_PER_TURN: usize = 256;
/// Forgotten names that are freed with each new name. So there are never more forgotten names than counted ones: each
/// is in a table and in a list, and they are freed faster than they can be made.
const FREED_PER_NAME: usize = 4;

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

/// A prefix with its counts.
pub(crate) type Named = (Arc<[u8]>, PrefixCounts);

/// The numbers of names.
type Table = HashMap<Arc<[u8]>, u32>;

/// Names that are forgotten and not freed yet.
#[derive(Debug, Default)]
struct Garbage {
    tables: Vec<IntoIter<Arc<[u8]>, u32>>,
    lists: Vec<std::vec::IntoIter<Arc<[u8]>>>,
}

impl Garbage {
    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.lists.is_empty()
    }

    /// Frees `count` names.
    fn free(&mut self, count: usize) {
        if let Some(names) = self.tables.last_mut() {
            if names.by_ref().take(count).count() < count {
                self.tables.pop();
            }
        } else if let Some(names) = self.lists.last_mut()
            && names.by_ref().take(count).count() < count
        {
            self.lists.pop();
        }
    }
}

/// Inserts a name into a table, which has room for all names that there may be.
fn insert(table: &mut Table, name: Arc<[u8]>, number: u32) {
    if table.capacity() == 0 {
        table.reserve(PREFIXES_MAX);
    }
    table.insert(name, number);
}

/// The prefixes that are counted on any shard; their number is bounded here.
#[derive(Debug, Default)]
pub(crate) struct PrefixNames {
    names: RwLock<Names>,
    garbage: Mutex<Garbage>,
    has_garbage: AtomicBool,
}

#[derive(Debug, Default)]
struct Names {
    numbers: Table,
    by_number: Vec<Arc<[u8]>>,
}

impl PrefixNames {
    /// The number of a prefix, and its name to be kept, if the prefix may be counted: it is known, or there is room for
    /// one more.
    fn admit(&self, prefix: &[u8]) -> Option<(Arc<[u8]>, u32)> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, &number)) = names.numbers.get_key_value(prefix) {
            return Some((Arc::clone(name), number));
        }
        if names.by_number.len() >= PREFIXES_MAX {
            return None;
        }
        drop(names);
        self.free(FREED_PER_NAME);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.add(prefix)
    }

    /// Number of prefixes.
    pub(super) fn count(&self) -> u32 {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.by_number.len() as u32
    }

    /// The names of these numbers, as far as they exist.
    pub(super) fn named(&self, numbers: Range<usize>) -> Vec<Arc<[u8]>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let end = numbers.end.min(names.by_number.len());
        let named = names.by_number.get(numbers.start..end);
        named.unwrap_or_default().to_vec()
    }

    /// Forgets all names.
    pub(super) fn clear(&self) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::take(&mut *names);
        drop(names);
        if old.by_number.is_empty() {
            return;
        }
        let mut garbage = self.garbage();
        garbage.tables.push(old.numbers.into_iter());
        garbage.lists.push(old.by_number.into_iter());
        self.has_garbage.store(true, Ordering::Relaxed);
    }

    fn garbage(&self) -> MutexGuard<'_, Garbage> {
        self.garbage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees up to `count` forgotten names.
    #[inline]
    fn free(&self, count: usize) {
        if !self.has_garbage.load(Ordering::Relaxed) {
            return;
        }
        let mut garbage = self.garbage();
        garbage.free(count);
        self.has_garbage
            .store(!garbage.is_empty(), Ordering::Relaxed);
    }
}

impl Names {
    fn add(&mut self, prefix: &[u8]) -> Option<(Arc<[u8]>, u32)> {
        if let Some((name, &number)) = self.numbers.get_key_value(prefix) {
            return Some((Arc::clone(name), number));
        }
        if self.by_number.len() >= PREFIXES_MAX {
            return None;
        }
        let (name, number) = (Arc::from(prefix), self.by_number.len() as u32);
        insert(&mut self.numbers, Arc::clone(&name), number);
        self.by_number.push(Arc::clone(&name));
        Some((name, number))
    }
}

/// The counts of one shard.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    numbers: Table,
    /// The counts, by number of the prefix.
    counts: Vec<PrefixCounts>,
    garbage: Garbage,
}

impl Prefixes {
    /// The counts of a key's prefix, the bytes before the delimiter. `None` for a key without a prefix, and if there
    /// are too many prefixes.
    pub(crate) fn of_key(
        &mut self,
        key: &[u8],
        delimiter: u8,
        names: &PrefixNames,
    ) -> Option<&mut PrefixCounts> {
        let end = memchr::memchr(delimiter, key)?;
        let prefix = &key[..end];
        let number = match self.numbers.get(prefix) {
            Some(&number) => number,
            None => {
                let (name, number) = names.admit(prefix)?;
                insert(&mut self.numbers, name, number);
                self.garbage.free(FREED_PER_NAME);
                number
            }
        };
        let number = number as usize;
        if self.counts.len() <= number {
            self.counts.resize(number + 1, PrefixCounts::default());
        }
        self.counts.get_mut(number)
    }

    /// The counts of some prefixes, from number `from` on.
    pub(crate) fn rows(&self, from: u32) -> PrefixRows {
        let from = from as usize;
        let end = self.counts.len().min(from + PREFIXES_PER_STEP);
        PrefixRows {
            from,
            counts: self.counts.get(from..end).unwrap_or_default().to_vec(),
        }
    }

    /// Forgets all counts.
    pub(crate) fn clear(&mut self) {
        self.counts = Vec::new();
        if !self.numbers.is_empty() {
            let old = std::mem::take(&mut self.numbers);
            self.garbage.tables.push(old.into_iter());
        }
    }

    /// Frees some of the forgotten names, here and in the names of all shards.
    #[inline]
    pub(crate) fn free_some(&mut self, names: &PrefixNames) {
        if !self.garbage.is_empty() {
            self.garbage.free(FREED_PER_TURN);
        }
        names.free(FREED_PER_TURN);
    }
}

/// The counts of prefixes with successive numbers, of one shard or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrefixRows {
    from: usize,
    counts: Vec<PrefixCounts>,
}

impl PrefixRows {
    /// Adds the counts of another shard.
    pub(crate) fn add(&mut self, other: &PrefixRows) {
        self.from = other.from;
        if self.counts.len() < other.counts.len() {
            self.counts
                .resize(other.counts.len(), PrefixCounts::default());
        }
        for (counts, more) in self.counts.iter_mut().zip(&other.counts) {
            counts.get += more.get;
            counts.hit += more.hit;
            counts.set += more.set;
            counts.del += more.del;
        }
    }

    /// The prefixes that have counted anything, with their names, in alphabetical order.
    pub(super) fn named(&self, names: &PrefixNames) -> Vec<Named> {
        let named = names.named(self.from..self.from + self.counts.len());
        let mut named: Vec<Named> = named.into_iter().zip(self.counts.iter().copied()).collect();
        named.retain(|(_, counts)| *counts != PrefixCounts::default());
        named.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All prefixes, in the order of a dump.
    fn dump(shards: &[Prefixes], names: &PrefixNames) -> Vec<Named> {
        let mut all = Vec::new();
        for from in (0..names.count()).step_by(PREFIXES_PER_STEP) {
            let mut rows = PrefixRows::default();
            for shard in shards {
                rows.add(&shard.rows(from));
            }
            all.extend(rows.named(names));
        }
        all
    }

    #[test]
    fn a_prefix_ends_at_the_first_delimiter() {
        let (mut prefixes, names) = (Prefixes::default(), PrefixNames::default());
        for key in ["a:b:c", "a:", ":x", "plain"] {
            if let Some(counts) = prefixes.of_key(key.as_bytes(), b':', &names) {
                counts.get += 1;
            }
        }
        let dumped = dump(&[prefixes], &names);
        let counted = dumped
            .iter()
            .map(|(prefix, counts)| (&**prefix, counts.get));
        assert!(counted.eq([(b"".as_slice(), 1), (b"a".as_slice(), 2)]));
    }

    #[test]
    fn prefixes_are_bounded_over_all_shards() {
        let names = PrefixNames::default();
        let mut shards = [Prefixes::default(), Prefixes::default()];
        let mut counted = 0;
        for number in 0..PREFIXES_MAX + 1000 {
            let key = format!("p{number}:key");
            let shard = &mut shards[number % 2];
            if let Some(counts) = shard.of_key(key.as_bytes(), b':', &names) {
                counts.set += 1;
                counted += 1;
            }
        }
        assert_eq!(counted, PREFIXES_MAX);
        // A shard that has not met the prefix may still count a prefix that another shard has.
        shards[1].of_key(b"p0:key", b':', &names).unwrap().set += 1;
        assert!(shards[1].of_key(b"new:key", b':', &names).is_none());
        let dumped = dump(&shards, &names);
        assert_eq!(dumped.len(), PREFIXES_MAX);
        let sets: u64 = dumped.iter().map(|(_, counts)| counts.set).sum();
        assert_eq!(sets, PREFIXES_MAX as u64 + 1);
    }

    #[test]
    fn what_is_forgotten_is_freed_bit_by_bit_and_its_place_is_free_at_once() {
        const NAMES: usize = 10 * FREED_PER_TURN;
        let (mut prefixes, names) = (Prefixes::default(), PrefixNames::default());
        for round in 0..5 {
            for number in 0..NAMES {
                let key = format!("{round}-{number}:key");
                let counts = prefixes.of_key(key.as_bytes(), b':', &names);
                counts.unwrap().get += 1;
            }
            names.clear();
            prefixes.clear();
            assert!(dump(std::slice::from_ref(&prefixes), &names).is_empty());
            // Nothing is left of the rounds before, except perhaps the beginning of a last one.
            assert!(prefixes.garbage.tables.len() <= 2 && names.garbage().lists.len() <= 2);
        }
        let mut turns = 0;
        while !prefixes.garbage.is_empty() || names.has_garbage.load(Ordering::Relaxed) {
            prefixes.free_some(&names);
            turns += 1;
        }
        assert!((10..40).contains(&turns), "{turns} turns");
    }
}
