//! The process-wide memory limit (`-m`), drawn on by every shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the shards of a process may hold together.
///
/// It is a counter and nothing else: it orders no other memory, hence relaxed atomics. What a shard has charged it may
/// use; a shard charges before it touches. Shards that hold a reserve (`EngineConfig::reserve_bytes`) have charged it
/// from the start, so `used_bytes` includes reserves that hold no data yet.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
}

impl Budget {
    /// A budget of `limit_bytes` with nothing used.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes: AtomicU64::new(limit_bytes),
            used_bytes: AtomicU64::new(0),
        })
    }

    /// The limit.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// What all shards have charged.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Changes the limit. If it falls below what is used, [`crate::Engine::trim`] brings the shards down to it.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// Bytes in use beyond the limit.
    pub fn excess_bytes(&self) -> u64 {
        self.used_bytes().saturating_sub(self.limit_bytes())
    }

    /// Charges `bytes` if they fit under the limit.
    pub(crate) fn try_charge(&self, bytes: u64) -> bool {
        let limit = self.limit_bytes();
        let add = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    /// Charges `bytes`, beyond the limit if need be: memory that is there already.
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
