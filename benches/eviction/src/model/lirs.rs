//! LIRS: by the number of other keys between the last two uses of one. Items with few (LIR) have most of the memory;
//! the others (HIR) wait in a short queue, and their keys are remembered a while longer.
//!
//! S. Jiang and X. Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy", SIGMETRICS 2002.

use std::collections::VecDeque;

use super::ghosts::Ghosts;
use super::lists::KeyMap;
use super::{Lists, NodeId, Policy};

const LIR: usize = 0;
const HIR: usize = 1;
/// Share of the queue.
const HIR_PERCENT: u64 = 1;
/// Keys of items that have gone are remembered for so many times the items present, at most.
const GONE: usize = 2;

/// The policy LIRS: items whose last two uses were close keep most of the memory; the others are evicted from a short
/// queue.
#[derive(Clone, Debug, Default)]
pub struct Lirs {
    /// Keys by their last use, the least recent first, with the time of it; the oldest that counts is one of a LIR
    /// item.
    stack: VecDeque<(u64, u64)>,
    /// Keys in the stack, and the time by which their entry is known.
    stacked: KeyMap<u64>,
    /// Those of them that are not present.
    gone: Ghosts,
    now: u64,
    /// Whether anything was evicted yet; until then, all are LIR.
    is_full: bool,
}

impl Lirs {
    fn stack_up(&mut self, key: u64) {
        self.now += 1;
        self.stack.push_back((key, self.now));
        self.stacked.insert(key, self.now);
    }

    /// Forgets what is below the least recently used LIR item; that item.
    fn prune(&mut self, lists: &Lists) -> Option<NodeId> {
        while let Some(&(key, used)) = self.stack.front() {
            if self.stacked.get(&key) == Some(&used) {
                let node = lists.find(key);
                if let Some(node) = node
                    && usize::from(lists[node].list) == LIR
                {
                    return Some(node);
                }
                self.stacked.remove(&key);
                self.gone.take(key);
            }
            self.stack.pop_front();
        }
        None
    }

    /// Makes the least recently used LIR items HIR until those have their share.
    fn demote(&mut self, lists: &mut Lists) {
        while lists.bytes_in(LIR) * 100 > lists.bytes() * (100 - HIR_PERCENT) {
            let Some(node) = self.prune(lists) else {
                return;
            };
            lists.unlink(node);
            lists.push(HIR, node);
        }
        self.prune(lists);
    }
}

impl Policy for Lirs {
    const LISTS: usize = 2;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        let key = lists[node].key;
        let was_stacked = self.stacked.contains_key(&key);
        self.stack_up(key);
        if usize::from(lists[node].list) == HIR {
            lists.unlink(node);
            lists.push(if was_stacked { LIR } else { HIR }, node);
            self.demote(lists);
        } else {
            self.prune(lists);
        }
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        let key = lists[node].key;
        let is_known = self.gone.take(key);
        self.stack_up(key);
        if is_known || !self.is_full {
            lists.push(LIR, node);
        } else {
            lists.push(HIR, node);
        }
        if is_known {
            self.demote(lists);
        }
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        if !self.is_full {
            self.is_full = true;
            self.demote(lists);
        }
        let node = lists
            .pop_oldest(HIR)
            .or_else(|| lists.pop_oldest(LIR))
            .expect("an item");
        let key = lists[node].key;
        if self.stacked.contains_key(&key)
            && let Some(forgotten) = self.gone.add(key, GONE * lists.items())
        {
            self.stacked.remove(&forgotten);
        }
        node
    }

    fn removed(&mut self, lists: &Lists, node: NodeId) {
        self.stacked.remove(&lists[node].key);
    }
}
