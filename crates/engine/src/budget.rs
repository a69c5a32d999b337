//! The process-wide memory limit (`-m`), drawn on by every shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::prefault::Prefaulted;

/// Bytes that the shards of a process may hold together.
///
/// The budget is a counter and nothing else: it orders no other memory, hence relaxed atomics. A shard charges memory
/// before it touches it, and may use what it has charged. Shards that hold a reserve (`EngineConfig::reserve_bytes`)
/// have charged it from the start, so `used_bytes` includes reserves that hold no data yet. When the limit is lowered,
/// reserves become smaller in proportion, each when its shard hears of it ([`crate::Engine::trim`]). Prefaulted memory
/// is charged when a shard draws it. While it is unused, it counts only insofar as held and prefaulted memory together
/// stay below the limit.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
    /// Bytes that the shards hold. Reserves that hold no data are not counted here.
    held_bytes: AtomicU64,
    /// The limit that reserves were asked for with.
    first_limit_bytes: u64,
    /// The number of shards, the reserves that they asked for, and the reserves that they have now.
    shards: AtomicU64,
    asked_bytes: AtomicU64,
    reserved_bytes: AtomicU64,
    /// Prefaulted memory that no shard uses yet.
    pub(crate) prefaulted: Prefaulted,
}

impl Budget {
    /// A budget of `limit_bytes`, of which nothing is used.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes: AtomicU64::new(limit_bytes),
            used_bytes: AtomicU64::new(0),
            held_bytes: AtomicU64::new(0),
            first_limit_bytes: limit_bytes,
            shards: AtomicU64::new(0),
            asked_bytes: AtomicU64::new(0),
            reserved_bytes: AtomicU64::new(0),
            prefaulted: Prefaulted::default(),
        })
    }

    /// The limit in bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that all shards have charged.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Changes the limit. If it falls below the bytes in use, [`crate::Engine::trim`] brings the shards down to it.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// Bytes in use beyond the limit. Until every shard has heard of a lowered limit, reserves without data do not
    /// count.
    pub fn excess_bytes(&self) -> u64 {
        self.counted_bytes().saturating_sub(self.limit_bytes())
    }

    /// Bytes that count against the limit.
    fn counted_bytes(&self) -> u64 {
        match self.is_settled() {
            true => self.used_bytes(),
            false => self.held_bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether every shard has adapted its reserve to the present limit.
    fn is_settled(&self) -> bool {
        let asked = self.asked_bytes.load(Ordering::Relaxed);
        self.reserved_bytes.load(Ordering::Relaxed) <= self.reserve_of(asked)
    }

    /// The present size of a reserve for which a shard asked `asked_bytes` at its start: less if the limit is lower
    /// now.
    pub fn reserve_of(&self, asked_bytes: u64) -> u64 {
        let limit = self.limit_bytes();
        if limit >= self.first_limit_bytes {
            return asked_bytes;
        }
        let part = u128::from(asked_bytes) * u128::from(limit) / u128::from(self.first_limit_bytes);
        part as u64
    }

    /// The part of the limit, in bytes, that each shard would have if all had the same.
    pub fn fair_bytes(&self) -> u64 {
        self.limit_bytes() / self.shards.load(Ordering::Relaxed).max(1)
    }

    /// Notes a shard that has asked for a reserve of so many bytes.
    pub(crate) fn note_shard(&self, asked_bytes: u64) {
        self.shards.fetch_add(1, Ordering::Relaxed);
        self.asked_bytes.fetch_add(asked_bytes, Ordering::Relaxed);
    }

    /// Notes that a shard with such a reserve has gone.
    pub(crate) fn forget_shard(&self, asked_bytes: u64) {
        self.shards.fetch_sub(1, Ordering::Relaxed);
        self.asked_bytes.fetch_sub(asked_bytes, Ordering::Relaxed);
    }

    /// Notes that a shard's reserve changes.
    pub(crate) fn note_reserve(&self, before: u64, after: u64) {
        self.reserved_bytes.fetch_add(after, Ordering::Relaxed);
        self.reserved_bytes.fetch_sub(before, Ordering::Relaxed);
    }

    /// Bytes of prefaulted memory that no shard uses yet.
    pub fn prefaulted_bytes(&self) -> u64 {
        self.prefaulted.bytes()
    }

    /// Whether `prefaulted_bytes` fit under the limit beside all that is held.
    pub(crate) fn has_room_for(&self, prefaulted_bytes: u64) -> bool {
        self.held_bytes.load(Ordering::Relaxed) + prefaulted_bytes <= self.limit_bytes()
    }

    /// Notes that a shard holds `bytes` more.
    pub(crate) fn note_held(&self, bytes: u64) {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that a shard holds `bytes` less.
    pub(crate) fn note_given(&self, bytes: u64) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Gives some prefaulted memory back to the kernel if held and prefaulted memory together exceed the limit; true if
    /// they may still exceed it.
    pub(crate) fn make_room(&self) -> bool {
        let prefaulted = self.prefaulted.bytes();
        prefaulted > 0 && !self.has_room_for(prefaulted) && self.prefaulted.discard_some()
    }

    /// Bytes left under the limit.
    pub fn free_bytes(&self) -> u64 {
        self.limit_bytes().saturating_sub(self.counted_bytes())
    }

    /// Charges `bytes` if they fit under the limit.
    pub(crate) fn try_charge(&self, bytes: u64) -> bool {
        let limit = self.limit_bytes();
        let add = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        let charged = self
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok();
        // Reserves that are about to shrink are no reason to evict anything.
        if !charged && !self.is_settled() && self.free_bytes() >= bytes {
            self.charge_anyway(bytes);
            return true;
        }
        charged
    }

    /// Charges `bytes` of memory that the shard has already, beyond the limit if need be.
    pub(crate) fn charge_anyway(&self, bytes: u64) {
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back `bytes` that were charged.
    pub(crate) fn release(&self, bytes: u64) {
        let before = self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(
            before >= bytes,
            "released {bytes} of {before} charged bytes"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_up_to_the_limit_and_no_further() {
        let budget = Budget::new(100);
        assert!(budget.try_charge(60));
        assert!(!budget.try_charge(41));
        assert!(budget.try_charge(40));
        budget.release(1);
        assert_eq!(budget.used_bytes(), 99);
    }

    #[test]
    fn a_lowered_limit_leaves_an_excess() {
        let budget = Budget::new(100);
        assert!(budget.try_charge(100));
        budget.set_limit_bytes(70);
        assert_eq!(budget.excess_bytes(), 30);
        assert!(!budget.try_charge(1));
    }
}
