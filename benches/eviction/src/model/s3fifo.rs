//! S3-FIFO: a small queue of new items, a main queue with second chances, and a memory of keys that left the small one.
//!
//! J. Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use std::collections::VecDeque;

use super::lists::KeyMap;
use super::{Lists, NodeId, Policy};

const SMALL: usize = 0;
const MAIN: usize = 1;
/// Share of the small queue.
const SMALL_PERCENT: u64 = 10;

/// The policy S3-FIFO: a small queue for new items, a main queue with second chances, and keys that left the small one.
#[derive(Clone, Debug, Default)]
pub struct S3Fifo {
    ghosts: VecDeque<u64>,
    /// How often a key is among the ghosts.
    known: KeyMap<u32>,
}

impl S3Fifo {
    fn remember(&mut self, key: u64, limit: usize) {
        self.ghosts.push_back(key);
        *self.known.entry(key).or_default() += 1;
        while self.ghosts.len() > limit {
            let key = self.ghosts.pop_front().expect("ghosts are not empty");
            let count = self.known.get_mut(&key).expect("a ghost is counted");
            *count -= 1;
            if *count == 0 {
                self.known.remove(&key);
            }
        }
    }

    fn evict_main(lists: &mut Lists) -> Option<NodeId> {
        loop {
            let node = lists.pop_oldest(MAIN)?;
            if lists[node].used == 0 {
                return Some(node);
            }
            lists[node].used -= 1;
            lists.push(MAIN, node);
        }
    }

    /// Evicts from the small queue; `None` if all of it was used and has moved on.
    fn evict_small(&mut self, lists: &mut Lists) -> Option<NodeId> {
        let items = lists.items();
        while let Some(node) = lists.pop_oldest(SMALL) {
            if lists[node].used > 1 {
                lists[node].used = 0;
                lists.push(MAIN, node);
            } else {
                self.remember(lists[node].key, items);
                return Some(node);
            }
        }
        None
    }
}

impl Policy for S3Fifo {
    const LISTS: usize = 2;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists[node].used = (lists[node].used + 1).min(3);
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        let list = if self.known.contains_key(&lists[node].key) {
            MAIN
        } else {
            SMALL
        };
        lists.push(list, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        let small = lists.bytes_in(SMALL) * 100 >= lists.bytes() * SMALL_PERCENT;
        let evicted = if small {
            self.evict_small(lists).or_else(|| Self::evict_main(lists))
        } else {
            Self::evict_main(lists).or_else(|| self.evict_small(lists))
        };
        evicted.expect("an item")
    }
}
