//! Reference policies over plain structures, with a capacity in bytes.

mod arc;
mod clock;
mod ghosts;
mod lfu;
mod lirs;
mod lists;
mod lru;
mod s3fifo;
mod segmented;
mod sieve;
mod tinylfu;

use crate::stream::{Op, Request};

pub use self::arc::Arc;
pub use self::clock::Clock;
pub use self::lfu::Lfu;
pub use self::lirs::Lirs;
pub use self::lists::{KeyMap, KeyMixer, Lists, Node, NodeId};
pub use self::lru::Lru;
pub use self::s3fifo::S3Fifo;
pub use self::segmented::Segmented;
pub use self::sieve::Sieve;
pub use self::tinylfu::TinyLfu;

/// What differs between policies. Nodes are items that are present; `lists` has them in as many lists as the policy
/// wants.
pub trait Policy {
    /// Number of lists.
    const LISTS: usize;
    /// An item was asked for and is present.
    fn hit(&mut self, lists: &mut Lists, node: NodeId);
    /// Puts a new item into a list.
    fn insert(&mut self, lists: &mut Lists, node: NodeId);
    /// Makes room: takes one item out of its list and returns it. There is at least one.
    fn evict(&mut self, lists: &mut Lists) -> NodeId;
    /// An item leaves for another reason.
    fn removed(&mut self, _lists: &Lists, _node: NodeId) {}
}

/// A cache with a policy.
#[derive(Debug)]
pub struct Model<P> {
    policy: P,
    lists: Lists,
    capacity_bytes: u64,
    item_overhead_bytes: u64,
    ttl_bytes: u64,
}

/// Anything that answers requests: true is a hit.
pub trait Cache {
    /// Serves one request at a time in seconds. Writes are hits.
    fn request(&mut self, request: &Request, now: u32) -> bool;
    /// Items present.
    fn items(&self) -> u64;
}

impl<P: Policy> Model<P> {
    /// An empty cache of so many bytes, where an item costs its key and value and `item_overhead_bytes`, and
    /// 4 more with a time to live.
    pub fn new(policy: P, capacity_bytes: u64, item_overhead_bytes: u64) -> Self {
        Self {
            policy,
            lists: Lists::new(P::LISTS),
            capacity_bytes,
            item_overhead_bytes,
            ttl_bytes: 4,
        }
    }

    fn remove(&mut self, node: NodeId) {
        self.policy.removed(&self.lists, node);
        self.lists.unlink(node);
        self.lists.forget(node);
    }
}

impl<P: Policy> Cache for Model<P> {
    fn request(&mut self, request: &Request, now: u32) -> bool {
        let found = self.lists.find(request.key);
        let expired = found.filter(|&node| {
            let deadline = self.lists[node].deadline;
            deadline != 0 && deadline <= now
        });
        let found = if let Some(node) = expired {
            self.remove(node);
            None
        } else {
            found
        };
        let deadline = if request.ttl == 0 {
            0
        } else {
            now + request.ttl
        };
        if let Some(node) = found {
            self.policy.hit(&mut self.lists, node);
            if request.op == Op::Write {
                self.lists[node].deadline = deadline;
            }
            return true;
        }
        let ttl_bytes = self.ttl_bytes * u64::from(request.ttl != 0);
        let bytes = 24 + u64::from(request.value_bytes) + self.item_overhead_bytes + ttl_bytes;
        while self.lists.bytes() + bytes > self.capacity_bytes && self.lists.items() > 0 {
            let victim = self.policy.evict(&mut self.lists);
            self.lists.forget(victim);
        }
        let node = self
            .lists
            .add(Node::new(request.key, bytes as u32, deadline));
        self.policy.insert(&mut self.lists, node);
        request.op == Op::Write
    }

    fn items(&self) -> u64 {
        self.lists.items() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{STREAMS, Stream};

    fn check<P: Policy>(policy: P) -> f64 {
        let mut cache = Model::new(policy, 138 * 500, 14);
        let mut misses = 0;
        for request in Stream::new(STREAMS[2], 5000, 1).take(50_000) {
            misses += u32::from(!cache.request(&request, 2));
            assert!(cache.lists.bytes() <= cache.capacity_bytes);
        }
        assert_eq!(cache.items(), 500);
        cache.lists.check();
        f64::from(misses) / 50_000.0
    }

    #[test]
    fn every_policy_fills_its_capacity_and_better_ones_miss_less() {
        let lru = check(Lru);
        let others = [
            check(Segmented),
            check(Clock),
            check(S3Fifo::default()),
            check(Sieve::default()),
            check(Arc::default()),
            check(Lirs::default()),
            check(TinyLfu::new(500)),
            check(Lfu::default()),
        ];
        assert!((0.2..0.5).contains(&lru), "{lru}");
        for misses in others {
            assert!(misses < lru, "{misses} against {lru}");
        }
    }

    #[test]
    fn a_least_recently_used_item_goes_first() {
        let mut cache = Model::new(Lru, 138 * 2, 14);
        let request = |key| Request {
            op: Op::ReadThrough,
            key,
            value_bytes: 100,
            ttl: 0,
        };
        let hits: Vec<bool> = [1, 2, 1, 3, 1, 2]
            .map(|key| cache.request(&request(key), 2))
            .to_vec();
        assert_eq!(hits, [false, false, true, false, true, false]);
    }

    #[test]
    fn expired_items_are_misses() {
        let mut cache = Model::new(Lru, 10_000, 14);
        let request = Request {
            op: Op::ReadThrough,
            key: 1,
            value_bytes: 100,
            ttl: 5,
        };
        assert!(!cache.request(&request, 2));
        assert!(cache.request(&request, 6));
        assert!(!cache.request(&request, 7));
    }
}
