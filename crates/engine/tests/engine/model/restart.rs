//! A graceful end and a new beginning, and the last look at everything.

use std::sync::Arc;

use corecached_engine::{Budget, Engine, Fetch, Seconds};

use crate::support::hash;

use super::Model;

impl Model {
    /// Ends the engine gracefully and begins another with its items, perhaps with another limit.
    pub(super) fn restart(&mut self) {
        self.pins.clear();
        self.uploads.clear();
        self.hear_of_evictions();
        let saved = self
            .engine
            .save(self.rng.next().to_le_bytes().repeat(2).try_into().unwrap());
        if self.rng.one_in(3) {
            self.limit = (self.limit / 2).max(1 << 20) + self.rng.below(2 << 20) as u64;
        }
        self.budget = Budget::new(self.limit);
        let budget = Arc::clone(&self.budget);
        self.engine = Engine::restore(self.config.clone(), budget, &saved).unwrap();
        assert!(
            Engine::restore(self.config.clone(), Budget::new(64 << 20), &saved).is_err(),
            "a state is restored once"
        );
        self.engine.record_events(true);
        self.told_evictions = 0;
        while self.engine.trim(1) {
            // Each call evicts few items, all of them many.
            self.hear_of_evictions();
        }
        self.engine.check_integrity();
    }

    pub(super) fn finish(mut self) {
        while !self.pins.is_empty() {
            self.unpin();
        }
        for upload in std::mem::take(&mut self.uploads) {
            self.engine.abort(upload.staged);
        }
        let keys: Vec<Vec<u8>> = self.map.keys().cloned().collect();
        for key in keys {
            let expected = self.expected(&key);
            let hit = self
                .engine
                .get(&key, hash(&key), Seconds(self.now), Fetch::Quiet);
            if let Some(expected) = expected {
                let hit = hit.expect("what was not evicted is there");
                assert!(
                    hit.value_chunks().flatten().eq(&expected.value),
                    "the last look"
                );
            }
        }
        self.engine.flush_all(None, Seconds(self.now));
        for _ in 0..3 {
            while !self.engine.sweep(self.now(), 1000).wrapped {}
        }
        for _ in 0..1000 {
            self.engine.maintain(self.now());
        }
        self.engine.check_integrity();
        let stats = self.engine.stats();
        assert_eq!(
            (stats.curr_items, stats.bytes),
            (0, 0),
            "a flush and a sweep leave nothing"
        );
        let Self { engine, budget, .. } = self;
        drop(engine);
        assert_eq!(budget.used_bytes(), 0, "everything charged was given back");
    }
}
