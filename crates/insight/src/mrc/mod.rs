//! The miss ratio that the server would have with less or more memory.
//!
//! ```text
//!  samples of all shards --> Keys --> five small caches: half, 1, 1.5, 2 and 4 times the memory  (cache.rs)
//!  capacity, counters ------------>   each scaled down to the part of the keys that is sampled   (rate.rs)
//!                                         | hit or miss
//!                                         v
//!                                     Tally --> Curve                                            (tally.rs)
//! ```
//!
//! This is miniature simulation: C. Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations",
//! USENIX ATC 2017. A stack distance, as SHARDS has it, is right for LRU only, which misses up to six gets in a hundred
//! more than the engine's policy (docs/design/002-eviction.md).
//!
//! A get and the store that follows its miss are one reference. A small cache that misses where the server has hit
//! takes the item in at once, as a client would have stored it then; one that hits where the server has missed leaves
//! the client's store alone.

mod cache;
mod keys;
mod lap;
mod rate;
mod tally;

use cache::SmallCache;
use keys::{CACHES, KEYS_MAX, Keys};
use rate::Rate;
use tally::Tally;

use crate::sampler::{Access, Kind};

/// The sizes for which miss ratios are estimated, as multiples of the memory limit.
pub const FACTORS: [f64; CACHES] = [0.5, 1.0, 1.5, 2.0, 4.0];
/// Samples that each shard may send in a second for a long time.
const SAMPLES_PER_SECOND: f64 = 2048.0;
/// With more keys than this, fewer are sampled.
const KEYS_WANTED: usize = KEYS_MAX / 8 * 7;
/// Keys that each sample looks at, in search of those that nothing is known of any more.
const LOOKS: usize = 2;
/// The same while keys have to go: the walk ends before the room is used up.
const LOOKS_WALKING: usize = 10;

/// How much memory a server uses, and what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The limit.
    pub limit_bytes: u64,
    /// Bytes that are charged against it.
    pub charged_bytes: u64,
    /// Those of them that hold nothing.
    pub free_bytes: u64,
    /// Bytes of items: headers, keys, values.
    pub item_bytes: u64,
}

impl Memory {
    /// Bytes of items that the limit has room for.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        // Of a full memory, what is free is never used. Of any other, it is used before more is charged.
        let is_full = self.charged_bytes >= self.limit_bytes / 10 * 9;
        let used = match is_full {
            true => self.charged_bytes,
            false => self.charged_bytes.saturating_sub(self.free_bytes),
        };
        if self.item_bytes == 0 || used == 0 {
            return self.limit_bytes / 10 * 8;
        }
        let capacity =
            u128::from(self.limit_bytes) * u128::from(self.item_bytes) / u128::from(used);
        u64::try_from(capacity).unwrap_or(u64::MAX)
    }
}

/// What a shard has done since it last said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Gets, as `cmd_get` counts them.
    pub gets: u64,
    /// Those that missed.
    pub misses: u64,
    /// Samples of this time that the estimator has been or will be given.
    pub kept: u64,
    /// Samples of this time that were lost.
    pub lost: u64,
    /// The present second.
    pub now: u32,
}

/// The estimate for one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The size as a multiple of the memory limit.
    pub factor: f64,
    /// The memory limit of this size.
    pub limit_bytes: u64,
    /// Part of the gets that would miss.
    pub miss_ratio: f64,
    /// How far this may be off because the keys were chosen by chance: two standard errors. What the model itself is
    /// off comes on top of that.
    pub error: f64,
}

/// Miss ratios by size.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Gets since the start or the last reset.
    pub gets: u64,
    /// Part of them that missed, as the server has counted; `None` if there were no gets.
    pub measured: Option<f64>,
    /// What the model alone says for the present size: how far it is from `measured` says how well it fits.
    pub modelled: f64,
    /// Gets among the samples.
    pub samples: u64,
    /// Keys that are followed now.
    pub keys: usize,
    /// Part of all keys that is sampled.
    pub sampled: f64,
    /// The estimates, by size.
    pub points: [Point; CACHES],
}

/// Estimates miss ratios from the samples of all shards.
#[derive(Debug)]
pub struct Estimator {
    keys: Keys,
    caches: [SmallCache; CACHES],
    rate: Rate,
    tally: Tally,
    capacity_bytes: u64,
    limit_bytes: u64,
    flushes: u32,
}

impl Estimator {
    /// An estimator for so many shards that has seen nothing.
    #[must_use]
    pub fn new(shards: usize) -> Estimator {
        Estimator {
            keys: Keys::new(),
            caches: std::array::from_fn(SmallCache::new),
            rate: Rate::new(SAMPLES_PER_SECOND * shards as f64),
            tally: Tally::default(),
            capacity_bytes: 0,
            limit_bytes: 0,
            flushes: 0,
        }
    }

    /// Samplers send requests for keys whose hashes have low 32 bits below this.
    #[must_use]
    pub fn cut(&self) -> u32 {
        self.rate.cut()
    }

    /// Takes over how much memory there is.
    pub fn set_memory(&mut self, memory: &Memory) {
        self.capacity_bytes = memory.capacity_bytes();
        self.limit_bytes = memory.limit_bytes;
        self.scale();
    }

    /// All items die.
    pub fn flush(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
    }

    /// Sets the counts to zero. The small caches keep what they have.
    pub fn reset(&mut self) {
        self.tally = Tally::default();
    }

    /// Takes in what a shard has counted.
    pub fn count(&mut self, turn: &Turn) {
        self.rate.advance(turn.now);
        if turn.lost > 0 && !self.rate.is_walking() {
            self.rate.halve(self.keys.entries());
        }
        let samples = (turn.kept, turn.lost);
        self.tally.count((turn.gets, turn.misses), samples);
    }

    /// Takes in a sample.
    pub fn feed(&mut self, access: &Access) {
        if access.hash as u32 >= self.rate.cut() {
            return;
        }
        self.rate.spend(self.keys.entries());
        self.walk(access.now);
        let known = self.keys.find(access.hash);
        if let Some(id) = known {
            if access.kind == Kind::Hit {
                // The server knows better.
                self.keys.get_mut(id).deadline = access.deadline;
            }
            if self.keys.get(id).is_dead(access.now, self.flushes) {
                self.take_out(id);
            }
        }
        match access.kind {
            Kind::Hit => self.hit(known, access),
            Kind::Miss => self.miss(known, access),
            Kind::Store => self.store(known, access),
            Kind::Use => self.touch(known, access),
            Kind::Remove => known.into_iter().for_each(|id| self.take_out(id)),
        }
        for cache in &mut self.caches {
            cache.make_room(&mut self.keys, 0, access.now);
        }
    }

    /// The miss ratios.
    #[must_use]
    pub fn curve(&self) -> Curve {
        let point = |cache: usize| {
            let (miss_ratio, error) = self.tally.estimate(cache);
            Point {
                factor: FACTORS[cache],
                limit_bytes: (self.limit_bytes as f64 * FACTORS[cache]) as u64,
                miss_ratio,
                error,
            }
        };
        Curve {
            gets: self.tally.counted_gets(),
            measured: self.tally.measured(),
            modelled: self.tally.modelled(1),
            samples: self.tally.samples,
            keys: self.keys.len(),
            sampled: self.rate.sampled(),
            points: std::array::from_fn(point),
        }
    }

    /// Bytes of heap memory, its own included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let caches = self.caches.iter().map(SmallCache::held_bytes);
        size_of::<Estimator>() + self.keys.held_bytes() + caches.sum::<usize>()
    }

    /// Makes the small caches as large as the part of the keys that is followed.
    fn scale(&mut self) {
        let capacity = self.capacity_bytes as f64 * self.rate.followed();
        for (cache, factor) in self.caches.iter_mut().zip(FACTORS) {
            cache.set_capacity((capacity * factor) as u64);
        }
    }

    fn weight(&self) -> f64 {
        1.0 / self.rate.sampled()
    }

    fn hit(&mut self, known: Option<u32>, access: &Access) {
        let Some(id) = known else {
            self.tally.unknown(self.weight());
            if let Some(id) = self.add(access) {
                self.insert(id, access);
            }
            return;
        };
        self.revive(id, access);
        self.set_bytes(id, access.bytes);
        self.keys.get_mut(id).is_awaited = false;
        let mut missed = [false; CACHES];
        for (cache, missed) in self.caches.iter_mut().zip(&mut missed) {
            *missed = !cache.use_item(&mut self.keys, id);
            if *missed {
                cache.insert(&mut self.keys, id, access.now);
            }
        }
        self.tally.get(access.hash, self.weight(), missed);
    }

    fn miss(&mut self, known: Option<u32>, access: &Access) {
        let mut missed = [true; CACHES];
        if let Some(id) = known {
            self.keys.get_mut(id).is_awaited = true;
            for (cache, missed) in self.caches.iter().zip(&mut missed) {
                *missed = !cache.use_item(&mut self.keys, id);
            }
        } else {
            self.tally.first(self.weight());
        }
        self.tally.get(access.hash, self.weight(), missed);
    }

    fn store(&mut self, known: Option<u32>, access: &Access) {
        let Some(id) = known.or_else(|| self.add(access)) else {
            return;
        };
        self.revive(id, access);
        self.set_bytes(id, access.bytes);
        let key = self.keys.get_mut(id);
        key.deadline = access.deadline;
        let is_awaited = std::mem::take(&mut key.is_awaited);
        for cache in &mut self.caches {
            // A cache that had the item would not have been given it because of a miss.
            let is_there = match is_awaited {
                true => self.keys.get(id).states[cache.number()].is_present(),
                false => cache.use_item(&mut self.keys, id),
            };
            if !is_there {
                cache.insert(&mut self.keys, id, access.now);
            }
        }
    }

    fn touch(&mut self, known: Option<u32>, access: &Access) {
        let Some(id) = known else { return };
        self.set_bytes(id, access.bytes);
        self.keys.get_mut(id).deadline = access.deadline;
        for cache in &self.caches {
            cache.use_item(&mut self.keys, id);
        }
    }

    fn insert(&mut self, id: u32, access: &Access) {
        for cache in &mut self.caches {
            cache.insert(&mut self.keys, id, access.now);
        }
    }

    /// Follows a new key, if there is room for it.
    fn add(&mut self, access: &Access) -> Option<u32> {
        let id = self.keys.add(access, self.flushes);
        if self.keys.len() > KEYS_WANTED && !self.rate.is_walking() {
            self.rate.lower(self.keys.entries());
        }
        id
    }

    /// A key that a flush has killed is stored anew.
    fn revive(&mut self, id: u32, access: &Access) {
        let key = self.keys.get_mut(id);
        key.flushes = self.flushes;
        key.deadline = access.deadline;
    }

    fn set_bytes(&mut self, id: u32, bytes: u32) {
        let before = std::mem::replace(&mut self.keys.get_mut(id).bytes, bytes);
        if before != bytes {
            for cache in &mut self.caches {
                cache.resize(&self.keys, id, before);
            }
        }
    }

    /// Takes an item out of all caches.
    fn take_out(&mut self, id: u32) {
        for cache in &mut self.caches {
            cache.remove(&mut self.keys, id);
        }
    }

    /// Looks at a few keys, and forgets those that are no longer sampled, and those that no cache knows.
    fn walk(&mut self, now: u32) {
        let is_walking = self.rate.is_walking();
        let looks = if is_walking { LOOKS_WALKING } else { LOOKS };
        for _ in 0..looks {
            self.rate.looked();
            let Some(id) = self.keys.next_to_look_at() else {
                continue;
            };
            let key = self.keys.get(id);
            let is_sampled = (key.hash as u32) < self.rate.cut();
            let is_alive = !key.is_dead(now, self.flushes);
            let is_wanted = |cache: &SmallCache| {
                key.states[cache.number()].is_present() || cache.remembers(&self.keys, id)
            };
            if !is_sampled || !is_alive || !self.caches.iter().any(is_wanted) {
                self.take_out(id);
                self.keys.forget(id);
            }
        }
        if is_walking {
            self.scale();
        }
    }
}

#[cfg(test)]
mod tests;
