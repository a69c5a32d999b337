//! From hashes to the numbers of entries that lie elsewhere: open addressing, linear probing, no tombstones.
//!
//! ```text
//! home(hash) -> [ id | id | id |    ]   an entry lies in the first free place from its home on;
//!                                       a removal moves the entries behind it back
//! ```
//!
//! The table never grows and never rehashes, so no call takes long.

const EMPTY: u32 = u32::MAX;

/// A table from hashes to numbers of entries.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    places: Box<[u32]>,
    shift: u32,
}

impl Index {
    /// An empty table for at most `entries_max` entries; it has at least twice as many places.
    pub(crate) fn new(entries_max: usize) -> Index {
        let places = (2 * entries_max).next_power_of_two().max(2);
        Index {
            places: vec![EMPTY; places].into_boxed_slice(),
            shift: u64::BITS - places.ilog2(),
        }
    }

    fn mask(&self) -> usize {
        self.places.len() - 1
    }

    /// The place at which the search for a hash begins. The low bits of sampled hashes are all small, so all bits are
    /// mixed.
    fn home(&self, hash: u64) -> usize {
        (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// The entry with this hash for which `is_it` is true.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        while self.places[at] != EMPTY {
            if is_it(self.places[at]) {
                return Some(self.places[at]);
            }
            at = (at + 1) & self.mask();
        }
        None
    }

    /// Adds an entry that is not there. The caller sees to it that there are never more than the table is made for.
    pub(crate) fn insert(&mut self, hash: u64, id: u32) {
        let mut at = self.home(hash);
        while self.places[at] != EMPTY {
            at = (at + 1) & self.mask();
        }
        self.places[at] = id;
    }

    /// Removes an entry; `hash_of` tells the hash of any entry that is there.
    pub(crate) fn remove(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        let mut hole = self.home(hash);
        while self.places[hole] != id {
            if self.places[hole] == EMPTY {
                return;
            }
            hole = (hole + 1) & self.mask();
        }
        let mut at = hole;
        loop {
            at = (at + 1) & self.mask();
            let moved = self.places[at];
            if moved == EMPTY {
                break;
            }
            let home = self.home(hash_of(moved));
            let from_home = at.wrapping_sub(home) & self.mask();
            let from_hole = at.wrapping_sub(hole) & self.mask();
            if from_home >= from_hole {
                self.places[hole] = moved;
                hole = at;
            }
        }
        self.places[hole] = EMPTY;
    }

    /// Bytes of heap memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.places.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All hashes begin at one of four homes, so that entries lie in each other's way.
    #[test]
    fn entries_are_found_until_they_are_removed() {
        let hashes: Vec<u64> = (0..200u64).map(|n| (n % 4) << 62 | n).collect();
        let mut index = Index::new(200);
        for (id, &hash) in hashes.iter().enumerate() {
            index.insert(hash, id as u32);
        }
        let hash_of = |id: u32| hashes[id as usize];
        let mut there: Vec<bool> = vec![true; 200];
        for step in 0..200 {
            let id = step * 77 % 200;
            index.remove(hashes[id], id as u32, hash_of);
            there[id] = false;
            for (id, &hash) in hashes.iter().enumerate() {
                let found = index.find(hash, |other| hash_of(other) == hash);
                assert_eq!(found, there[id].then_some(id as u32), "{id} in step {step}");
            }
        }
        assert!(index.places.iter().all(|&place| place == EMPTY));
    }

    #[test]
    fn what_is_not_there_can_be_removed() {
        let mut index = Index::new(4);
        index.insert(1, 7);
        index.remove(2, 8, |_| 1);
        assert_eq!(index.find(1, |id| id == 7), Some(7));
    }
}
