//! Random operations against a map that may forget but never lies.
//!
//! A hit must be the value that was last acknowledged, alive, with its client flags, deadline and cas unique. The map
//! forgets an item only when the engine says that it has evicted it; a miss of any other live item is an error. With
//! evictions disabled the engine may not report any eviction.
//!
//! `CORECACHED_SEED` sets the seed, `CORECACHED_STEPS` the number of steps.

mod arith;
mod choose;
mod delete;
mod entry;
mod evicted;
mod get;
mod restart;
mod runs;
mod store;
mod upkeep;
mod upload;

use std::collections::HashMap;
use std::sync::Arc;

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Pin, PinnedValue, Space, Staged, StoreExtras, StoreMode,
};

use crate::support::Rng;

use entry::Entry;

struct Upload {
    staged: Staged,
    key: Vec<u8>,
    value: Vec<u8>,
    written: usize,
    /// Memory handed out that is not filled yet, and which byte of the value each begins with.
    spaces: Vec<(Space, usize)>,
    flags: u32,
    deadline: Deadline,
    mode: StoreMode,
    extras: StoreExtras,
}

struct Pinned {
    pin: Pin,
    pinned: PinnedValue,
    value: Vec<u8>,
}

struct Model {
    rng: Rng,
    engine: Engine,
    budget: Arc<Budget>,
    config: EngineConfig,
    limit: u64,
    map: HashMap<Vec<u8>, Entry>,
    now: u32,
    flush_at: Option<u32>,
    /// Whether time leaps by months: ages may be too small then.
    leaps: bool,
    uploads: Vec<Upload>,
    pins: Vec<Pinned>,
    keys: usize,
    lengths: &'static [usize],
    hits: u64,
    /// Items that a reader has found.
    reads: u64,
    /// Whether pages are taken from the shard.
    shrinks: bool,
    /// Number of evictions that this engine has reported.
    told_evictions: u64,
}

/// The largest lengths of values, each taken with equal chance.
const SMALL: &[usize] = &[1, 12, 30, 100];
const MIXED: &[usize] = &[12, 100, 1000, 8_000, 20_000];
const LARGE: &[usize] = &[300, 9_000, 70_000, 400_000];

impl Model {
    fn new(
        seed: u64,
        config: EngineConfig,
        limit: u64,
        keys: usize,
        lengths: &'static [usize],
    ) -> Self {
        let budget = Budget::new(limit);
        let mut engine = Engine::new(config.clone(), Arc::clone(&budget)).unwrap();
        engine.record_events(true);
        Self {
            rng: Rng::new(seed),
            engine,
            budget,
            config,
            limit,
            map: HashMap::new(),
            now: 2,
            flush_at: None,
            leaps: false,
            uploads: Vec::new(),
            pins: Vec::new(),
            keys,
            lengths,
            hits: 0,
            reads: 0,
            shrinks: true,
            told_evictions: 0,
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..30 => self.store(),
            30..65 => self.get(),
            65..70 => self.delete(),
            70..75 => self.arith(),
            75..80 => self.touch(),
            80..85 => self.begin_upload(),
            85..92 => self.go_on_with_upload(),
            92..94 => self.unpin(),
            94..98 => self.housekeeping(),
            98 => self.tick(),
            _ => match self.rng.below(50) {
                0 => self.flush(),
                1 if self.config.memory_file.is_some() => self.restart(),
                2 => self.engine.prefault(self.limit / 2, || false).unwrap(),
                _ => {}
            },
        }
        let there = self.budget.used_bytes() + self.budget.prefaulted_bytes();
        assert!(there <= self.limit, "the limit is hard");
    }
}
