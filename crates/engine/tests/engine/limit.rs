//! A limit that is lowered and raised while the cache is in use, as `cache_memlimit` does it.

use std::sync::Arc;

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, Seconds, Store, StoreExtras, StoreMode,
};

use crate::support::{Rng, config, hash};

const NOW: Seconds = Seconds(2);
const START: u64 = 16 << 20;

/// Shards of one process, with the reserves that the server gives them.
struct Shards {
    engines: Vec<Engine>,
    budget: Arc<Budget>,
    rng: Rng,
}

impl Shards {
    fn new(shards: usize, evictions_enabled: bool) -> Self {
        let budget = Budget::new(START);
        let config = EngineConfig {
            evictions_enabled,
            reserve_bytes: START as usize / shards / 8,
            ..config()
        };
        let engine = |_| Engine::new(config.clone(), Arc::clone(&budget)).unwrap();
        Self {
            engines: (0..shards).map(engine).collect(),
            budget,
            rng: Rng::new(5),
        }
    }

    /// The shard by the high bits of the hash, as in the server: the index uses the low bits.
    fn owner_of(&self, key: &str) -> usize {
        let high = hash(key.as_bytes()).0 >> 32;
        ((high * self.engines.len() as u64) >> 32) as usize
    }

    fn set(&mut self, key: &str, value_bytes: usize) -> bool {
        let shard = self.owner_of(key);
        let store = Store {
            mode: StoreMode::Set,
            key: key.as_bytes(),
            hash: hash(key.as_bytes()),
            client_flags: 0,
            deadline: Deadline::NEVER,
            extras: StoreExtras::default(),
            value: &vec![b'v'; value_bytes],
        };
        self.engines[shard].store(&store, NOW).cas().is_some()
    }

    fn has(&mut self, key: &str) -> bool {
        let shard = self.owner_of(key);
        let key = key.as_bytes();
        self.engines[shard]
            .get(key, hash(key), NOW, Fetch::Quiet)
            .is_some()
    }

    /// The upkeep of every shard, one after the other in any order, until there is nothing left to give back.
    fn settle(&mut self) {
        for _ in 0..4 {
            let first = self.rng.below(self.engines.len());
            self.engines.rotate_left(first);
            for engine in &mut self.engines {
                while engine.trim(64) {}
                engine.maintain(NOW);
            }
            let back = self.engines.len() - first;
            self.engines.rotate_left(back);
        }
    }

    fn evictions(&self) -> u64 {
        self.engines
            .iter()
            .map(|engine| engine.vitals().evictions)
            .sum()
    }

    fn charged(&self) -> u64 {
        self.engines
            .iter()
            .map(|engine| engine.vitals().charged_bytes)
            .sum()
    }
}

#[test]
fn what_fits_under_a_lowered_limit_stays() {
    for shards in 1..=4 {
        let mut shards = Shards::new(shards, true);
        for number in 0..3_000 {
            assert!(shards.set(&format!("k{number}"), 100));
        }
        let held = shards.charged();
        // Below the reserves of the start together, and still enough for all.
        for limit in [3 << 20, START / 16, held, START] {
            shards.budget.set_limit_bytes(limit.max(held));
            shards.settle();
            assert_eq!(
                shards.evictions(),
                0,
                "limit {limit} of {START}, {held} held"
            );
            assert!(shards.budget.used_bytes() <= shards.budget.limit_bytes());
        }
        assert!((0..3_000).all(|number| shards.has(&format!("k{number}"))));
    }
}

#[test]
fn what_is_stored_under_the_lowest_limit_is_there() {
    for shards in 1..=4 {
        let mut shards = Shards::new(shards, true);
        for number in 0..20_000 {
            shards.set(&format!("k{number}"), 500);
        }
        // Items that are there already would be kept rather than new ones.
        for engine in &mut shards.engines {
            engine.flush_all(None, NOW);
            while !engine.sweep(NOW, 1_000).wrapped {}
        }
        for limit in [START / 8, START / 32, START / 128, 1] {
            shards.budget.set_limit_bytes(limit);
            shards.settle();
            let number = shards.engines.len();
            let least = ((4 * 64) << 10) * number as u64;
            assert!(
                shards.charged() <= limit.max(least),
                "{} held of {limit}",
                shards.charged()
            );
            for round in 0..3 {
                for number in 0..20 {
                    assert!(shards.set(&format!("again{number}"), 100 + round));
                }
                shards.settle();
                let there = (0..20).filter(|number| shards.has(&format!("again{number}")));
                assert_eq!(there.count(), 20, "limit {limit}, {number} shards");
            }
        }
    }
}

#[test]
fn a_limit_goes_up_and_down_while_items_come_in() {
    for shards in [1, 2] {
        let mut shards = Shards::new(shards, true);
        let mut number = 0;
        for round in 0..60 {
            let limit = START >> shards.rng.below(5);
            shards.budget.set_limit_bytes(limit);
            for _ in 0..2_000 {
                number += 1;
                let bytes = shards.rng.below(1_500);
                assert!(shards.set(&format!("k{number}"), bytes));
            }
            shards.settle();
            assert!(shards.budget.used_bytes() <= limit, "round {round}");
            // 2,000 items of 750 bytes on average were stored.
            let items: u64 = shards
                .engines
                .iter()
                .map(|engine| engine.vitals().items)
                .sum();
            assert!(items > 100, "round {round}: {items} items in {limit} bytes");
            shards.engines.iter().for_each(Engine::check_integrity);
        }
        shards.budget.set_limit_bytes(START);
        for _ in 0..40_000 {
            number += 1;
            shards.set(&format!("k{number}"), 700);
        }
        assert!(
            shards.charged() > START * 7 / 8,
            "{} held",
            shards.charged()
        );
    }
}

#[test]
fn a_lowered_limit_evicts_nothing_where_nothing_may_be() {
    let mut shards = Shards::new(2, false);
    let stored = (0..)
        .take_while(|number| shards.set(&format!("k{number}"), 500))
        .count();
    shards.budget.set_limit_bytes(START / 32);
    shards.settle();
    assert!((0..stored).all(|number| shards.has(&format!("k{number}"))));
    assert_eq!(shards.evictions(), 0);
}
