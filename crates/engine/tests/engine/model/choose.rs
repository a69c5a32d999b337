//! The parts of the next operation: keys, values, deadlines, and the map's entry for a key.

use corecached_engine::{Deadline, Fetch, Seconds, StoreExtras, StoreMode};

use crate::support::hash;

use super::Model;
use super::entry::Entry;

impl Model {
    pub(super) fn now(&self) -> Seconds {
        Seconds(self.now)
    }

    pub(super) fn key(&mut self) -> Vec<u8> {
        // Squared, so that some keys come often.
        let number = self.rng.below(self.keys) * self.rng.below(self.keys) / self.keys;
        let padding = if number.is_multiple_of(7) {
            "x".repeat(number % 220)
        } else {
            String::new()
        };
        format!("key-{number}{padding}").into_bytes()
    }

    pub(super) fn value(&mut self) -> Vec<u8> {
        if self.rng.one_in(8) {
            return (self.rng.next() >> self.rng.below(64))
                .to_string()
                .into_bytes();
        }
        let longest = self.lengths[self.rng.below(self.lengths.len())];
        let len = self.rng.below(longest + 1);
        let first = self.rng.next();
        // The first byte keeps the value from being a number.
        (0..len)
            .map(|at| {
                if at == 0 {
                    b'v'
                } else {
                    (first >> (at % 7 * 8)) as u8 ^ at as u8
                }
            })
            .collect()
    }

    pub(super) fn deadline(&mut self) -> Deadline {
        if self.rng.one_in(3) {
            Deadline(self.now + self.rng.below(60) as u32)
        } else {
            Deadline::NEVER
        }
    }

    pub(super) fn flags(&mut self) -> u32 {
        if self.rng.one_in(3) {
            self.rng.next() as u32
        } else {
            0
        }
    }

    /// The map's entry for a key, unless the item is dead.
    pub(super) fn expected(&mut self, key: &[u8]) -> Option<Entry> {
        self.hear_of_evictions();
        let now = self.now();
        if self
            .map
            .get(key)
            .is_some_and(|entry| entry.deadline.has_passed(now))
        {
            self.map.remove(key);
        }
        self.map.get(key).cloned()
    }

    /// Called when the engine does not have the item: it must have died or been evicted.
    pub(super) fn is_gone(&mut self, key: &[u8]) {
        assert!(
            self.expected(key).is_none(),
            "a live item is gone although it was not evicted: {}",
            String::from_utf8_lossy(key)
        );
    }

    /// Finds out whether the item is still there.
    pub(super) fn settle(&mut self, key: &[u8]) {
        let found = self
            .engine
            .get(key, hash(key), Seconds(self.now), Fetch::Quiet);
        if found.is_none() {
            self.is_gone(key);
        }
    }

    pub(super) fn new_cas(&mut self) -> Option<u64> {
        // Cas uniques of all lengths, so that some need the wide field.
        self.rng
            .one_in(4)
            .then(|| self.rng.next() >> self.rng.below(64))
    }

    pub(super) fn compare(&mut self, expected: Option<&Entry>) -> Option<u64> {
        let cas = expected.map_or(1, |entry| entry.cas);
        self.rng
            .one_in(3)
            .then(|| cas.wrapping_add(self.rng.below(2) as u64))
    }

    pub(super) fn extras(&mut self, expected: Option<&Entry>) -> StoreExtras {
        if self.rng.one_in(2) {
            return StoreExtras::default();
        }
        StoreExtras {
            new_cas: self.new_cas(),
            compare: self.compare(expected),
            create: self.rng.one_in(3),
            invalidate: self.rng.one_in(2),
            binary_key: self.rng.one_in(4),
            drops_old: self.rng.one_in(4),
        }
    }

    pub(super) fn mode(&mut self, expected: Option<&Entry>) -> StoreMode {
        match self.rng.below(11) {
            0 => StoreMode::Add,
            1 => StoreMode::Replace,
            2 => StoreMode::Append,
            3 => StoreMode::Prepend,
            4 => StoreMode::Cas(expected.map_or(5, |entry| entry.cas)),
            5 => StoreMode::Cas(self.rng.next()),
            6 => StoreMode::Cas(expected.map_or(5, |entry| entry.cas).saturating_sub(1)),
            _ => StoreMode::Set,
        }
    }

    pub(super) fn too_large(&self, key: &[u8], value_bytes: usize, flags: u32) -> bool {
        let counted = key.len() + value_bytes + 59 + 4 * usize::from(flags != 0);
        counted - 8 * usize::from(!self.config.cas_enabled) > self.config.item_size_max
    }
}
