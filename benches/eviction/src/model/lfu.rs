//! Least often used, with the number of requests of each key that was ever asked for: what a cache could learn at most
//! that keeps nothing else, where popularity does not change. Of two keys asked for equally often, the one used longer
//! ago goes.

use std::collections::BTreeSet;

use super::lists::KeyMap;
use super::{Lists, NodeId, Policy};

/// Requests of a key so far, and the time of the last.
type Use = (u32, u64);

/// The policy LFU with perfect memory: the item with the fewest requests of its key ever is evicted.
#[derive(Clone, Debug, Default)]
pub struct Lfu {
    uses: KeyMap<Use>,
    order: BTreeSet<(Use, NodeId)>,
    now: u64,
}

impl Lfu {
    fn count(&mut self, lists: &Lists, node: NodeId) {
        self.now += 1;
        let known = self.uses.entry(lists[node].key).or_default();
        *known = (known.0 + 1, self.now);
        self.order.insert((*known, node));
    }

    fn leave(&mut self, lists: &Lists, node: NodeId) {
        if let Some(&known) = self.uses.get(&lists[node].key) {
            self.order.remove(&(known, node));
        }
    }
}

impl Policy for Lfu {
    const LISTS: usize = 1;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        self.leave(lists, node);
        self.count(lists, node);
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        lists.push(0, node);
        self.count(lists, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        let (_, node) = self.order.pop_first().expect("an item");
        lists.unlink(node);
        node
    }

    fn removed(&mut self, lists: &Lists, node: NodeId) {
        self.leave(lists, node);
    }
}
