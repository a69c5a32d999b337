//! SIEVE: one list in order of arrival, one bit, and a hand that goes from old to new and takes what was not used.
//!
//! Y. Zhang et al., "SIEVE is simpler than LRU", NSDI 2024.

use super::{Lists, NodeId, Policy};

/// The policy SIEVE: one list in order of arrival, and a hand that evicts what was not used since it last came by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sieve {
    hand: Option<NodeId>,
}

impl Policy for Sieve {
    const LISTS: usize = 1;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists[node].used = 1;
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        lists.push(0, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        let oldest = |lists: &Lists| lists.oldest(0).expect("an item");
        let mut node = self.hand.unwrap_or_else(|| oldest(lists));
        while lists[node].used > 0 {
            lists[node].used = 0;
            node = lists.newer(node).unwrap_or_else(|| oldest(lists));
        }
        self.hand = lists.newer(node);
        lists.unlink(node);
        node
    }

    fn removed(&mut self, lists: &Lists, node: NodeId) {
        if self.hand == Some(node) {
            self.hand = lists.newer(node);
        }
    }
}
