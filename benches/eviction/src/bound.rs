//! What no cache can do better: keys asked for the first time are misses, and a cache that knows the future (Belady's, which
//! lets that item go whose next use is the farthest) misses least where all items have the same size.

use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;

use crate::model::KeyMap;
use crate::stream::{Op, Request};

const NEVER: u32 = u32::MAX;

/// Bounds of the misses among the counted read-throughs of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Read-throughs counted.
    pub reads: u64,
    /// Those of a key that was never asked for or written before.
    pub first: u64,
    /// Misses of a cache that knows the future.
    pub clairvoyant: u64,
}

/// For each request, the place of the next one for the same key; and whether it is the first.
fn uses(requests: &[Request]) -> (Vec<u32>, Vec<bool>) {
    let mut last: KeyMap<u32> = KeyMap::default();
    let mut next = vec![NEVER; requests.len()];
    let mut first = vec![false; requests.len()];
    for (place, request) in requests.iter().enumerate() {
        match last.entry(request.key) {
            Entry::Occupied(mut before) => {
                next[*before.get() as usize] = place as u32;
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
/// requests are not counted. Deadlines are not looked at.
pub fn bound(
    requests: &[Request],
    warm_up: usize,
    capacity_bytes: u64,
    overhead_bytes: u64,
) -> Bound {
    let (next, first) = uses(requests);
    let mut bound = Bound::default();
    // Next use and bytes of what is present; the heap has also uses that have passed.
    let mut present: KeyMap<(u32, u64)> = KeyMap::default();
    let mut farthest: BinaryHeap<(u32, u64)> = BinaryHeap::new();
    let mut held_bytes = 0;
    for (place, request) in requests.iter().enumerate() {
        let found = present.remove(&request.key);
        held_bytes -= found.map_or(0, |(_, bytes)| bytes);
        if place >= warm_up && request.op == Op::ReadThrough {
            bound.reads += 1;
            bound.first += u64::from(first[place]);
            bound.clairvoyant += u64::from(found.is_none());
        }
        if next[place] == NEVER {
            continue;
        }
        let bytes = u64::from(request.value_bytes) + overhead_bytes;
        present.insert(request.key, (next[place], bytes));
        farthest.push((next[place], request.key));
        held_bytes += bytes;
        while held_bytes > capacity_bytes {
            let (use_at, key) = farthest.pop().expect("what is present is in the heap");
            if present.get(&key).is_some_and(|&(at, _)| at == use_at) {
                held_bytes -= present.remove(&key).map_or(0, |(_, bytes)| bytes);
            }
        }
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_use_goes() {
        let request = |key| Request {
            op: Op::ReadThrough,
            key,
            value_bytes: 90,
            ttl: 0,
        };
        // Room for two: 3 goes when 2 comes back in, and is the only one to miss again.
        let requests = [1, 2, 3, 1, 2, 1, 2, 3].map(request);
        let expected = Bound {
            reads: 8,
            first: 3,
            clairvoyant: 4,
        };
        assert_eq!(bound(&requests, 0, 200, 10), expected);
        let expected = Bound {
            reads: 6,
            first: 1,
            clairvoyant: 2,
        };
        assert_eq!(bound(&requests, 2, 200, 10), expected);
    }
}
