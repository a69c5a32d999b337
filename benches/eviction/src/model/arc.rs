//! ARC: items asked for once and items asked for again, each a list in order of use, and a memory of the keys that left
//! either. A key that comes back makes its list longer at the other's cost.
//!
//! N. Megiddo and D. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003.

use super::ghosts::Ghosts;
use super::{Lists, NodeId, Policy};

const ONCE: usize = 0;
const AGAIN: usize = 1;

/// The policy ARC: a list for items used once and one for items used again, whose sizes adapt.
#[derive(Clone, Debug, Default)]
pub struct Arc {
    /// Keys that left each list.
    left: [Ghosts; 2],
    /// Share of the memory that items asked for once should have.
    target: f64,
}

impl Arc {
    /// A key has come back that had left `list`.
    fn adapt(&mut self, list: usize, items: usize) {
        let [once, again] = [ONCE, AGAIN].map(|list| self.left[list].len().max(1) as f64);
        let step = 1.0 / items.max(1) as f64;
        self.target += if list == ONCE {
            step * (again / once).max(1.0)
        } else {
            -step * (once / again).max(1.0)
        };
        self.target = self.target.clamp(0.0, 1.0);
    }
}

impl Policy for Arc {
    const LISTS: usize = 2;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists.unlink(node);
        lists.push(AGAIN, node);
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        let key = lists[node].key;
        let left = [ONCE, AGAIN]
            .into_iter()
            .find(|&list| self.left[list].take(key));
        if let Some(list) = left {
            self.adapt(list, lists.items());
        }
        lists.push(if left.is_some() { AGAIN } else { ONCE }, node);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        let once = lists.bytes_in(ONCE) as f64;
        let list = if once > 0.0 && once >= self.target * lists.bytes() as f64 {
            ONCE
        } else {
            AGAIN
        };
        let items = lists.items();
        // Keys asked for once, present or not, are as many as there are items; those that left either list, too.
        let once_limit = items.saturating_sub(lists.items_in(ONCE)).max(1);
        let node = lists
            .pop_oldest(list)
            .or_else(|| lists.pop_oldest(ONCE))
            .expect("an item");
        let limit = if list == ONCE { once_limit } else { items };
        self.left[list].add(lists[node].key, limit);
        let [once, again] = &mut self.left;
        while once.len() + again.len() > items {
            if again.len() > 0 && once.len() <= once_limit {
                again.forget_oldest();
            } else {
                once.forget_oldest();
            }
        }
        node
    }
}
