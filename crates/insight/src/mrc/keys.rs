//! The keys that the estimator follows, and what each of the small caches knows of them.
//!
//! ```text
//! Key: hash, bytes, deadline | cache 0: state, place | cache 1: state, place | ... | cache 4
//!                                       +-- place in its ring, or the eviction that the key left by
//! ```
//!
//! One key is one cache line, whichever caches look at it.

use crate::index::Index;
use crate::sampler::Access;

/// Number of small caches.
pub(super) const CACHES: usize = 5;
/// Most keys that are followed.
pub(super) const KEYS_MAX: usize = 1 << 15;

/// What a cache knows of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    #[default]
    Absent,
    /// The item was evicted; the place says when.
    Ghost,
    /// The item is new, and was not asked for yet.
    Probation,
    /// The item is there, with so many uses that the hand has not taken away: 0 to 2.
    Kept(u8),
}

impl State {
    /// Whether the cache has the item.
    pub(super) fn is_present(self) -> bool {
        matches!(self, State::Probation | State::Kept(_))
    }
}

/// A key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) hash: u64,
    /// Bytes of the item.
    pub(super) bytes: u32,
    /// Second in which the item dies; 0 for never.
    pub(super) deadline: u32,
    /// Number of flushes before the item was stored.
    pub(super) flushes: u32,
    /// Whether the server's last get has missed, so that a client will store the item because of that.
    pub(super) is_awaited: bool,
    /// Whether the entry is in use.
    pub(super) is_known: bool,
    pub(super) states: [State; CACHES],
    pub(super) places: [u32; CACHES],
}

impl Key {
    /// Whether the item is dead.
    pub(super) fn is_dead(&self, now: u32, flushes: u32) -> bool {
        (self.deadline != 0 && self.deadline <= now) || self.flushes != flushes
    }
}

const _: () = assert!(size_of::<Key>() <= 64);

/// All keys that are followed.
#[derive(Debug)]
pub(super) struct Keys {
    entries: Vec<Key>,
    free: Vec<u32>,
    index: Index,
    /// The entry that [`Keys::next_to_look_at`] returns next.
    hand: usize,
}

impl Keys {
    pub(super) fn new() -> Keys {
        Keys {
            entries: Vec::with_capacity(KEYS_MAX),
            free: Vec::with_capacity(KEYS_MAX),
            index: Index::new(KEYS_MAX),
            hand: 0,
        }
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Number of entries, used or not.
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, hash: u64) -> Option<u32> {
        let entries = &self.entries;
        self.index
            .find(hash, |id| entries[id as usize].hash == hash)
    }

    /// Adds a key that is not there; `None` if there is no room.
    pub(super) fn add(&mut self, access: &Access, flushes: u32) -> Option<u32> {
        let key = Key {
            hash: access.hash,
            bytes: access.bytes,
            deadline: access.deadline,
            flushes,
            is_known: true,
            ..Key::default()
        };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = key;
            id
        } else if self.entries.len() < KEYS_MAX {
            self.entries.push(key);
            self.entries.len() as u32 - 1
        } else {
            return None;
        };
        self.index.insert(access.hash, id);
        Some(id)
    }

    /// Forgets a key, which no cache knows any more.
    pub(super) fn forget(&mut self, id: u32) {
        let entries = &self.entries;
        let hash = entries[id as usize].hash;
        self.index.remove(hash, id, |id| entries[id as usize].hash);
        self.entries[id as usize] = Key::default();
        self.free.push(id);
    }

    /// The next key of a walk over all of them; `None` for an entry that is not in use.
    pub(super) fn next_to_look_at(&mut self) -> Option<u32> {
        self.hand = if self.hand + 1 < self.entries.len() {
            self.hand + 1
        } else {
            0
        };
        let entry = self.entries.get(self.hand)?;
        entry.is_known.then_some(self.hand as u32)
    }

    pub(super) fn get(&self, id: u32) -> &Key {
        &self.entries[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: u32) -> &mut Key {
        &mut self.entries[id as usize]
    }

    /// Bytes of heap memory.
    pub(super) fn held_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Key>()
            + self.free.capacity() * size_of::<u32>()
            + self.index.held_bytes()
    }
}
