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
    Arith, ArithExtras, ArithOp, ArithOutcome, Budget, Create, Deadline, Delete, DeleteOutcome,
    Engine, EngineConfig, Eviction, Fetch, Hit, ItemHandle, MetaFetch, Piece, Recache, Reserve,
    Seconds, Staged, Store, StoreExtras, StoreMode, StoreOutcome, TouchOutcome, WalkCursor,
};

use crate::support::{Rng, config, hash, memory_file};

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    flags: u32,
    deadline: Deadline,
    cas: u64,
    binary_key: bool,
    stale: bool,
    won: bool,
    /// Unknown after a number may or may not have been written in place.
    fetched: Option<bool>,
    used: u32,
}

impl Entry {
    /// A lookup has found the item: it must be this one, and what the lookup has done to it is taken over.
    fn see(&mut self, hit: &Hit<'_>, value: &[u8], fetch: Fetch, now: u32, has_flushed: bool) {
        assert!(value == self.value, "another value");
        assert_eq!(
            (hit.client_flags(), hit.cas(), hit.deadline_before()),
            (self.flags, self.cas, self.deadline)
        );
        assert_eq!(
            (hit.is_stale(), hit.was_won(), hit.has_binary_key()),
            (self.stale, self.won, self.binary_key)
        );
        assert!(self.fetched.is_none_or(|fetched| fetched == hit.fetched()));
        if self.used != u32::MAX {
            let idle = now - self.used;
            assert!(hit.idle_seconds() <= idle, "{}", hit.idle_seconds());
            assert!(has_flushed || hit.idle_seconds() == idle);
        }
        let (bump, deadline, recache) = match fetch {
            Fetch::Count => (true, None, None),
            Fetch::Touch(deadline) => (true, Some(deadline), None),
            Fetch::Meta(meta) => (meta.bump, meta.deadline, Some(meta.recache)),
            Fetch::Quiet | Fetch::Inspect => (false, None, None),
        };
        let recaches = match recache {
            None => false,
            Some(Recache::Never) => self.stale,
            Some(Recache::Below(limit)) => {
                self.stale || (self.deadline.0 != 0 && self.deadline.0 < limit.0)
            }
            Some(Recache::Always) => true,
        };
        assert_eq!(hit.has_won(), recaches && !self.won);
        self.won |= hit.has_won();
        self.deadline = deadline.unwrap_or(self.deadline);
        assert_eq!(hit.deadline(), self.deadline);
        if bump {
            self.fetched = Some(true);
            self.used = now;
        }
    }
}

struct Upload {
    staged: Staged,
    key: Vec<u8>,
    value: Vec<u8>,
    written: usize,
    flags: u32,
    deadline: Deadline,
    mode: StoreMode,
    extras: StoreExtras,
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
    /// After a flush, ages may be a second or more too small.
    has_flushed: bool,
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
            has_flushed: false,
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

    /// Finds out whether the item is still there.
    fn settle(&mut self, key: &[u8]) {
        let found = self
            .engine
            .get(key, hash(key), Seconds(self.now), Fetch::Quiet);
        if found.is_none() {
            self.forget(key);
        }
    }

    fn new_cas(&mut self) -> Option<u64> {
        // Of all lengths, so that some need the wide field.
        self.rng
            .one_in(4)
            .then(|| self.rng.next() >> self.rng.below(64))
    }

    fn compare(&mut self, expected: Option<&Entry>) -> Option<u64> {
        let cas = expected.map_or(1, |entry| entry.cas);
        self.rng
            .one_in(3)
            .then(|| cas.wrapping_add(self.rng.below(2) as u64))
    }

    fn extras(&mut self, expected: Option<&Entry>) -> StoreExtras {
        if self.rng.one_in(2) {
            return StoreExtras::default();
        }
        StoreExtras {
            new_cas: self.new_cas(),
            compare: self.compare(expected),
            create: self.rng.one_in(3),
            invalidate: self.rng.one_in(2),
            binary_key: self.rng.one_in(4),
            drops_old: self.rng.one_in(4),
        }
    }

    fn mode(&mut self, expected: Option<&Entry>) -> StoreMode {
        match self.rng.below(11) {
            0 => StoreMode::Add,
            1 => StoreMode::Replace,
            2 => StoreMode::Append,
            3 => StoreMode::Prepend,
            4 => StoreMode::Cas(expected.map_or(5, |entry| entry.cas)),
            5 => StoreMode::Cas(self.rng.next()),
            6 => StoreMode::Cas(expected.map_or(5, |entry| entry.cas).saturating_sub(1)),
            _ => StoreMode::Set,
        }
    }

    fn too_large(&self, key: &[u8], value_bytes: usize, flags: u32) -> bool {
        let counted = key.len() + value_bytes + 59 + 4 * usize::from(flags != 0);
        counted - 8 * usize::from(!self.config.cas_enabled) > self.config.item_size_max
    }

    /// The item that a successful store has made.
    fn made(&self, store: &Store<'_>, cas: u64) -> Entry {
        let fresh = Entry {
            value: store.value.to_vec(),
            flags: store.client_flags,
            deadline: store.deadline,
            cas,
            binary_key: store.extras.binary_key,
            stale: false,
            won: false,
            fetched: Some(false),
            used: self.now,
        };
        let joined = |value: Vec<u8>, old: &Entry| Entry {
            value,
            flags: old.flags,
            deadline: old.deadline,
            binary_key: old.binary_key,
            ..fresh.clone()
        };
        let extras = store.extras;
        match (store.mode, self.map.get(store.key)) {
            (StoreMode::Append | StoreMode::Prepend, None) => {
                assert!(extras.create, "nothing to append to");
                fresh
            }
            (StoreMode::Replace | StoreMode::Cas(_), None) => {
                panic!("{:?} stored although the key was never there", store.mode)
            }
            (StoreMode::Append | StoreMode::Prepend, Some(old))
                if extras.compare.is_some_and(|cas| cas != old.cas) =>
            {
                panic!("appended in spite of another cas")
            }
            (StoreMode::Append, Some(old)) => joined([&old.value, store.value].concat(), old),
            (StoreMode::Prepend, Some(old)) => joined([store.value, &old.value].concat(), old),
            (StoreMode::Cas(given), Some(old)) if given != old.cas => {
                assert!(
                    extras.invalidate && given < old.cas,
                    "cas stored over another"
                );
                Entry {
                    deadline: old.deadline,
                    stale: true,
                    won: old.won,
                    ..fresh
                }
            }
            _ => fresh,
        }
    }

    /// Judges the outcome of a store and takes it over.
    fn stored(&mut self, store: &Store<'_>, outcome: StoreOutcome) {
        let Store {
            key, mode, extras, ..
        } = *store;
        let expected = self.expected(key);
        let is_joining = matches!(mode, StoreMode::Append | StoreMode::Prepend);
        match outcome {
            StoreOutcome::Stored { cas, value_bytes } => {
                self.check_new_cas(extras.new_cas, cas);
                let entry = self.made(store, cas);
                assert_eq!(value_bytes, entry.value.len());
                self.map.insert(key.to_vec(), entry);
            }
            StoreOutcome::NotStored if mode == StoreMode::Add => {
                let entry = self.map.get_mut(key).expect("add found nothing known");
                entry.used = self.now;
            }
            StoreOutcome::NotStored => {
                assert!(is_joining || mode == StoreMode::Replace);
                if !self.is_too_large_joined(mode, key, store.value, expected.as_ref()) {
                    assert!(!is_joining || !extras.create);
                    self.forget(key);
                }
            }
            StoreOutcome::Exists => {
                let old = expected.expect("exists");
                let given = match mode {
                    StoreMode::Cas(given) => given,
                    _ => extras.compare.filter(|_| is_joining).expect("a cas"),
                };
                assert!(given != old.cas || given == 0);
                assert!(is_joining || !extras.invalidate || given >= old.cas || given == 0);
            }
            StoreOutcome::NotFound => {
                assert!(matches!(mode, StoreMode::Cas(_)));
                self.forget(key);
            }
            StoreOutcome::TooLarge => {
                assert!(self.too_large(key, store.value.len(), u32::MAX));
                if mode == StoreMode::Set || extras.drops_old {
                    self.map.remove(key);
                }
            }
            StoreOutcome::OutOfMemory => {
                self.judge_out_of_memory();
                if mode == StoreMode::Set || (extras.drops_old && !is_joining) {
                    self.map.remove(key);
                }
            }
        }
    }

    fn check_new_cas(&self, wanted: Option<u64>, cas: u64) {
        if !self.config.cas_enabled {
            assert_eq!(cas, 0);
        } else if let Some(wanted) = wanted {
            assert_eq!(cas, wanted);
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
        let extras = self.extras(expected.as_ref());
        self.settle(&key);
        let store = Store {
            mode,
            key: &key,
            hash: hash(&key),
            client_flags,
            deadline,
            extras,
            value: &value,
        };
        let outcome = self.engine.store(&store, Seconds(self.now));
        self.stored(&store, outcome);
    }

    fn meta_fetch(&mut self) -> MetaFetch {
        let recache = match self.rng.below(4) {
            0 => Recache::Below(Deadline(self.now + self.rng.below(60) as u32)),
            1 => Recache::Always,
            _ => Recache::Never,
        };
        let create = self.rng.one_in(4).then(|| Create {
            deadline: self.deadline(),
            new_cas: self.new_cas(),
            binary_key: self.rng.one_in(4),
        });
        MetaFetch {
            bump: self.rng.one_in(2),
            deadline: self.rng.one_in(4).then(|| self.deadline()),
            recache,
            create,
        }
    }

    fn fetch(&mut self) -> Fetch {
        match self.rng.below(8) {
            0 => Fetch::Touch(self.deadline()),
            1 => Fetch::Quiet,
            2 => Fetch::Inspect,
            3 | 4 => Fetch::Meta(self.meta_fetch()),
            _ => Fetch::Count,
        }
    }

    fn get(&mut self) {
        let key = self.key();
        let fetch = self.fetch();
        self.expected(&key);
        let pin = self.rng.one_in(20) && self.pins.len() < 4;
        let Some(hit) = self.engine.get(&key, hash(&key), Seconds(self.now), fetch) else {
            return self.missed(&key, fetch);
        };
        let value: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        assert_eq!((hit.key(), hit.value_len()), (&key[..], value.len()));
        assert!(hit.single_chunk().is_none_or(|chunk| chunk == value));
        let handle = hit.handle();
        if hit.is_new() {
            let Fetch::Meta(MetaFetch {
                create: Some(create),
                bump,
                ..
            }) = fetch
            else {
                panic!("{fetch:?} created an item");
            };
            assert!(hit.has_won() && !hit.was_won() && !hit.is_stale() && !hit.fetched());
            assert_eq!(hit.idle_seconds(), 0);
            let entry = Entry {
                value: Vec::new(),
                flags: hit.client_flags(),
                deadline: hit.deadline(),
                cas: hit.cas(),
                binary_key: hit.has_binary_key(),
                stale: false,
                won: true,
                fetched: Some(bump),
                used: self.now,
            };
            assert_eq!(
                (entry.flags, entry.deadline, entry.binary_key, value.len()),
                (0, create.deadline, create.binary_key, 0)
            );
            self.check_new_cas(create.new_cas, entry.cas);
            self.forget(&key);
            self.map.insert(key, entry);
        } else {
            let entry = self
                .map
                .get_mut(&key)
                .unwrap_or_else(|| panic!("a hit of what is dead or never was"));
            entry.see(&hit, &value, fetch, self.now, self.has_flushed);
            self.hits += 1;
        }
        if pin {
            let pieces = self.engine.pin(handle).pieces().to_vec();
            self.pins.push(Pinned {
                handle,
                pieces,
                value,
            });
        }
    }

    fn missed(&mut self, key: &[u8], fetch: Fetch) {
        let is_touch = match fetch {
            Fetch::Touch(_) => true,
            Fetch::Meta(meta) => {
                if meta.create.is_some() {
                    self.judge_out_of_memory();
                }
                meta.deadline.is_some()
            }
            _ => false,
        };
        if !is_touch || self.config.evictions_enabled {
            self.forget(key);
        } else if let Some(entry) = self.map.get_mut(key) {
            // There was no memory for the deadline, but it may have been marked.
            entry.fetched = None;
            entry.used = u32::MAX;
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
        let keeps = self.rng.one_in(2);
        let delete = Delete {
            compare: self.compare(expected.as_ref()),
            stale: keeps && !self.rng.one_in(3),
            empty: (keeps && self.rng.one_in(2)).then(|| self.flags()),
            deadline: self.rng.one_in(3).then(|| self.deadline()),
            new_cas: self.new_cas(),
        };
        match self
            .engine
            .delete(&key, hash(&key), &delete, Seconds(self.now))
        {
            DeleteOutcome::Deleted => {
                let entry = expected.expect("deleted");
                assert!(delete.compare.is_none_or(|cas| cas == entry.cas));
                self.map.remove(&key);
                if delete.stale || delete.empty.is_some() {
                    self.kept(key, &delete, entry);
                }
            }
            DeleteOutcome::NotFound => self.forget(&key),
            DeleteOutcome::Exists => {
                assert!(delete.compare.is_some());
                assert_ne!(delete.compare, expected.map(|entry| entry.cas));
            }
            DeleteOutcome::OutOfMemory => {
                assert!(delete.stale || delete.empty.is_some());
                self.judge_out_of_memory();
            }
        }
    }

    /// Takes over an item that a delete has kept.
    fn kept(&mut self, key: Vec<u8>, delete: &Delete, old: Entry) {
        let now = Seconds(self.now);
        let previous_cas = old.cas;
        let mut entry = match delete.empty {
            Some(flags) => Entry {
                value: Vec::new(),
                flags,
                deadline: delete.deadline.unwrap_or(Deadline::NEVER),
                fetched: Some(false),
                used: self.now,
                ..old
            },
            None => Entry {
                deadline: delete.deadline.unwrap_or(old.deadline),
                ..old
            },
        };
        if entry.deadline.has_passed(now) {
            return;
        }
        entry.stale = delete.stale;
        entry.won = false;
        let hit = self.engine.get(&key, hash(&key), now, Fetch::Quiet);
        entry.cas = hit.expect("an item that is kept").cas();
        self.check_new_cas(delete.new_cas, entry.cas);
        if delete.new_cas.is_none() && self.config.cas_enabled {
            assert_eq!(entry.cas == previous_cas, !delete.stale);
        }
        self.map.insert(key, entry);
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
        let extras = if self.rng.one_in(2) {
            ArithExtras::default()
        } else {
            ArithExtras {
                compare: self.compare(expected.as_ref()),
                new_cas: self.new_cas(),
                deadline: self.rng.one_in(3).then(|| self.deadline()),
                create: self
                    .rng
                    .one_in(2)
                    .then(|| (self.rng.next() >> self.rng.below(64), self.deadline())),
                binary_key: self.rng.one_in(4),
            }
        };
        let arith = Arith { op, delta, extras };
        match self
            .engine
            .arith(&key, hash(&key), &arith, Seconds(self.now))
        {
            ArithOutcome::Number {
                value,
                cas,
                deadline,
                created: true,
            } => {
                assert_eq!(extras.create, Some((value, deadline)));
                self.check_new_cas(extras.new_cas, cas);
                self.forget(&key);
                let entry = Entry {
                    value: value.to_string().into_bytes(),
                    flags: 0,
                    deadline,
                    cas,
                    binary_key: extras.binary_key,
                    stale: false,
                    won: false,
                    fetched: Some(false),
                    used: self.now,
                };
                self.map.insert(key, entry);
            }
            ArithOutcome::Number {
                value,
                cas,
                deadline,
                created: false,
            } => {
                self.check_new_cas(extras.new_cas, cas);
                assert_eq!(deadline, expected.expect("a number").deadline);
                self.changed(&key, &arith, value, cas);
            }
            ArithOutcome::NotFound => {
                assert!(extras.create.is_none());
                self.forget(&key);
            }
            ArithOutcome::NonNumeric => assert!(expected.is_some()),
            ArithOutcome::Exists => {
                assert!(extras.compare.is_some());
                assert_ne!(extras.compare, expected.map(|entry| entry.cas));
            }
            ArithOutcome::OutOfMemory => self.judge_out_of_memory(),
        }
    }

    /// Takes over a number that was changed.
    fn changed(&mut self, key: &[u8], arith: &Arith, value: u64, cas: u64) {
        let now = Seconds(self.now);
        let entry = self.map.get_mut(key).expect("a number");
        assert!(arith.extras.compare.is_none_or(|cas| cas == entry.cas));
        let text = String::from_utf8_lossy(&entry.value);
        let number: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let result = match arith.op {
            ArithOp::Incr => number.wrapping_add(arith.delta),
            ArithOp::Decr => number.saturating_sub(arith.delta),
        };
        assert_eq!(value, result);
        let deadline = arith.extras.deadline.unwrap_or(entry.deadline);
        if deadline.has_passed(now) {
            self.map.remove(key);
            return;
        }
        let hit = self.engine.get(key, hash(key), now, Fetch::Quiet).unwrap();
        let shown: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        let padded = format!("{result:<width$}", width = entry.value.len()).into_bytes();
        assert!(shown == padded || shown == result.to_string().into_bytes());
        *entry = Entry {
            value: shown,
            cas,
            deadline,
            fetched: None,
            used: self.now,
            ..entry.clone()
        };
    }

    fn touch(&mut self) {
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
            TouchOutcome::NotFound if self.config.evictions_enabled => self.forget(&key),
            TouchOutcome::NotFound => {
                if let Some(entry) = self.map.get_mut(&key) {
                    entry.fetched = None;
                    entry.used = u32::MAX;
                }
            }
        }
    }

    fn flush(&mut self) {
        self.has_flushed = true;
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
        let extras = self.extras(expected.as_ref());
        let reserve = Reserve {
            key: &key,
            hash: hash(&key),
            client_flags: flags,
            deadline,
            extras,
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
                extras,
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
        let bytes = &upload.value[upload.written..end];
        if !self.engine.staged_write(&mut upload.staged, bytes) {
            // The memory of what has been written is an excuse.
            return self.engine.abort(upload.staged);
        }
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
            extras,
            ..
        } = upload;
        self.settle(&key);
        let copied: Vec<u8> = self
            .engine
            .staged_value(&staged)
            .flatten()
            .copied()
            .collect();
        assert!(copied == value, "a staged value is what was written");
        // Its own memory is an excuse for running out.
        let outcome = self.engine.commit(staged, mode, &extras, Seconds(self.now));
        if outcome == StoreOutcome::OutOfMemory
            && matches!(mode, StoreMode::Append | StoreMode::Prepend)
        {
            return;
        }
        let store = Store {
            mode,
            key: &key,
            hash: hash(&key),
            client_flags: flags,
            deadline,
            extras,
            value: &value,
        };
        self.stored(&store, outcome);
    }

    fn housekeeping(&mut self) {
        match self.rng.below(8) {
            0 | 1 if !self.shrinks => {}
            0 => {
                self.engine.release_page(64);
            }
            1 => {
                self.budget.set_limit_bytes(self.limit * 3 / 4);
                while self.engine.trim(64) {}
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
fn small_items_under_pressure_by_the_clock() {
    let config = EngineConfig {
        page_bytes: 8 << 10,
        eviction: Eviction::Clock,
        ..config()
    };
    run(
        Model::new(seed() + 7, config, 300 << 10, 3000, SMALL),
        steps(50_000),
        500,
    );
}

#[test]
fn mixed_items_under_pressure_by_the_clock() {
    let config = EngineConfig {
        eviction: Eviction::Clock,
        ..config()
    };
    run(
        Model::new(seed() + 8, config, 2 << 20, 600, MIXED),
        steps(50_000),
        200,
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
