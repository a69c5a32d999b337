//! What no cache can do better, and what those reach that know the future.
//!
//! * Keys asked for the first time are misses.
//! * Where all items have the same size, Belady's MIN misses least: the item goes whose next use is the farthest, be it
//!   the new one.
//! * Items of different sizes have no such rule (finding the optimum is NP-hard). PFOO-L (Berger, Beckmann and
//!   Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes", 2018) is a bound: to hit, an
//!   item takes its bytes from one use to the next; the cheapest such spans are chosen until they fill the memory times
//!   the time, though not at each moment. And two heuristics show what can be reached: the farthest next use, and of a
//!   sample the largest product of bytes and time to the next use.
//!
//! A next use that is a write is none: what is held until then is of no use. Deadlines are not looked at.

use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;

use crate::model::KeyMap;
use crate::stream::{Op, Request, mix};

const NEVER: u32 = u32::MAX;
/// Items of which the heuristic by size chooses one.
const SAMPLE: u64 = 64;

/// Bounds of the misses among the counted read-throughs of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Read-throughs counted.
    pub reads: u64,
    /// Those of a key that was never asked for or written before.
    pub first: u64,
    /// No cache has fewer misses.
    pub least: u64,
    /// A cache that knows the future has as many; the same where all items have one size.
    pub clairvoyant: u64,
}

/// A stream, and a cache of so many bytes. The first `warm_up` requests are not counted.
#[derive(Debug)]
struct Problem<'a> {
    requests: &'a [Request],
    /// For each request, the place of the next read of the same key, unless a write comes before.
    next: Vec<u32>,
    warm_up: usize,
    capacity_bytes: u64,
    overhead_bytes: u64,
}

/// For each request, the place of the next one for the same key if that is a read; and whether it is the first.
fn uses(requests: &[Request]) -> (Vec<u32>, Vec<bool>) {
    let mut last: KeyMap<u32> = KeyMap::default();
    let mut next = vec![NEVER; requests.len()];
    let mut first = vec![false; requests.len()];
    for (place, request) in requests.iter().enumerate() {
        match last.entry(request.key) {
            Entry::Occupied(mut before) => {
                if request.op == Op::ReadThrough {
                    next[*before.get() as usize] = place as u32;
                }
                before.insert(place as u32);
            }
            Entry::Vacant(unknown) => {
                first[place] = true;
                unknown.insert(place as u32);
            }
        }
    }
    (next, first)
}

/// The bounds for a cache of `capacity_bytes`, where an item costs its value and `overhead_bytes`. The first `warm_up`
/// requests are not counted.
pub fn bound(
    requests: &[Request],
    warm_up: usize,
    capacity_bytes: u64,
    overhead_bytes: u64,
) -> Bound {
    let (next, first) = uses(requests);
    let is_read = |place: &usize| requests[*place].op == Op::ReadThrough;
    let reads = (warm_up..requests.len()).filter(is_read);
    let problem = Problem {
        requests,
        next,
        warm_up,
        capacity_bytes,
        overhead_bytes,
    };
    let farthest = problem.farthest();
    let mut bound = Bound {
        reads: reads.clone().count() as u64,
        first: reads.filter(|&place| first[place]).count() as u64,
        least: farthest,
        clairvoyant: farthest,
    };
    if requests
        .iter()
        .any(|it| it.value_bytes != requests[0].value_bytes)
    {
        bound.least = (bound.reads - problem.most_hits()).max(bound.first);
        bound.clairvoyant = farthest.min(problem.largest());
    }
    bound
}

impl Problem<'_> {
    fn bytes(&self, place: usize) -> u64 {
        u64::from(self.requests[place].value_bytes) + self.overhead_bytes
    }

    fn is_counted(&self, place: usize) -> bool {
        place >= self.warm_up && self.requests[place].op == Op::ReadThrough
    }

    /// Misses when the item goes whose next use is the farthest.
    fn farthest(&self) -> u64 {
        let mut misses = 0;
        // Next use and bytes of what is present; the heap has also uses that have passed.
        let mut present: KeyMap<(u32, u64)> = KeyMap::default();
        let mut farthest: BinaryHeap<(u32, u64)> = BinaryHeap::new();
        let mut held_bytes = 0;
        for (place, request) in self.requests.iter().enumerate() {
            let found = present.remove(&request.key);
            held_bytes -= found.map_or(0, |(_, bytes)| bytes);
            misses += u64::from(self.is_counted(place) && found.is_none());
            let (next, bytes) = (self.next[place], self.bytes(place));
            if next == NEVER {
                continue;
            }
            present.insert(request.key, (next, bytes));
            farthest.push((next, request.key));
            held_bytes += bytes;
            while held_bytes > self.capacity_bytes {
                let (use_at, key) = farthest.pop().expect("what is present is in the heap");
                if present.get(&key).is_some_and(|&(at, _)| at == use_at) {
                    held_bytes -= present.remove(&key).map_or(0, |(_, bytes)| bytes);
                }
            }
        }
        misses
    }

    /// Misses when, of a sample, the item goes that takes most bytes for the longest time until its next use.
    fn largest(&self) -> u64 {
        let mut misses = 0;
        let mut held = Held::default();
        let mut draws = 0;
        for (now, request) in self.requests.iter().enumerate() {
            let was_held = held.remove_key(request.key);
            misses += u64::from(self.is_counted(now) && !was_held);
            if self.next[now] == NEVER {
                continue;
            }
            held.insert(request.key, self.next[now], self.bytes(now));
            while held.bytes > self.capacity_bytes {
                let count = held.items.len() as u64;
                let draw = |number| (mix(number) % count) as usize;
                let cost = |&at: &usize| {
                    let (_, next, bytes) = held.items[at];
                    bytes * u64::from(next - now as u32)
                };
                let victim = (draws..draws + SAMPLE).map(draw).max_by_key(cost);
                draws += SAMPLE;
                held.remove(victim.expect("the sample is not empty"));
            }
        }
        misses
    }

    /// More hits than this are not possible among the counted reads (PFOO-L).
    fn most_hits(&self) -> u64 {
        let begin = self.warm_up;
        let spans = (0..self.requests.len()).filter_map(|place| {
            let next = self.next[place];
            let is_counted = next != NEVER && self.is_counted(next as usize);
            // What is held before the counting begins takes nothing of the time that is counted.
            is_counted.then(|| self.bytes(place) * (u64::from(next) - place.max(begin) as u64))
        });
        let mut costs: Vec<u64> = spans.collect();
        costs.sort_unstable();
        let mut left = u128::from(self.capacity_bytes) * (self.requests.len() - begin) as u128;
        let fits = |&&cost: &&u64| {
            let fits = u128::from(cost) <= left;
            left -= if fits { u128::from(cost) } else { 0 };
            fits
        };
        costs.iter().take_while(fits).count() as u64
    }
}

/// What a cache holds, so that any item can be drawn.
#[derive(Debug, Default)]
struct Held {
    places: KeyMap<usize>,
    /// Key, next use, bytes.
    items: Vec<(u64, u32, u64)>,
    bytes: u64,
}

impl Held {
    fn insert(&mut self, key: u64, next: u32, bytes: u64) {
        self.places.insert(key, self.items.len());
        self.items.push((key, next, bytes));
        self.bytes += bytes;
    }

    fn remove(&mut self, at: usize) {
        let (key, _, bytes) = self.items.swap_remove(at);
        self.places.remove(&key);
        if let Some(&(moved, ..)) = self.items.get(at) {
            self.places.insert(moved, at);
        }
        self.bytes -= bytes;
    }

    /// Whether it was there.
    fn remove_key(&mut self, key: u64) -> bool {
        let at = self.places.get(&key).copied();
        if let Some(at) = at {
            self.remove(at);
        }
        at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: u64, value_bytes: u32) -> Request {
        Request {
            op: Op::ReadThrough,
            key,
            value_bytes,
            ttl: 0,
        }
    }

    #[test]
    fn the_farthest_use_goes() {
        // Room for two: 3 goes when 2 comes back in, and is the only one to miss again.
        let requests = [1, 2, 3, 1, 2, 1, 2, 3].map(|key| read(key, 90));
        let expected = Bound {
            reads: 8,
            first: 3,
            least: 4,
            clairvoyant: 4,
        };
        assert_eq!(bound(&requests, 0, 200, 10), expected);
        let expected = Bound {
            reads: 6,
            first: 1,
            least: 2,
            clairvoyant: 2,
        };
        assert_eq!(bound(&requests, 2, 200, 10), expected);
    }

    #[test]
    fn what_is_written_before_it_is_read_need_not_be_held() {
        let write = |key| Request {
            op: Op::Write,
            ..read(key, 90)
        };
        // Room for one: 2 is held while 1 waits for its write.
        let requests = [read(1, 90), read(2, 90), read(2, 90), write(1), read(1, 90)];
        let found = bound(&requests, 0, 100, 10);
        assert_eq!((found.reads, found.first, found.least), (4, 2, 2));
    }

    #[test]
    fn of_different_sizes_the_bounds_are_in_order() {
        let sizes = [40, 90, 400, 2000];
        let draw = |number: u64| mix(number) % 300;
        let requests: Vec<Request> = (0..30_000)
            .map(|number| draw(number).min(draw(number + 1_000_000)))
            .map(|key| read(key, sizes[key as usize % 4]))
            .collect();
        let found = bound(&requests, 10_000, 20_000, 10);
        assert!(found.first <= found.least, "{found:?}");
        assert!(found.least < found.clairvoyant, "{found:?}");
        assert!(found.clairvoyant < found.reads, "{found:?}");
        // The bound is not far from what can be reached.
        assert!(
            found.clairvoyant - found.least < found.reads / 10,
            "{found:?}"
        );
    }

    #[test]
    fn a_large_item_goes_for_many_small_ones() {
        // The large one would be used first, but takes the room of ten.
        let small = || (1..=10).map(|key| read(key, 90));
        let round = || {
            small()
                .chain([read(0, 990)])
                .chain(small())
                .chain([read(0, 990)])
        };
        let requests: Vec<Request> = (0..50).flat_map(|_| round()).collect();
        let found = bound(&requests, 0, 1000, 10);
        let share = found.clairvoyant as f64 / found.reads as f64;
        assert!(share < 0.15, "{found:?}");
    }
}
