//! Random operations against a map that may forget but never lies.
//!
//! A hit must be what was last acknowledged, alive, with its client flags, deadline and cas unique. A miss is always
//! allowed for an item that may have been evicted, and then the map forgets it; while nothing was evicted, a miss of a
//! live item is an error.
//!
//! `CORECACHED_SEED` sets the seed, `CORECACHED_STEPS` the number of steps.

use std::collections::HashMap;
use std::sync::Arc;

use corecached_engine::{
    Arith, ArithOp, ArithOutcome, Budget, Deadline, DeleteOutcome, Engine, EngineConfig, Fetch,
    ItemHandle, Piece, Reserve, Seconds, Staged, Store, StoreMode, StoreOutcome, TouchOutcome,
    WalkCursor,
};

use crate::support::{Rng, config, hash, memory_file};

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    flags: u32,
    deadline: Deadline,
    cas: u64,
}

struct Upload {
    staged: Staged,
    key: Vec<u8>,
    value: Vec<u8>,
    written: usize,
    flags: u32,
    deadline: Deadline,
    mode: StoreMode,
}

struct Pinned {
    handle: ItemHandle,
    pieces: Vec<Piece>,
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
    uploads: Vec<Upload>,
    pins: Vec<Pinned>,
    keys: usize,
    lengths: &'static [usize],
    hits: u64,
    /// Whether pages are taken from the shard.
    shrinks: bool,
    /// Items that an engine before the last restart may have lost.
    lost_before: u64,
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
        let engine = Engine::new(config.clone(), Arc::clone(&budget)).unwrap();
        Self {
            rng: Rng::new(seed),
            engine,
            budget,
            config,
            limit,
            map: HashMap::new(),
            now: 2,
            flush_at: None,
            uploads: Vec::new(),
            pins: Vec::new(),
            keys,
            lengths,
            hits: 0,
            shrinks: true,
            lost_before: 0,
        }
    }

    fn now(&self) -> Seconds {
        Seconds(self.now)
    }

    fn key(&mut self) -> Vec<u8> {
        // Squared, so that some keys come often.
        let number = self.rng.below(self.keys) * self.rng.below(self.keys) / self.keys;
        let padding = if number.is_multiple_of(7) {
            "x".repeat(number % 220)
        } else {
            String::new()
        };
        format!("key-{number}{padding}").into_bytes()
    }

    fn value(&mut self) -> Vec<u8> {
        if self.rng.one_in(8) {
            return (self.rng.next() >> self.rng.below(64))
                .to_string()
                .into_bytes();
        }
        let longest = self.lengths[self.rng.below(self.lengths.len())];
        let len = self.rng.below(longest + 1);
        let first = self.rng.next();
        // The first byte keeps it from being a number.
        (0..len)
            .map(|at| {
                if at == 0 {
                    b'v'
                } else {
                    (first >> (at % 7 * 8)) as u8 ^ at as u8
                }
            })
            .collect()
    }

    fn deadline(&mut self) -> Deadline {
        if self.rng.one_in(3) {
            Deadline(self.now + self.rng.below(60) as u32)
        } else {
            Deadline::NEVER
        }
    }

    fn flags(&mut self) -> u32 {
        if self.rng.one_in(3) {
            self.rng.next() as u32
        } else {
            0
        }
    }

    /// What the map believes, without what is dead.
    fn expected(&mut self, key: &[u8]) -> Option<Entry> {
        let now = self.now();
        if self
            .map
            .get(key)
            .is_some_and(|entry| entry.deadline.has_passed(now))
        {
            self.map.remove(key);
        }
        self.map.get(key).cloned()
    }

    /// The engine does not have the item: it must have been allowed to lose it.
    fn forget(&mut self, key: &[u8]) {
        if self.expected(key).is_some() {
            let stats = self.engine.stats();
            let lost =
                self.lost_before + stats.evictions + stats.store_no_memory + stats.store_too_large;
            assert!(
                lost > 0,
                "a live item is gone although nothing was evicted: {}",
                String::from_utf8_lossy(key)
            );
            self.map.remove(key);
        }
    }

    fn mode(&mut self, expected: Option<&Entry>) -> StoreMode {
        match self.rng.below(10) {
            0 => StoreMode::Add,
            1 => StoreMode::Replace,
            2 => StoreMode::Append,
            3 => StoreMode::Prepend,
            4 => StoreMode::Cas(expected.map_or(5, |entry| entry.cas)),
            5 => StoreMode::Cas(self.rng.next()),
            _ => StoreMode::Set,
        }
    }

    fn too_large(&self, key: &[u8], value_bytes: usize, flags: u32) -> bool {
        let counted = key.len() + value_bytes + 59 + 4 * usize::from(flags != 0);
        counted - 8 * usize::from(!self.config.cas_enabled) > self.config.item_size_max
    }

    /// Judges the outcome of a store and takes it over.
    fn stored(
        &mut self,
        key: &[u8],
        value: &[u8],
        flags: u32,
        deadline: Deadline,
        mode: StoreMode,
        outcome: StoreOutcome,
    ) {
        let expected = self.expected(key);
        match outcome {
            StoreOutcome::Stored { cas } => {
                let entry = match (mode, expected) {
                    (StoreMode::Append, Some(old)) => Entry {
                        value: [&old.value, value].concat(),
                        cas,
                        ..old
                    },
                    (StoreMode::Prepend, Some(old)) => Entry {
                        value: [value, &old.value].concat(),
                        cas,
                        ..old
                    },
                    (
                        StoreMode::Append
                        | StoreMode::Prepend
                        | StoreMode::Replace
                        | StoreMode::Cas(_),
                        None,
                    ) => {
                        panic!("{mode:?} stored although the key was never there")
                    }
                    (StoreMode::Cas(given), Some(old)) if given != old.cas => {
                        panic!("cas stored over another")
                    }
                    _ => Entry {
                        value: value.to_vec(),
                        flags,
                        deadline,
                        cas,
                    },
                };
                self.map.insert(key.to_vec(), entry);
            }
            StoreOutcome::NotStored if mode == StoreMode::Add => {
                assert!(expected.is_some(), "add found nothing known");
            }
            StoreOutcome::NotStored => {
                assert!(matches!(
                    mode,
                    StoreMode::Replace | StoreMode::Append | StoreMode::Prepend
                ));
                if !self.is_too_large_joined(mode, key, value, expected.as_ref()) {
                    self.forget(key);
                }
            }
            StoreOutcome::Exists => {
                let old = expected.expect("exists");
                assert!(
                    matches!(mode, StoreMode::Cas(given) if given != old.cas || !self.config.cas_enabled)
                );
            }
            StoreOutcome::NotFound => {
                assert!(matches!(mode, StoreMode::Cas(_)));
                self.forget(key);
            }
            StoreOutcome::TooLarge => {
                self.judge_too_large(key, value.len(), mode);
            }
            StoreOutcome::OutOfMemory => {
                self.judge_out_of_memory();
                if mode == StoreMode::Set {
                    self.map.remove(key);
                }
            }
        }
    }

    /// Whether append or prepend fails because the joined value is too large; the old one then stays.
    fn is_too_large_joined(
        &self,
        mode: StoreMode,
        key: &[u8],
        value: &[u8],
        old: Option<&Entry>,
    ) -> bool {
        let joined = |old: &Entry| self.too_large(key, value.len() + old.value.len(), old.flags);
        mode != StoreMode::Replace && old.is_some_and(joined)
    }

    fn judge_too_large(&mut self, key: &[u8], len: usize, mode: StoreMode) {
        assert!(self.too_large(key, len, u32::MAX));
        if mode == StoreMode::Set {
            self.map.remove(key);
        }
    }

    fn judge_out_of_memory(&self) {
        let excused =
            !self.config.evictions_enabled || !self.uploads.is_empty() || !self.pins.is_empty();
        assert!(
            excused,
            "out of memory although everything can be evicted: {:?}",
            self.engine.stats()
        );
    }

    fn store(&mut self) {
        let (key, value) = (self.key(), self.value());
        let (client_flags, deadline) = (self.flags(), self.deadline());
        let expected = self.expected(&key);
        let mode = self.mode(expected.as_ref());
        let store = Store {
            mode,
            key: &key,
            hash: hash(&key),
            client_flags,
            deadline,
            value: &value,
        };
        let outcome = self.engine.store(&store, Seconds(self.now));
        self.stored(&key, &value, client_flags, deadline, mode, outcome);
    }

    fn get(&mut self) {
        let key = self.key();
        let expected = self.expected(&key);
        let fetch = match self.rng.below(6) {
            0 => Fetch::Touch(self.deadline()),
            1 => Fetch::Quiet,
            _ => Fetch::Count,
        };
        let pin = self.rng.one_in(20) && self.pins.len() < 4;
        let Some(hit) = self.engine.get(&key, hash(&key), Seconds(self.now), fetch) else {
            let no_memory_for_deadline =
                matches!(fetch, Fetch::Touch(_)) && !self.config.evictions_enabled;
            if !no_memory_for_deadline {
                self.forget(&key);
            }
            return;
        };
        let value: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        let expected = expected.unwrap_or_else(|| panic!("a hit of what is dead or never was"));
        assert!(
            value == expected.value,
            "another value of {}",
            String::from_utf8_lossy(&key)
        );
        assert_eq!(
            (hit.key(), hit.value_len(), hit.client_flags()),
            (&key[..], value.len(), expected.flags)
        );
        assert_eq!(
            hit.cas(),
            if self.config.cas_enabled {
                expected.cas
            } else {
                0
            }
        );
        assert!(hit.single_chunk().is_none_or(|chunk| chunk == value));
        let deadline = if let Fetch::Touch(deadline) = fetch {
            deadline
        } else {
            expected.deadline
        };
        assert_eq!(hit.deadline(), deadline);
        let handle = hit.handle();
        self.hits += 1;
        self.map.get_mut(&key).unwrap().deadline = deadline;
        if pin {
            let pieces = self.engine.pin(handle).pieces().to_vec();
            self.pins.push(Pinned {
                handle,
                pieces,
                value,
            });
        }
    }

    fn unpin(&mut self) {
        if self.pins.is_empty() {
            return;
        }
        let index = self.rng.below(self.pins.len());
        let pinned = self.pins.swap_remove(index);
        let value: Vec<u8> = pinned
            .pieces
            .iter()
            // SAFETY: the item is pinned and nothing borrows the engine.
            .flat_map(|piece| unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) })
            .copied()
            .collect();
        assert!(value == pinned.value, "a pinned value has changed");
        self.engine.unpin(pinned.handle);
    }

    fn delete(&mut self) {
        let key = self.key();
        let expected = self.expected(&key);
        let compare = self
            .rng
            .one_in(3)
            .then(|| expected.as_ref().map_or(1, |entry| entry.cas) + self.rng.below(2) as u64);
        match self
            .engine
            .delete(&key, hash(&key), compare, Seconds(self.now))
        {
            DeleteOutcome::Deleted => {
                let entry = expected.expect("deleted");
                assert!(compare.is_none_or(|cas| cas == entry.cas));
                self.map.remove(&key);
            }
            DeleteOutcome::NotFound => self.forget(&key),
            DeleteOutcome::Exists => {
                assert!(compare != expected.map(|entry| entry.cas) || !self.config.cas_enabled);
            }
        }
    }

    fn arith(&mut self) {
        let key = self.key();
        let expected = self.expected(&key);
        let op = if self.rng.one_in(2) {
            ArithOp::Incr
        } else {
            ArithOp::Decr
        };
        let delta = self.rng.next() >> self.rng.below(64);
        match self.engine.arith(
            &key,
            hash(&key),
            Arith {
                op,
                delta,
                compare: None,
            },
            Seconds(self.now),
        ) {
            ArithOutcome::Number { value, cas } => {
                let entry = self.map.get_mut(&key).expect("a number");
                let text = String::from_utf8_lossy(&entry.value);
                let number: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
                let result = match op {
                    ArithOp::Incr => number.wrapping_add(delta),
                    ArithOp::Decr => number.saturating_sub(delta),
                };
                assert_eq!(value, result);
                let hit = self
                    .engine
                    .get(&key, hash(&key), Seconds(self.now), Fetch::Quiet)
                    .unwrap();
                let now: Vec<u8> = hit.value_chunks().flatten().copied().collect();
                let padded = format!("{result:<width$}", width = entry.value.len()).into_bytes();
                assert!(now == padded || now == result.to_string().into_bytes());
                *entry = Entry {
                    value: now,
                    cas,
                    ..entry.clone()
                };
            }
            ArithOutcome::NotFound => self.forget(&key),
            ArithOutcome::NonNumeric => assert!(expected.is_some()),
            ArithOutcome::Exists => panic!("no cas was given"),
            ArithOutcome::OutOfMemory => {
                assert!(
                    !self.config.evictions_enabled
                        || !self.uploads.is_empty()
                        || !self.pins.is_empty()
                );
            }
        }
    }

    fn touch(&mut self) {
        let key = self.key();
        self.expected(&key);
        let deadline = self.deadline();
        match self
            .engine
            .touch(&key, hash(&key), deadline, Seconds(self.now))
        {
            TouchOutcome::Touched => self.map.get_mut(&key).expect("touched").deadline = deadline,
            TouchOutcome::NotFound if self.config.evictions_enabled => self.forget(&key),
            TouchOutcome::NotFound => {}
        }
    }

    fn flush(&mut self) {
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

    fn tick(&mut self) {
        self.now += 1 + self.rng.below(3) as u32;
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.flush_at = None;
            self.map.clear();
        }
    }

    fn begin_upload(&mut self) {
        if self.uploads.len() >= 3 {
            return;
        }
        let (key, value) = (self.key(), self.value());
        let (flags, deadline) = (self.flags(), self.deadline());
        let expected = self.expected(&key);
        let mode = self.mode(expected.as_ref());
        let reserve = Reserve {
            key: &key,
            hash: hash(&key),
            client_flags: flags,
            deadline,
            value_bytes: value.len(),
        };
        match self.engine.reserve(&reserve, Seconds(self.now)) {
            Ok(staged) => self.uploads.push(Upload {
                staged,
                key,
                value,
                written: 0,
                flags,
                deadline,
                mode,
            }),
            Err(StoreOutcome::TooLarge) => assert!(self.too_large(&key, value.len(), flags)),
            Err(outcome) => {
                assert_eq!(outcome, StoreOutcome::OutOfMemory);
                assert!(
                    !self.config.evictions_enabled
                        || !self.uploads.is_empty()
                        || !self.pins.is_empty()
                );
            }
        }
    }

    fn go_on_with_upload(&mut self) {
        if self.uploads.is_empty() {
            return;
        }
        let index = self.rng.below(self.uploads.len());
        let mut upload = self.uploads.swap_remove(index);
        if self.rng.one_in(10) {
            return self.engine.abort(upload.staged);
        }
        let len = self.rng.below(upload.value.len() - upload.written + 1);
        let end = if self.rng.one_in(2) {
            upload.value.len()
        } else {
            upload.written + len
        };
        self.engine
            .staged_write(&mut upload.staged, &upload.value[upload.written..end]);
        upload.written = end;
        if upload.written < upload.value.len() {
            return self.uploads.push(upload);
        }
        let Upload {
            staged,
            key,
            value,
            flags,
            deadline,
            mode,
            ..
        } = upload;
        let copied: Vec<u8> = self
            .engine
            .staged_value(&staged)
            .flatten()
            .copied()
            .collect();
        assert!(copied == value, "a staged value is what was written");
        // Its own memory is an excuse for running out.
        let outcome = self.engine.commit(staged, mode, Seconds(self.now));
        if outcome == StoreOutcome::OutOfMemory
            && matches!(mode, StoreMode::Append | StoreMode::Prepend)
        {
            return;
        }
        self.stored(&key, &value, flags, deadline, mode, outcome);
    }

    fn housekeeping(&mut self) {
        match self.rng.below(8) {
            0 | 1 if !self.shrinks => {}
            0 => {
                self.engine.release_page();
            }
            1 => {
                self.budget.set_limit_bytes(self.limit * 3 / 4);
                while self.engine.trim(1) {}
                self.budget.set_limit_bytes(self.limit);
            }
            2 => self.walk(),
            3 | 4 => {
                let budget = self.rng.below(3000);
                self.engine.sweep(self.now(), budget);
            }
            _ => self.engine.maintain(self.now()),
        }
    }

    /// Everything shown is known and alive, and everything known that was not evicted is shown.
    fn walk(&mut self) {
        let mut shown = 0;
        let mut cursor = WalkCursor::default();
        let budget = 1 + self.rng.below(500);
        let (map, now) = (&self.map, Seconds(self.now));
        while self.engine.walk(&mut cursor, now, budget, |item| {
            let entry = map.get(item.key).expect("a walk shows what was stored");
            assert!(!entry.deadline.has_passed(now), "a walk shows what lives");
            assert_eq!(
                (item.value_bytes, item.client_flags, item.deadline),
                (entry.value.len(), entry.flags, entry.deadline)
            );
            shown += 1;
        }) {}
        let keys: Vec<&Vec<u8>> = map.keys().collect();
        let live = keys
            .iter()
            .filter(|key| self.engine.get(key, hash(key), now, Fetch::Quiet).is_some())
            .count();
        assert_eq!(shown, live, "a walk shows every live item once");
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
                _ => {}
            },
        }
        assert!(self.budget.used_bytes() <= self.limit, "the limit is hard");
    }

    /// Ends the engine gracefully and begins another with its items, perhaps with another limit.
    fn restart(&mut self) {
        self.pins.clear();
        self.uploads.clear();
        let stats = self.engine.stats();
        self.lost_before += stats.evictions + stats.store_no_memory + stats.store_too_large;
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
        while self.engine.trim(1) {}
        self.engine.check_integrity();
    }

    fn finish(mut self) {
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
            if let (Some(hit), Some(expected)) = (hit, expected) {
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

fn seed() -> u64 {
    let seed = std::env::var("CORECACHED_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!("CORECACHED_SEED={seed}");
    seed
}

fn steps(default: usize) -> usize {
    std::env::var("CORECACHED_STEPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn run(mut model: Model, steps: usize, check_every: usize) {
    for step in 0..steps {
        model.step();
        if step.is_multiple_of(check_every) {
            model.engine.check_integrity();
        }
    }
    let (hits, stats) = (model.hits, model.engine.stats());
    println!(
        "{hits} hits, {} evictions, {} rescues",
        stats.evictions, stats.slab_reassign_rescues
    );
    assert!(
        hits > steps as u64 / 50,
        "the run hits often enough to say something: {hits}"
    );
    model.finish();
}

#[test]
fn small_items_without_pressure() {
    let mut model = Model::new(seed(), config(), 32 << 20, 1000, SMALL);
    model.shrinks = false;
    run(model, steps(60_000), 100);
}

#[test]
fn small_items_under_pressure() {
    let config = EngineConfig {
        page_bytes: 8 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 1, config, 300 << 10, 3000, SMALL),
        steps(150_000),
        500,
    );
}

#[test]
fn every_step_is_sound() {
    run(
        Model::new(seed() + 2, config(), 800 << 10, 200, MIXED),
        steps(8_000),
        1,
    );
}

#[test]
fn mixed_items_under_pressure() {
    run(
        Model::new(seed() + 3, config(), 2 << 20, 600, MIXED),
        steps(100_000),
        200,
    );
}

#[test]
fn large_items_under_pressure() {
    let config = EngineConfig {
        item_size_max: 500 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 4, config, 3 << 20, 60, LARGE),
        steps(20_000),
        20,
    );
}

#[test]
fn no_cas_and_few_classes() {
    let config = EngineConfig {
        cas_enabled: false,
        growth_factor: Some(1.5),
        chunk_min: Some(16),
        page_bytes: 256 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 5, config, 4 << 20, 600, MIXED),
        steps(50_000),
        100,
    );
}

#[test]
fn items_survive_restarts() {
    let config = EngineConfig {
        memory_file: Some(memory_file(config().segment_bytes)),
        ..config()
    };
    run(
        Model::new(seed() + 7, config, 3 << 20, 500, MIXED),
        steps(60_000),
        100,
    );
}

#[test]
fn without_evictions() {
    let config = EngineConfig {
        evictions_enabled: false,
        ..config()
    };
    run(
        Model::new(seed() + 6, config, 2 << 20, 400, MIXED),
        steps(50_000),
        100,
    );
}
