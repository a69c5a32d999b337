//! W-TinyLFU: a small window of new items before a segmented LRU. What leaves the window gets into it only if it was
//! asked for more often than what would go for it, by a sketch that counts every request and forgets half of it now and
//! then.
//!
//! G. Einziger, R. Friedman and B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", TOS 2017.

use super::{Lists, NodeId, Policy};
use crate::stream::mix;

const WINDOW: usize = 0;
const PROBATION: usize = 1;
const PROTECTED: usize = 2;
/// Share of the window.
const WINDOW_PERCENT: u64 = 1;
/// Share of items asked for again behind it.
const PROTECTED_PERCENT: u64 = 80;
const ROWS: u64 = 4;
/// Counters of a row for each item.
const COUNTERS: usize = 4;
const COUNT_MAX: u8 = 15;
/// Requests for each item until the counts are halved.
const SAMPLE: usize = 10;

/// Approximate counts of requests by key.
#[derive(Clone, Debug)]
struct Sketch {
    rows: Vec<u8>,
    counted: usize,
    sample: usize,
}

impl Sketch {
    fn places(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        let counters = self.rows.len() as u64 / ROWS;
        (0..ROWS).map(move |row| (row * counters + mix(key ^ mix(row)) % counters) as usize)
    }

    fn estimate(&self, key: u64) -> u8 {
        let counts = self.places(key).map(|place| self.rows[place]);
        counts.min().unwrap_or(0)
    }

    fn count(&mut self, key: u64) {
        let least = self.estimate(key);
        if least < COUNT_MAX {
            for place in self.places(key) {
                self.rows[place] = self.rows[place].max(least + 1);
            }
        }
        self.counted += 1;
        if self.counted == self.sample {
            self.counted /= 2;
            for count in &mut self.rows {
                *count /= 2;
            }
        }
    }
}

/// The policy W-TinyLFU: a window of new items, of which only those that are asked for more often than an evicted one
/// stay.
#[derive(Clone, Debug)]
pub struct TinyLfu {
    sketch: Sketch,
    /// Whether anything was evicted yet.
    is_full: bool,
}

impl TinyLfu {
    /// For a cache of about so many items.
    pub fn new(items: usize) -> Self {
        let items = items.max(1);
        Self {
            sketch: Sketch {
                rows: vec![0; items * COUNTERS * ROWS as usize],
                counted: 0,
                sample: items * SAMPLE,
            },
            is_full: false,
        }
    }

    fn window_is_full(lists: &Lists) -> bool {
        lists.bytes_in(WINDOW) * 100 > lists.bytes() * WINDOW_PERCENT
    }
}

impl Policy for TinyLfu {
    const LISTS: usize = 3;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        self.sketch.count(lists[node].key);
        let list = usize::from(lists[node].list);
        lists.unlink(node);
        lists.push(if list == WINDOW { WINDOW } else { PROTECTED }, node);
        while lists.bytes_in(PROTECTED) * 100 > lists.bytes() * PROTECTED_PERCENT {
            let oldest = lists.pop_oldest(PROTECTED).expect("it has bytes");
            lists.push(PROBATION, oldest);
        }
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        self.sketch.count(lists[node].key);
        lists.push(WINDOW, node);
        while !self.is_full && Self::window_is_full(lists) {
            let oldest = lists.pop_oldest(WINDOW).expect("it is full");
            lists.push(PROBATION, oldest);
        }
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        self.is_full = true;
        let victim = [PROBATION, PROTECTED, WINDOW]
            .into_iter()
            .find_map(|list| lists.oldest(list))
            .expect("an item");
        if let Some(candidate) = lists.oldest(WINDOW).filter(|_| Self::window_is_full(lists)) {
            lists.unlink(candidate);
            let [ours, theirs] =
                [candidate, victim].map(|node| self.sketch.estimate(lists[node].key));
            if candidate == victim || ours <= theirs {
                return candidate;
            }
            lists.push(PROBATION, candidate);
        }
        lists.unlink(victim);
        victim
    }
}
