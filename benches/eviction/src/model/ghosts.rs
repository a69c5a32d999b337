//! Keys of items that have gone, in the order in which they went.

use std::collections::VecDeque;

use super::lists::KeyMap;

/// Keys of evicted items, oldest first. Whoever adds one says how many are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Ghosts {
    /// Key, and the number by which it was added.
    order: VecDeque<(u64, u64)>,
    /// The number of each key that is remembered.
    known: KeyMap<u64>,
    added: u64,
}

impl Ghosts {
    /// Keys remembered.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Remembers a key, and no more than `limit` of them; returns one that is forgotten for it.
    pub(super) fn add(&mut self, key: u64, limit: usize) -> Option<u64> {
        self.added += 1;
        self.known.insert(key, self.added);
        self.order.push_back((key, self.added));
        (self.known.len() > limit)
            .then(|| self.forget_oldest())
            .flatten()
    }

    /// Forgets the key that went first, and returns it.
    pub(super) fn forget_oldest(&mut self) -> Option<u64> {
        while let Some((key, number)) = self.order.pop_front() {
            if self.known.get(&key) == Some(&number) {
                self.known.remove(&key);
                return Some(key);
            }
        }
        None
    }

    /// Forgets a key; whether it was remembered.
    pub(super) fn take(&mut self, key: u64) -> bool {
        self.known.remove(&key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let mut ghosts = Ghosts::default();
        let forgotten = [1, 2, 3, 1, 4].map(|key| ghosts.add(key, 3));
        assert_eq!(forgotten, [None, None, None, None, Some(2)]);
        assert!(ghosts.take(1) && !ghosts.take(1) && !ghosts.take(2));
        assert_eq!((ghosts.len(), ghosts.forget_oldest()), (2, Some(3)));
        assert!(ghosts.take(4) && !ghosts.take(3));
    }
}
