//! A small cache that evicts as the engine does: what the engine would hold of the sampled keys.
//!
//! ```text
//!            probation: a queue, the newest fifteenth of the items        ring: all items; the hand goes round
//!  new item ---> [ new | .. | .. | oldest ] -- not asked for -> ghost     [ a | b |   | c | d | ... ]
//!     |              | asked for                                              hand ^  0 uses -> ghost
//!     |              v                                                                1, 2   -> one less
//!     +-- ghost ---> kept -------------------------------------------------------------------------+
//!         of less than a lap ago
//! ```
//!
//! This is the policy of the engine's `evict/` (docs/design/002-eviction.md) with one class for all sizes. A place in
//! the ring stands for a chunk: a new item takes the place of one that has gone.

use std::collections::VecDeque;

use super::keys::{KEYS_MAX, Keys, State};
use super::lap::Lap;

/// One item in so many is on probation.
const SHARE: usize = 15;
/// Entries beyond the share before probation ends early.
const SLACK: usize = 8;
/// Items that the hand passes before it takes the least used of them.
const CANDIDATES_MAX: usize = 48;
/// Fingerprints for a hundred items: 768 in each leaf of the index, which has some 210 items.
const GHOSTS_PERCENT: u64 = 366;
/// Items that one access evicts at most. If more have to go, further accesses evict the rest.
const EVICTIONS_MAX: usize = 16;
const EMPTY: u32 = u32::MAX;

/// A small cache.
#[derive(Debug)]
pub(super) struct SmallCache {
    /// Its number among the caches.
    number: usize,
    /// Keys by place.
    ring: Vec<u32>,
    /// Places that are empty.
    free: Vec<u32>,
    hand: usize,
    /// Keys on probation with their places. An entry whose key is no longer on probation there is void.
    queue: VecDeque<(u32, u32)>,
    items: usize,
    bytes: u64,
    capacity_bytes: u64,
    /// Evictions so far.
    evictions: u64,
    lap: Lap,
    /// Whether anything was evicted yet: until then there is no probation.
    is_short: bool,
}

impl SmallCache {
    pub(super) fn new(number: usize) -> SmallCache {
        SmallCache {
            number,
            ring: Vec::with_capacity(KEYS_MAX),
            free: Vec::with_capacity(KEYS_MAX),
            hand: 0,
            queue: VecDeque::with_capacity(queue_max(KEYS_MAX) + 2),
            items: 0,
            bytes: 0,
            capacity_bytes: 0,
            evictions: 0,
            lap: Lap::default(),
            is_short: false,
        }
    }

    /// Its number among the caches.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn set_capacity(&mut self, bytes: u64) {
        self.capacity_bytes = bytes;
    }

    fn state(&self, keys: &Keys, id: u32) -> State {
        keys.get(id).states[self.number]
    }

    fn set_state(&self, keys: &mut Keys, id: u32, state: State) {
        keys.get_mut(id).states[self.number] = state;
    }

    /// Notes a use of an item, if the cache has it; returns whether it has.
    pub(super) fn use_item(&self, keys: &mut Keys, id: u32) -> bool {
        let after = match self.state(keys, id) {
            State::Absent | State::Ghost => return false,
            State::Probation | State::Kept(0) => State::Kept(1),
            State::Kept(_) => State::Kept(2),
        };
        self.set_state(keys, id, after);
        true
    }

    /// Takes in an item that the cache does not have.
    pub(super) fn insert(&mut self, keys: &mut Keys, id: u32, now: u32) {
        let bytes = u64::from(keys.get(id).bytes);
        if bytes > self.capacity_bytes {
            return;
        }
        self.make_room(keys, bytes, now);
        let is_known = self.remembers(keys, id);
        let place = self.free.pop().unwrap_or_else(|| {
            self.ring.push(EMPTY);
            self.ring.len() as u32 - 1
        });
        self.ring[place as usize] = id;
        keys.get_mut(id).places[self.number] = place;
        self.items += 1;
        self.bytes += bytes;
        if is_known || !self.is_short {
            return self.set_state(keys, id, State::Kept(0));
        }
        self.set_state(keys, id, State::Probation);
        self.queue.push_back((id, place));
        if self.queue.len() > queue_max(self.items)
            && let Some(oldest) = self.pop_queue(keys)
        {
            self.set_state(keys, oldest, State::Kept(0));
        }
    }

    /// Whether the item was evicted so recently that it is not put on probation.
    pub(super) fn remembers(&self, keys: &Keys, id: u32) -> bool {
        let key = keys.get(id);
        if key.states[self.number] != State::Ghost {
            return false;
        }
        let age = u64::from((self.evictions as u32).wrapping_sub(key.places[self.number]));
        let ghosts_max = self.items as u64 * GHOSTS_PERCENT / 100;
        age < self.lap.length(self.evictions).min(ghosts_max)
    }

    /// Takes out what a client has deleted, what has died, and what is no longer sampled. Nothing is remembered of it.
    pub(super) fn remove(&mut self, keys: &mut Keys, id: u32) {
        if self.state(keys, id).is_present() {
            self.take_out(keys, id);
        }
        self.set_state(keys, id, State::Absent);
    }

    /// An item has another size than before.
    pub(super) fn resize(&mut self, keys: &Keys, id: u32, before: u32) {
        if self.state(keys, id).is_present() {
            let now = u64::from(keys.get(id).bytes);
            self.bytes = self.bytes + now - u64::from(before);
        }
    }

    /// Evicts some items if there are more than fit.
    pub(super) fn make_room(&mut self, keys: &mut Keys, bytes: u64, now: u32) {
        for _ in 0..EVICTIONS_MAX {
            if self.bytes + bytes <= self.capacity_bytes || !self.evict(keys, now) {
                return;
            }
        }
    }

    fn evict(&mut self, keys: &mut Keys, now: u32) -> bool {
        self.is_short = true;
        let share = self.items / SHARE;
        self.evict_on_probation(keys, share, now)
            || self.evict_by_hand(keys, now)
            || self.evict_on_probation(keys, 0, now)
    }

    fn evict_on_probation(&mut self, keys: &mut Keys, share: usize, now: u32) -> bool {
        while self.queue.len() > share {
            if let Some(oldest) = self.pop_queue(keys) {
                self.let_go(keys, oldest, now);
                return true;
            }
        }
        false
    }

    /// Takes the oldest entry out of the queue, and returns its key if that is still on probation.
    fn pop_queue(&mut self, keys: &Keys) -> Option<u32> {
        let (id, place) = self.queue.pop_front()?;
        let key = keys.get(id);
        let is_valid =
            key.states[self.number] == State::Probation && key.places[self.number] == place;
        is_valid.then_some(id)
    }

    fn evict_by_hand(&mut self, keys: &mut Keys, now: u32) -> bool {
        let mut best: Option<(u8, u32)> = None;
        let mut candidates = 0;
        for _ in 0..self.ring.len() {
            self.hand = if self.hand + 1 < self.ring.len() {
                self.hand + 1
            } else {
                0
            };
            self.lap.advance(self.ring.len() as u64, self.evictions);
            let id = self.ring[self.hand];
            if id == EMPTY {
                continue;
            }
            match self.state(keys, id) {
                State::Kept(uses) if uses > 0 && !is_mortal_and_dead(keys, id, now) => {
                    self.set_state(keys, id, State::Kept(uses - 1));
                    if best.is_none_or(|(fewest, _)| uses < fewest) {
                        best = Some((uses, id));
                    }
                    candidates += 1;
                    if candidates == CANDIDATES_MAX {
                        break;
                    }
                }
                State::Kept(_) => {
                    self.let_go(keys, id, now);
                    return true;
                }
                State::Probation | State::Absent | State::Ghost => {}
            }
        }
        let Some((_, id)) = best else { return false };
        self.let_go(keys, id, now);
        true
    }

    /// Evicts an item, or takes it out if it is dead.
    fn let_go(&mut self, keys: &mut Keys, id: u32, now: u32) {
        self.take_out(keys, id);
        if is_mortal_and_dead(keys, id, now) {
            return self.set_state(keys, id, State::Absent);
        }
        keys.get_mut(id).places[self.number] = self.evictions as u32;
        self.set_state(keys, id, State::Ghost);
        self.evictions += 1;
    }

    fn take_out(&mut self, keys: &Keys, id: u32) {
        let key = keys.get(id);
        let place = key.places[self.number];
        self.ring[place as usize] = EMPTY;
        self.free.push(place);
        self.items -= 1;
        self.bytes -= u64::from(key.bytes);
    }

    /// Bytes of heap memory.
    pub(super) fn held_bytes(&self) -> usize {
        (self.ring.capacity() + self.free.capacity()) * size_of::<u32>()
            + self.queue.capacity() * size_of::<(u32, u32)>()
    }

    /// Panics unless items, places and bytes agree.
    #[cfg(test)]
    pub(super) fn check(&self, keys: &Keys) {
        let ring = self.ring.iter().enumerate().filter(|&(_, &id)| id != EMPTY);
        let (mut items, mut bytes) = (0, 0);
        for (place, &id) in ring {
            let key = keys.get(id);
            assert!(key.states[self.number].is_present(), "{key:?}");
            assert_eq!(key.places[self.number] as usize, place);
            items += 1;
            bytes += u64::from(key.bytes);
        }
        assert_eq!((items, bytes), (self.items, self.bytes));
        assert_eq!(self.free.len() + items, self.ring.len());
        assert!(self.queue.len() <= queue_max(KEYS_MAX) + 1);
    }
}

/// Entries that the queue of a cache with so many items may have.
fn queue_max(items: usize) -> usize {
    let share = items / SHARE;
    share + share / 4 + SLACK
}

fn is_mortal_and_dead(keys: &Keys, id: u32, now: u32) -> bool {
    let deadline = keys.get(id).deadline;
    deadline != 0 && deadline <= now
}
