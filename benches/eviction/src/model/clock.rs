//! CLOCK with two bits: the oldest item goes unless it was used, in which case it goes round again with one use less.

use super::{Lists, NodeId, Policy};

/// The policy CLOCK with two bits: an item that was used goes round once more for each use, up to three.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Policy for Clock {
    const LISTS: usize = 1;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists[node].used = (lists[node].used + 1).min(3);
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        lists.push(0, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        loop {
            let node = lists.pop_oldest(0).expect("an item");
            if lists[node].used == 0 {
                return node;
            }
            lists[node].used -= 1;
            lists.push(0, node);
        }
    }
}
