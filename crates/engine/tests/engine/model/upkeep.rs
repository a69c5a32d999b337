//! Time, flushes, touches, the housekeeping and walks over all items.

use corecached_engine::{Seconds, TouchOutcome, WalkCursor};

use crate::support::hash;

use super::Model;

/// The latest time to which time leaps, so that there is room for the longest life.
const LATEST: u32 = u32::MAX - 1000;

impl Model {
    pub(super) fn touch(&mut self) {
        let key = self.key();
        self.expected(&key);
        let deadline = self.deadline();
        match self
            .engine
            .touch(&key, hash(&key), deadline, Seconds(self.now))
        {
            TouchOutcome::Touched => {
                let entry = self.map.get_mut(&key).expect("touched");
                entry.deadline = deadline;
                entry.fetched = Some(true);
                entry.used = self.now;
            }
            TouchOutcome::NotFound => self.is_gone(&key),
            TouchOutcome::OutOfMemory => self.found_no_deadline(&key),
        }
    }

    pub(super) fn flush(&mut self) {
        if self.rng.one_in(2) {
            self.engine.flush_all(None, Seconds(self.now));
            self.flush_at = None;
            self.map.clear();
        } else {
            let at = self.now + 1 + self.rng.below(5) as u32;
            self.engine.flush_all(Some(Seconds(at)), Seconds(self.now));
            self.flush_at = Some(at);
        }
    }

    pub(super) fn tick(&mut self) {
        self.now += 1 + self.rng.below(3) as u32;
        if self.leaps && self.rng.one_in(8) {
            self.now = self.now.saturating_add(self.leap()).min(LATEST);
        }
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.flush_at = None;
            self.map.clear();
        }
    }

    /// A leap across the borders of the bits in which times are kept: 30 days, halves and multiples of 2^24 seconds,
    /// give or take a few seconds.
    fn leap(&mut self) -> u32 {
        let around = match self.rng.below(5) {
            0 => 30 * 24 * 60 * 60,
            bits => 1 << (21 + bits),
        };
        around - 4 + self.rng.below(8) as u32
    }

    pub(super) fn housekeeping(&mut self) {
        match self.rng.below(8) {
            0 | 1 if !self.shrinks => {}
            0 => {
                let now = Seconds(self.now);
                let idle_min = if self.rng.one_in(2) {
                    0
                } else {
                    self.engine.idle_seconds(now)
                };
                self.engine.release_idle_page(idle_min, 64, now);
            }
            1 => {
                self.budget.set_limit_bytes(self.limit * 3 / 4);
                while self.engine.trim(64) {
                    self.hear_of_evictions();
                }
                self.budget.set_limit_bytes(self.limit);
            }
            2 => self.walk(),
            3 => {
                let (budget, one_in) = (self.rng.below(3000), 1 + self.rng.below(100) as u32);
                self.engine.reap(self.now(), budget, one_in);
            }
            4 => {
                let budget = self.rng.below(3000);
                self.engine.sweep(self.now(), budget);
            }
            _ => {
                self.engine.maintain(self.now());
            }
        }
    }

    /// Checks that each item that the walk shows is known and alive, and that each known item that was not evicted is
    /// shown.
    pub(super) fn walk(&mut self) {
        self.hear_of_evictions();
        let mut shown = 0;
        let mut cursor = WalkCursor::default();
        let budget = 1 + self.rng.below(500);
        let (map, now) = (&self.map, Seconds(self.now));
        while self.engine.walk(&mut cursor, now, budget, |item| {
            let entry = map.get(item.key).expect("a walk shows what was stored");
            assert!(!entry.deadline.has_passed(now), "a walk shows what lives");
            assert_eq!(
                (item.value_bytes, item.client_flags, item.deadline, item.cas),
                (entry.value.len(), entry.flags, entry.deadline, entry.cas)
            );
            assert_eq!(item.binary_key, entry.binary_key);
            assert!(
                entry.fetched.is_none_or(|fetched| fetched == item.fetched),
                "whether it was fetched"
            );
            shown += 1;
        }) {}
        let live = map.values().filter(|entry| !entry.deadline.has_passed(now));
        assert_eq!(shown, live.count(), "a walk shows every live item once");
    }
}
