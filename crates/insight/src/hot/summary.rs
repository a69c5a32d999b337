//! Space-Saving: counters for a fixed number of keys, by A. Metwally, D. Agrawal and A. El Abbadi, "Efficient
//! Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005.
//!
//! ```text
//! a key with a counter      counter + weight
//! any other key             takes the counter with the lowest count, and goes on from that count: it is then
//!                           too high by at most as much (`excess`)
//!
//! index: hash -> counter         heap: counters, the lowest count first
//! ```
//!
//! A key that has more than one in 512 of all requests always has a counter, and no count is too low.

use super::key::HotKey;
use crate::index::Index;

/// Keys with a counter.
const COUNTERS: usize = 512;
/// Bytes of the longest key.
pub const KEY_BYTES_MAX: usize = 250;

/// A key and its counts.
#[derive(Clone, Copy, Debug)]
struct Counter {
    hash: u64,
    requests: u64,
    excess: u64,
    changes: u64,
    /// Place in the heap.
    place: u16,
    key_bytes: u8,
    key: [u8; KEY_BYTES_MAX],
}

impl Counter {
    fn key(&self) -> &[u8] {
        &self.key[..usize::from(self.key_bytes)]
    }
}

/// Counters for the most frequent keys.
#[derive(Debug)]
pub(super) struct Summary {
    counters: Vec<Counter>,
    heap: Vec<u16>,
    index: Index,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            counters: Vec::with_capacity(COUNTERS),
            heap: Vec::with_capacity(COUNTERS),
            index: Index::new(COUNTERS),
        }
    }
}

impl Summary {
    /// Counts `weight` requests for a key.
    pub(super) fn add(&mut self, key: &[u8], hash: u64, weight: u64, changes: bool) {
        let Some(room) = key.len().checked_sub(1).filter(|&at| at < KEY_BYTES_MAX) else {
            return;
        };
        let counters = &self.counters;
        let is_it = |id: u32| {
            let counter = &counters[id as usize];
            counter.hash == hash && counter.key() == key
        };
        let id = match self.index.find(hash, is_it) {
            Some(id) => id as usize,
            None => self.enter(hash, room as u8 + 1, key),
        };
        let counter = &mut self.counters[id];
        counter.requests += weight;
        counter.changes += if changes { weight } else { 0 };
        let place = usize::from(counter.place);
        self.sink(place);
    }

    /// Gives a key a counter, with the count that it goes on from.
    fn enter(&mut self, hash: u64, key_bytes: u8, key: &[u8]) -> usize {
        let id = if self.counters.len() < COUNTERS {
            let id = self.counters.len();
            self.counters.push(Counter {
                hash,
                requests: 0,
                excess: 0,
                changes: 0,
                place: 0,
                key_bytes: 0,
                key: [0; KEY_BYTES_MAX],
            });
            self.heap.push(id as u16);
            self.rise(id);
            id
        } else {
            let id = self.heap[0];
            let (counters, gone) = (&self.counters, &self.counters[usize::from(id)]);
            let hash_of = |id: u32| counters[id as usize].hash;
            self.index.remove(gone.hash, u32::from(id), hash_of);
            usize::from(id)
        };
        let counter = &mut self.counters[id];
        counter.hash = hash;
        counter.excess = counter.requests;
        counter.changes = 0;
        counter.key_bytes = key_bytes;
        counter.key[..key.len()].copy_from_slice(key);
        self.index.insert(hash, id as u32);
        id
    }

    /// Count of the counter at a place in the heap.
    fn count(&self, place: usize) -> u64 {
        self.counters[usize::from(self.heap[place])].requests
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        for place in [one, other] {
            self.counters[usize::from(self.heap[place])].place = place as u16;
        }
    }

    /// Moves a new counter, whose count is 0, to the top.
    fn rise(&mut self, mut place: usize) {
        self.counters[usize::from(self.heap[place])].place = place as u16;
        while place > 0 {
            let above = (place - 1) / 2;
            self.swap(place, above);
            place = above;
        }
    }

    /// Moves a counter whose count has grown down to where it belongs.
    fn sink(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let there = children.into_iter().filter(|&at| at < self.heap.len());
            let Some(lowest) = there.min_by_key(|&at| self.count(at)) else {
                return;
            };
            if self.count(place) <= self.count(lowest) {
                return;
            }
            self.swap(place, lowest);
            place = lowest;
        }
    }

    /// Halves all counts, so many times. The order of the heap stays.
    pub(super) fn halve(&mut self, times: u32) {
        for counter in &mut self.counters {
            counter.requests >>= times;
            counter.excess >>= times;
            counter.changes >>= times;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Summary {
            counters: std::mem::take(&mut self.counters),
            heap: std::mem::take(&mut self.heap),
            index: Index::new(COUNTERS),
        };
        self.counters.clear();
        self.heap.clear();
    }

    /// Most requests that a key without a counter can have had.
    pub(super) fn unseen(&self) -> u64 {
        if self.counters.len() < COUNTERS {
            0
        } else {
            self.count(0)
        }
    }

    /// All keys with a counter.
    pub(super) fn keys(&self) -> Vec<HotKey> {
        let keys = self.counters.iter().map(|counter| HotKey {
            key: counter.key().to_vec(),
            hash: counter.hash,
            requests: counter.requests,
            excess: counter.excess,
            changes: counter.changes,
        });
        keys.collect()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.counters.capacity() * size_of::<Counter>()
            + self.heap.capacity() * size_of::<u16>()
            + self.index.held_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn hash_of(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn check(summary: &Summary) {
        for (place, &id) in summary.heap.iter().enumerate() {
            assert_eq!(usize::from(summary.counters[usize::from(id)].place), place);
            assert!(place == 0 || summary.count((place - 1) / 2) <= summary.count(place));
        }
    }

    /// Counts are never too low, and too high by no more than they say.
    #[test]
    fn counts_keep_their_bounds() {
        let mut summary = Summary::default();
        let mut truth: BTreeMap<String, u64> = BTreeMap::new();
        let mut random = 1u64;
        for _ in 0..200_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // A steep distribution over some 5000 keys.
            let unit = (random >> 11) as f64 / (1u64 << 53) as f64;
            let number = (5000f64.powf(unit) - 1.0) as u64;
            let key = format!("key-{number}");
            let weight = 1 + (random >> 7) % 3;
            summary.add(
                key.as_bytes(),
                hash_of(number),
                weight,
                number.is_multiple_of(2),
            );
            *truth.entry(key).or_default() += weight;
        }
        check(&summary);
        let keys = summary.keys();
        assert_eq!(keys.len(), COUNTERS);
        for key in &keys {
            let name = String::from_utf8(key.key.clone()).unwrap();
            let truth = truth[&name];
            assert!(truth <= key.requests, "{key:?}: {truth}");
            assert!(key.requests - key.excess <= truth, "{key:?}: {truth}");
        }
        let total: u64 = truth.values().sum();
        assert!(summary.unseen() <= total / COUNTERS as u64);
        for (name, count) in truth {
            let is_counted = keys.iter().any(|key| key.key == name.as_bytes());
            assert!(is_counted || count <= summary.unseen(), "{name}: {count}");
        }
    }

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let mut summary = Summary::default();
        summary.add(b"one", 5, 2, true);
        summary.add(b"two", 5, 3, false);
        summary.add(b"one", 5, 4, false);
        summary.add(&[b'x'; 251], 5, 4, false);
        summary.add(b"", 5, 4, false);
        let mut counts: Vec<_> = summary
            .keys()
            .into_iter()
            .map(|k| (k.key, k.requests, k.changes))
            .collect();
        counts.sort();
        assert_eq!(counts, [(b"one".to_vec(), 6, 2), (b"two".to_vec(), 3, 0)]);
        check(&summary);
    }

    #[test]
    fn counts_are_halved_and_cleared() {
        let mut summary = Summary::default();
        for number in 0..600 {
            let key = [b"k", number.to_string().as_bytes()].concat();
            summary.add(&key, hash_of(number), 8 + number, false);
        }
        summary.halve(1);
        check(&summary);
        assert!(summary.keys().iter().all(|key| key.requests >= 4));
        let held = summary.held_bytes();
        summary.clear();
        assert!(summary.keys().is_empty() && summary.held_bytes() == held);
        summary.add(b"again", 9, 1, false);
        assert_eq!(summary.keys().len(), 1);
    }
}
