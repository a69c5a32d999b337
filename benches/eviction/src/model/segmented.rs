//! The segmented LRU of memcached, with a maintainer that is never late.
//!
//! New items go to HOT (20% of the bytes). At the tail of HOT, an item asked for twice goes to WARM (40%), another to
//! COLD. At the tail of WARM, one asked for since goes to the head again, another to COLD. An item in COLD goes to
//! WARM when it is asked for twice. Evictions take the tail of COLD.

use super::{Lists, NodeId, Policy};

const HOT: usize = 0;
const WARM: usize = 1;
const COLD: usize = 2;
const HOT_PERCENT: u64 = 20;
const WARM_PERCENT: u64 = 40;
/// Uses that make an item active; the first only says that it was fetched.
const ACTIVE: u8 = 2;
/// Uses of an item that has moved: it was fetched once.
const FETCHED: u8 = 1;

/// memcached's segmented LRU (HOT, WARM and COLD), whose maintainer is never late here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segmented;

impl Segmented {
    /// Moves tails until HOT and WARM are within their limits.
    fn juggle(lists: &mut Lists) {
        let bytes = lists.bytes();
        while lists.bytes_in(HOT) * 100 > bytes * HOT_PERCENT {
            let node = lists.pop_oldest(HOT).expect("HOT has bytes");
            Self::place(lists, node);
        }
        while lists.bytes_in(WARM) * 100 > bytes * WARM_PERCENT {
            let node = lists.pop_oldest(WARM).expect("WARM has bytes");
            Self::place(lists, node);
        }
    }

    fn place(lists: &mut Lists, node: NodeId) {
        if lists[node].used >= ACTIVE {
            lists[node].used = FETCHED;
            lists.push(WARM, node);
        } else {
            lists.push(COLD, node);
        }
    }
}

impl Policy for Segmented {
    const LISTS: usize = 3;

    fn hit(&mut self, lists: &mut Lists, node: NodeId) {
        lists[node].used = (lists[node].used + 1).min(ACTIVE);
        if usize::from(lists[node].list) == COLD && lists[node].used == ACTIVE {
            lists.unlink(node);
            Self::place(lists, node);
            Self::juggle(lists);
        }
    }

    fn insert(&mut self, lists: &mut Lists, node: NodeId) {
        lists.push(HOT, node);
        Self::juggle(lists);
    }

    fn evict(&mut self, lists: &mut Lists) -> NodeId {
        lists
            .pop_oldest(COLD)
            .or_else(|| lists.pop_oldest(HOT))
            .or_else(|| lists.pop_oldest(WARM))
            .expect("an item")
    }
}
