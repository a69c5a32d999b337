//! The run in which pauses are looked for: every kind of call, while items are inserted, churned, expired, flushed and
//! moved for other sizes and other limits.
//!
//! The benchmark takes the time of each call; `tests/engine/work.rs` only counts its work, with fewer items.

use std::ops::Range;
use std::sync::Arc;

use corecached_engine::{
    Arith, ArithExtras, ArithOp, Budget, Deadline, Delete, Engine, EngineConfig, Fetch, KeyHasher,
    Release, Reserve, Room, Seconds, Space, Store, StoreExtras, StoreMode, StoreOutcome,
    WalkCursor,
};

const HASHER: KeyHasher = KeyHasher::new(7);
/// Chunks for each step of the maintenance, and items for each step of a walk, as in the server.
const STEP: usize = 128;
const WALK_STEP: usize = 64;
/// One in so many items is probably dead where the reaper goes.
const ONE_IN: u32 = 64;
/// Bytes of memory asked for at once for a large value, at first and at last, as in the server.
const WINDOW: Range<usize> = 32 << 10..256 << 10;
/// Seconds that short-lived items live.
const TTL: u32 = 20;

/// Looks at every call.
pub(crate) trait Meter {
    /// Makes one call of the kind `name`.
    fn call<T>(
        &mut self,
        name: &'static str,
        engine: &mut Engine,
        call: impl FnOnce(&mut Engine) -> T,
    ) -> T;
}

/// A value under a key, for [`Run::upload`].
struct Large {
    key: u64,
    bytes: usize,
    ttl: u32,
    names: [&'static str; 3],
}

/// A run of every kind of call on one cache.
pub(crate) struct Run<'a, M> {
    meter: &'a mut M,
    /// The cache.
    pub(crate) engine: Engine,
    budget: Arc<Budget>,
    limit: u64,
    items: u64,
    next: u64,
    now: u32,
    rng: u64,
    walk: WalkCursor,
}

impl<'a, M: Meter> Run<'a, M> {
    /// An empty cache for so many items of some 22 bytes of value.
    pub(crate) fn new(items: u64, page_bytes: Option<usize>, meter: &'a mut M) -> Self {
        let limit = items * 66 + (4 << 20);
        let budget = Budget::new(limit);
        let config = EngineConfig {
            hasher: HASHER,
            page_bytes: page_bytes.unwrap_or(EngineConfig::page_bytes_for(limit, 1)),
            item_size_max: 1 << 30,
            ..EngineConfig::default()
        };
        Self {
            meter,
            engine: Engine::new(config, Arc::clone(&budget)).unwrap(),
            budget,
            limit,
            items,
            next: 0,
            now: 10,
            rng: 99,
            walk: WalkCursor::default(),
        }
    }

    /// Makes the whole run.
    pub(crate) fn all(&mut self) {
        self.fill();
        self.churn();
        self.sweep("sweep, a part dead");
        self.shift();
        self.large_values();
        self.smaller_again();
        self.reap();
        self.resize();
        self.give_pages();
        self.flush();
    }

    fn call<T>(&mut self, name: &'static str, call: impl FnOnce(&mut Engine) -> T) -> T {
        self.meter.call(name, &mut self.engine, call)
    }

    fn random(&mut self, end: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        ((u128::from(self.rng) * u128::from(end)) >> 64) as u64
    }

    /// The key of an item that is probably there.
    fn some_key(&mut self) -> [u8; 8] {
        let number = self.next - 1 - self.random(self.next.min(self.items));
        number.to_be_bytes()
    }

    fn deadline(&self, ttl: u32) -> Deadline {
        Deadline(if ttl == 0 { 0 } else { self.now + ttl })
    }

    fn store(
        &mut self,
        name: &'static str,
        mode: StoreMode,
        key: [u8; 8],
        value: &[u8],
        ttl: u32,
    ) -> StoreOutcome {
        let store = Store {
            mode,
            key: &key,
            hash: HASHER.hash(&key),
            client_flags: 0,
            deadline: self.deadline(ttl),
            value,
            extras: StoreExtras::default(),
        };
        let now = Seconds(self.now);
        let outcome = self.call(name, |engine| engine.store(&store, now));
        assert_ne!(outcome, StoreOutcome::OutOfMemory, "{name}");
        outcome
    }

    /// Stores a value under a new key.
    fn insert(&mut self, name: &'static str, lengths: Range<u64>, ttl: u32) {
        // Digits: short values are numbers.
        let value = [b'7'; 2048];
        let length = lengths.start + self.random(lengths.end - lengths.start);
        let key = self.next.to_be_bytes();
        self.next += 1;
        self.store(name, StoreMode::Set, key, &value[..length as usize], ttl);
    }

    fn get(&mut self, name: &'static str, fetch: Fetch) {
        let key = self.some_key();
        let (hash, now) = (HASHER.hash(&key), Seconds(self.now));
        self.call(name, |engine| engine.get(&key, hash, now, fetch).is_some());
    }

    fn maintain(&mut self, name: &'static str) {
        let now = Seconds(self.now);
        self.call(name, |engine| engine.maintain(now));
    }

    /// Makes the calls of clients other than get and set.
    fn other_verbs(&mut self) {
        let now = Seconds(self.now);
        self.get("get and touch", Fetch::Touch(self.deadline(TTL)));
        let (key, deadline) = (self.some_key(), self.deadline(TTL));
        let hash = HASHER.hash(&key);
        self.call("touch", |engine| engine.touch(&key, hash, deadline, now));
        let key = self.some_key();
        let hash = HASHER.hash(&key);
        let arith = Arith {
            op: ArithOp::Incr,
            delta: 1 << 60,
            extras: ArithExtras::default(),
        };
        self.call("incr", |engine| engine.arith(&key, hash, &arith, now));
        let key = self.some_key();
        self.store("append", StoreMode::Append, key, b"more", 0);
        let key = self.some_key();
        self.store("prepend", StoreMode::Prepend, key, b"more", 0);
        let key = self.some_key();
        let hash = HASHER.hash(&key);
        let delete = Delete {
            stale: self.random(2) == 0,
            ..Delete::default()
        };
        self.call("delete", |engine| engine.delete(&key, hash, &delete, now));
        self.call("observe", |engine| engine.observe(&key, hash, now).presence);
    }

    /// Makes the calls of operators.
    fn administration(&mut self) {
        let now = Seconds(self.now);
        self.call("statistics", |engine| {
            (engine.stats(), engine.memory_report(), engine.class_stats())
        });
        let destination = 1 + self.random(8) as u8;
        self.call("slabs reassign", |engine| {
            engine.reassign(None, destination, now)
        });
    }

    fn walk_on(&mut self) {
        let (mut cursor, now) = (self.walk, Seconds(self.now));
        let more = self.call("dump, 64 items", |engine| {
            engine.walk(&mut cursor, now, WALK_STEP, |_| {})
        });
        self.walk = if more { cursor } else { WalkCursor::default() };
    }

    fn fill(&mut self) {
        for number in 0..self.items {
            self.insert("set, memory left", 4..41, 0);
            if number % 4 == 0 {
                self.get("get", Fetch::Count);
            }
        }
    }

    fn churn(&mut self) {
        for number in 0..self.items / 5 {
            self.insert(
                "set, evicting",
                4..41,
                if number % 2 == 0 { 0 } else { TTL },
            );
            self.get("get", Fetch::Count);
            if number % 16 == 0 {
                self.other_verbs();
            }
            if number % 500 == 0 {
                self.maintain("maintain");
                self.walk_on();
            }
            if number % 5_000 == 0 {
                self.administration();
            }
        }
    }

    fn sweep(&mut self, name: &'static str) {
        self.now += 30;
        let now = Seconds(self.now);
        while !self.call(name, |engine| engine.sweep(now, STEP)).wrapped {
            self.get("get, many dead", Fetch::Count);
        }
    }

    /// Has half of the items die at once, and reaps them.
    fn reap(&mut self) {
        for number in 0..self.items / 10 {
            self.insert(
                "set, evicting",
                4..41,
                if number % 4 == 0 { 0 } else { TTL },
            );
        }
        self.now += 30;
        let now = Seconds(self.now);
        while !self
            .call("reap", |engine| engine.reap(now, STEP, ONE_IN))
            .wrapped
        {
            self.insert("set, many dead", 4..41, 0);
        }
    }

    fn shift(&mut self) {
        for number in 0..self.items / 25 {
            self.insert("set, larger than before", 300..1500, 0);
            if number % 64 == 0 {
                self.maintain("maintain, sizes shift");
            }
        }
    }

    fn smaller_again(&mut self) {
        for number in 0..self.items / 25 {
            self.insert("set, smaller than before", 4..41, 0);
            if number % 64 == 0 {
                self.maintain("maintain, sizes shift");
            }
        }
    }

    /// A value that arrives in pieces.
    fn upload(&mut self, large: &Large) {
        self.upload_as(StoreMode::Set, large);
    }

    fn upload_as(&mut self, mode: StoreMode, large: &Large) {
        let key = large.key.to_be_bytes();
        let now = Seconds(self.now);
        let reserve = Reserve {
            key: &key,
            hash: HASHER.hash(&key),
            client_flags: 0,
            deadline: self.deadline(large.ttl),
            value_bytes: large.bytes.min(self.limit as usize / 8),
            extras: StoreExtras::default(),
        };
        let staged = self.call(large.names[0], |engine| engine.reserve(&reserve, now));
        let mut staged = staged.unwrap();
        let mut spaces: Vec<Space> = Vec::new();
        while staged.missing_bytes() > 0 {
            let come = staged.value_bytes() - staged.missing_bytes();
            let wanted = come.clamp(WINDOW.start, WINDOW.end);
            let room = self.call(large.names[1], |engine| {
                engine.staged_space(&mut staged, wanted, &mut spaces)
            });
            assert_ne!(room, Room::OutOfMemory);
            for space in spaces.drain(..) {
                // SAFETY: the space is the caller's alone until the value is committed.
                unsafe { space.ptr.write_bytes(9, space.len) };
            }
        }
        let outcome = self.call(large.names[2], |engine| {
            engine.commit(staged, mode, &StoreExtras::default(), now)
        });
        // The item that the addition was to join may have been evicted for it.
        let is_done = match outcome {
            StoreOutcome::Stored { .. } => true,
            StoreOutcome::NotStored => mode != StoreMode::Set,
            _ => false,
        };
        assert!(is_done, "{outcome:?}");
    }

    /// Pins a value, does something, and unpins it.
    fn send(&mut self, names: [&'static str; 2], key: u64, meanwhile: impl FnOnce(&mut Self)) {
        let key = key.to_be_bytes();
        let (hash, now) = (HASHER.hash(&key), Seconds(self.now));
        let handle = self
            .engine
            .get(&key, hash, now, Fetch::Count)
            .unwrap()
            .handle();
        let (pin, _) = self.call(names[0], |engine| engine.pin(handle));
        meanwhile(self);
        self.call(names[1], |engine| engine.unpin(pin));
    }

    fn delete(&mut self, name: &'static str, key: u64) {
        let key = key.to_be_bytes();
        let (hash, now) = (HASHER.hash(&key), Seconds(self.now));
        self.call(name, |engine| {
            engine.delete(&key, hash, &Delete::default(), now)
        });
    }

    fn large_values(&mut self) {
        let volume = self.limit / 2;
        for _ in 0..(volume >> 20).max(3) {
            let large = Large {
                key: self.next,
                bytes: 900_000 + self.random(148_000) as usize,
                ttl: 0,
                names: ["1 MB: reserve", "1 MB: room for more", "1 MB: commit"],
            };
            self.next += 1;
            self.upload(&large);
            self.send(["1 MB: pin", "1 MB: unpin"], large.key, |_| {});
            let key = large.key.to_be_bytes();
            self.store("1 MB: append", StoreMode::Append, key, &[8; 1000], 0);
            self.store("1 MB: prepend", StoreMode::Prepend, key, &[8; 1000], 0);
            self.send(["1 MB: pin", "1 MB: unpin"], large.key, |run| {
                run.store(
                    "1 MB: append while sent",
                    StoreMode::Append,
                    key,
                    &[8; 1000],
                    0,
                );
            });
            for (mode, name) in [
                (StoreMode::Append, "1 MB: append of 1 MB"),
                (StoreMode::Prepend, "1 MB: prepend of 1 MB"),
            ] {
                let names = [large.names[0], large.names[1], name];
                self.upload_as(mode, &Large { names, ..large });
            }
            self.maintain("maintain, large values");
        }
        for _ in 0..2 {
            self.huge_values();
        }
    }

    /// 100 MB that are sent, replaced while they are sent, deleted, and found dead.
    fn huge_values(&mut self) {
        const NAMES: [&str; 3] = ["100 MB: reserve", "100 MB: room for more", "100 MB: commit"];
        let key = self.next;
        self.next += 1;
        let large = |ttl| Large {
            key,
            bytes: 100 << 20,
            ttl,
            names: NAMES,
        };
        self.upload(&large(0));
        self.send(["100 MB: pin", "100 MB: unpin, replaced"], key, |run| {
            run.upload(&large(0));
        });
        self.send(["100 MB: pin", "100 MB: unpin"], key, |_| {});
        let bytes = key.to_be_bytes();
        self.store("100 MB: append", StoreMode::Append, bytes, &[8; 1000], 0);
        self.store("100 MB: prepend", StoreMode::Prepend, bytes, &[8; 1000], 0);
        self.insert("set, large values freed", 4..41, 0);
        self.delete("100 MB: delete", key);
        self.upload(&large(TTL));
        self.now += TTL + 1;
        let (hash, now) = (HASHER.hash(&bytes), Seconds(self.now));
        let is_dead = self.call("100 MB: get, expired", |engine| {
            engine.get(&bytes, hash, now, Fetch::Count).is_none()
        });
        assert!(is_dead);
        for _ in 0..100 {
            self.insert("set, large values freed", 4..41, 0);
            self.maintain("maintain, large values freed");
        }
    }

    fn resize(&mut self) {
        self.budget.set_limit_bytes(self.limit / 2);
        while self.call("trim", |engine| engine.trim(STEP)) {
            self.insert("set, being trimmed", 4..41, 0);
        }
        assert!(self.budget.used_bytes() <= self.limit / 2);
        self.budget.set_limit_bytes(self.limit);
        for _ in 0..self.items / 50 {
            self.insert("set, limit raised", 4..41, 0);
        }
    }

    fn give_pages(&mut self) {
        self.budget.set_limit_bytes(self.budget.used_bytes());
        let (mut released, now) = (0, Seconds(self.now));
        while released < 200.min(self.engine.stats().pages / 8) {
            self.call("idle_seconds", |engine| engine.idle_seconds(now));
            let release = self.call("page to another shard", |engine| {
                engine.release_idle_page(0, STEP, now)
            });
            assert_ne!(release, Release::Nothing);
            released += u64::from(release == Release::Released);
        }
        self.budget.set_limit_bytes(self.limit);
    }

    fn flush(&mut self) {
        let now = Seconds(self.now);
        let at = Some(Seconds(self.now + 20));
        self.call("flush_all", |engine| engine.flush_all(at, now));
        self.sweep("sweep, all flushed");
        assert_eq!(self.engine.stats().curr_items, 0);
    }
}
