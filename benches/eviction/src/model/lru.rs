//! Least recently used.

use super::{Lists, NodeId, Policy};

/// The policy LRU: the item that was not used for the longest time is evicted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lru;

impl Policy for Lru {
    const LISTS: usize = 1;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists.unlink(node);
        lists.push(0, node);
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        lists.push(0, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        lists.pop_oldest(0).expect("an item")
    }
}
