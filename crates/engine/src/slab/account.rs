//! The account of one shard: the bytes that it has charged to the process-wide budget, and its reserve.

use std::sync::Arc;

use crate::budget::Budget;

/// One shard's account at the [`Budget`]. The charge is the larger of the reserve and the bytes that the shard holds.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<Budget>,
    /// The reserve that the budget gave at the start, and the reserve as it is now.
    asked_bytes: u64,
    reserve_bytes: u64,
    held_bytes: u64,
}

impl Account {
    /// An account with `reserve_bytes`, or without reserve if the budget cannot give it.
    pub(crate) fn new(budget: Arc<Budget>, reserve_bytes: u64) -> Self {
        let reserve_bytes = if budget.try_charge(reserve_bytes) {
            reserve_bytes
        } else {
            0
        };
        budget.note_shard(reserve_bytes);
        budget.note_reserve(0, reserve_bytes);
        Self {
            budget,
            asked_bytes: reserve_bytes,
            reserve_bytes,
            held_bytes: 0,
        }
    }

    /// Adapts the reserve to the present limit: it shrinks with the limit, and grows again as far as there is room.
    pub(crate) fn heed_limit(&mut self) {
        let wanted = self.budget.reserve_of(self.asked_bytes);
        if wanted == self.reserve_bytes {
            return;
        }
        let (before, after) = (self.charged(self.held_bytes), self.held_bytes.max(wanted));
        if after > before && !self.budget.try_charge(after - before) {
            return;
        }
        self.budget.release(before.saturating_sub(after));
        self.budget.note_reserve(self.reserve_bytes, wanted);
        self.reserve_bytes = wanted;
    }

    /// Bytes charged when the shard holds `held_bytes`.
    fn charged(&self, held_bytes: u64) -> u64 {
        held_bytes.max(self.reserve_bytes)
    }

    /// Charges `bytes`, from the reserve as far as it goes.
    pub(crate) fn charge(&mut self, bytes: u64) -> bool {
        self.heed_limit();
        let more = self.charged(self.held_bytes + bytes) - self.charged(self.held_bytes);
        let granted = more == 0 || self.budget.try_charge(more);
        if granted {
            self.held_bytes += bytes;
            self.budget.note_held(bytes);
        }
        granted
    }

    /// Charges `bytes` whether or not they fit under the limit.
    pub(crate) fn charge_anyway(&mut self, bytes: u64) {
        let more = self.charged(self.held_bytes + bytes) - self.charged(self.held_bytes);
        self.budget.charge_anyway(more);
        self.held_bytes += bytes;
        self.budget.note_held(bytes);
    }

    /// Gives `bytes` back.
    pub(crate) fn release(&mut self, bytes: u64) {
        debug_assert!(
            bytes <= self.held_bytes,
            "released {bytes} of {} held bytes",
            self.held_bytes
        );
        let less = self.charged(self.held_bytes) - self.charged(self.held_bytes - bytes);
        self.held_bytes -= bytes;
        self.budget.note_given(bytes);
        self.budget.release(less);
    }

    /// The budget.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Bytes in use by the shard.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Bytes that all shards hold beyond the limit.
    pub(crate) fn excess_bytes(&self) -> u64 {
        self.budget.excess_bytes()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.note_given(self.held_bytes);
        self.budget.release(self.charged(self.held_bytes));
        self.budget.note_reserve(self.reserve_bytes, 0);
        self.budget.forget_shard(self.asked_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_used_first_and_kept() {
        let budget = Budget::new(100);
        let mut account = Account::new(Arc::clone(&budget), 30);
        assert_eq!(budget.used_bytes(), 30);
        assert!(account.charge(50));
        assert_eq!(budget.used_bytes(), 50);
        assert!(!account.charge(51));
        account.release(45);
        assert_eq!((budget.used_bytes(), account.held_bytes()), (30, 5));
        assert!(account.charge(10));
        assert_eq!((budget.used_bytes(), account.held_bytes()), (30, 15));
        drop(account);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn the_reserve_goes_with_the_limit() {
        let budget = Budget::new(1000);
        let mut accounts = [0; 2].map(|_| Account::new(Arc::clone(&budget), 200));
        assert!(accounts[0].charge(60));
        assert_eq!((budget.used_bytes(), budget.excess_bytes()), (400, 0));
        budget.set_limit_bytes(100);
        // Nobody has to give anything, although nobody has heard of it yet.
        assert_eq!((budget.excess_bytes(), budget.free_bytes()), (0, 40));
        assert!(budget.try_charge(40));
        budget.release(40);
        accounts[0].heed_limit();
        assert_eq!((budget.used_bytes(), budget.excess_bytes()), (260, 0));
        accounts[1].heed_limit();
        assert_eq!((budget.used_bytes(), budget.excess_bytes()), (80, 0));
        assert!(accounts[0].charge(20) && !accounts[0].charge(1) && accounts[1].charge(20));
        budget.set_limit_bytes(300);
        accounts.iter_mut().for_each(Account::heed_limit);
        assert_eq!(budget.used_bytes(), 80 + 60);
        assert!(accounts[0].charge(160));
        // The second reserve grows as there is room.
        budget.set_limit_bytes(1000);
        accounts.iter_mut().for_each(Account::heed_limit);
        assert_eq!(budget.used_bytes(), 240 + 200);
        drop(accounts);
        assert_eq!((budget.used_bytes(), budget.excess_bytes()), (0, 0));
    }

    #[test]
    fn a_reserve_beyond_the_limit_is_none() {
        let budget = Budget::new(100);
        assert!(budget.try_charge(90));
        let mut account = Account::new(Arc::clone(&budget), 30);
        assert!(account.charge(10));
        assert!(!account.charge(1));
        drop(account);
        assert_eq!(budget.used_bytes(), 90);
    }
}
