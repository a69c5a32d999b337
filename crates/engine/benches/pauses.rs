//! The longest time that any call of an engine takes, from the first item to the last.
//!
//! `cargo bench -p corecached-engine --bench pauses [-- ITEMS [RUNS]]`; 50,000,000 items want 3.5 GB. Under `cargo test`
//! it runs with few items.
//!
//! Three figures for each kind of call, since the machine adds pauses of its own:
//!
//! - wall: `CLOCK_MONOTONIC`, preemption and interrupts included, as a histogram;
//! - CPU: the thread's own clock, which leaves preemption out, but not what a hypervisor takes away;
//! - work: the engine's count of chunks and slots gone through, which is the same in every run.
//!
//! With several runs, a call that was slow in each of them is the engine's doing: `in every run` is the longest of the
//! shortest times (CPU) of the same call.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what is wrong")]

use std::collections::HashMap;
use std::sync::Arc;

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, KeyHasher, Release, Reserve, Seconds, Store,
    StoreExtras, StoreMode, StoreOutcome,
};
use hdrhistogram::Histogram;

const HASHER: KeyHasher = KeyHasher::new(7);
/// Calls longer than this are remembered one by one.
const SLOW_NS: u64 = 40_000;
/// Chunks for each step of the maintenance.
const STEP: usize = 128;
/// Bytes of a large value that arrive at once.
const PIECE: usize = 8 << 10;

fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock writes to a timespec of ours.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// All calls of one kind in one phase.
struct Kind {
    name: &'static str,
    wall: Histogram<u64>,
    cpu: Histogram<u64>,
    calls: u64,
    work_max: u64,
    /// Calls that were slow in every run so far, with their shortest CPU time.
    slow: HashMap<u64, u64>,
    slow_before: Option<HashMap<u64, u64>>,
}

/// The kinds of one run, joined over the runs.
#[derive(Default)]
struct Calls {
    kinds: Vec<Kind>,
}

impl Calls {
    fn kind(&mut self, name: &'static str) -> &mut Kind {
        let at = self.kinds.iter().position(|kind| kind.name == name);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind {
                name,
                wall: Histogram::new(3).unwrap(),
                cpu: Histogram::new(3).unwrap(),
                calls: 0,
                work_max: 0,
                slow: HashMap::new(),
                slow_before: None,
            });
            self.kinds.len() - 1
        });
        &mut self.kinds[at]
    }

    fn time<T>(
        &mut self,
        name: &'static str,
        engine: &mut Engine,
        call: impl FnOnce(&mut Engine) -> T,
    ) -> T {
        let work = engine.stats().work;
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID);
        let wall = clock(libc::CLOCK_MONOTONIC);
        let result = call(engine);
        let wall = clock(libc::CLOCK_MONOTONIC) - wall;
        let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID) - cpu;
        let kind = self.kind(name);
        kind.work_max = kind.work_max.max(engine.stats().work - work);
        kind.wall.record(wall).unwrap();
        kind.cpu.record(cpu).unwrap();
        if cpu > SLOW_NS {
            let before = match &kind.slow_before {
                Some(before) => before.get(&kind.calls).copied(),
                None => Some(cpu),
            };
            if let Some(before) = before {
                kind.slow.insert(kind.calls, before.min(cpu));
            }
        }
        kind.calls += 1;
        result
    }

    fn end_run(&mut self) {
        for kind in &mut self.kinds {
            kind.slow_before = Some(std::mem::take(&mut kind.slow));
            kind.calls = 0;
        }
    }

    fn report(&self) {
        println!(
            "{:<26} {:>10} | {:>7} {:>7} {:>8} {:>9} | {:>8} {:>9} | {:>10} {:>9}",
            "microseconds",
            "calls",
            "p50",
            "p99",
            "p99.99",
            "wall max",
            "p99.99",
            "CPU max",
            "every run",
            "work max"
        );
        for kind in &self.kinds {
            let us = |ns: u64| ns as f64 / 1e3;
            let every = kind.slow_before.iter().flat_map(HashMap::values).max();
            println!(
                "{:<26} {:>10} | {:>7.2} {:>7.2} {:>8.2} {:>9.2} | {:>8.2} {:>9.2} | {:>10} {:>9}",
                kind.name,
                kind.wall.len(),
                us(kind.wall.value_at_quantile(0.5)),
                us(kind.wall.value_at_quantile(0.99)),
                us(kind.wall.value_at_quantile(0.9999)),
                us(kind.wall.max()),
                us(kind.cpu.value_at_quantile(0.9999)),
                us(kind.cpu.max()),
                every.map_or("< 40".into(), |&ns| format!("{:.2}", us(ns))),
                kind.work_max,
            );
        }
    }
}

struct Run<'a> {
    calls: &'a mut Calls,
    engine: Engine,
    budget: Arc<Budget>,
    limit: u64,
    items: u64,
    next: u64,
    now: u32,
    rng: u64,
}

impl Run<'_> {
    fn random(&mut self, end: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        ((u128::from(self.rng) * u128::from(end)) >> 64) as u64
    }

    fn store(&mut self, name: &'static str, number: u64, value: &[u8], ttl: u32) {
        let key = number.to_be_bytes();
        let store = Store {
            mode: StoreMode::Set,
            key: &key,
            hash: HASHER.hash(&key),
            client_flags: 0,
            deadline: Deadline(if ttl == 0 { 0 } else { self.now + ttl }),
            value,
            extras: StoreExtras::default(),
        };
        let now = Seconds(self.now);
        let outcome = self
            .calls
            .time(name, &mut self.engine, |engine| engine.store(&store, now));
        assert!(
            matches!(outcome, StoreOutcome::Stored { .. }),
            "{outcome:?}"
        );
    }

    fn insert(&mut self, name: &'static str, lengths: std::ops::Range<u64>, ttl: u32) {
        let value = [7; 2048];
        let length = lengths.start + self.random(lengths.end - lengths.start);
        let number = self.next;
        self.next += 1;
        self.store(name, number, &value[..length as usize], ttl);
    }

    fn get(&mut self, name: &'static str) {
        let number = self.next - 1 - self.random(self.next.min(self.items));
        let key = number.to_be_bytes();
        let (hash, now) = (HASHER.hash(&key), Seconds(self.now));
        self.calls.time(name, &mut self.engine, |engine| {
            engine.get(&key, hash, now, Fetch::Count).is_some()
        });
    }

    fn maintain(&mut self, name: &'static str) {
        let now = Seconds(self.now);
        self.calls
            .time(name, &mut self.engine, |engine| engine.maintain(now));
    }

    /// A value that arrives in pieces; `wanted` bytes.
    fn upload(&mut self, wanted: usize, names: [&'static str; 3]) {
        let key = self.next.to_be_bytes();
        self.next += 1;
        let now = Seconds(self.now);
        let reserve = Reserve {
            key: &key,
            hash: HASHER.hash(&key),
            client_flags: 0,
            deadline: Deadline::NEVER,
            value_bytes: wanted,
            extras: StoreExtras::default(),
        };
        let staged = self.calls.time(names[0], &mut self.engine, |engine| {
            engine.reserve(&reserve, now)
        });
        let mut staged = staged.unwrap();
        let piece = [9; PIECE];
        while staged.missing_bytes() > 0 {
            let len = staged.missing_bytes().min(PIECE);
            self.calls.time(names[1], &mut self.engine, |engine| {
                assert!(engine.staged_write(&mut staged, &piece[..len]));
            });
        }
        let outcome = self.calls.time(names[2], &mut self.engine, |engine| {
            engine.commit(staged, StoreMode::Set, &StoreExtras::default(), now)
        });
        assert!(
            matches!(outcome, StoreOutcome::Stored { .. }),
            "{outcome:?}"
        );
    }

    fn send(&mut self, name: &'static str) {
        let key = (self.next - 1).to_be_bytes();
        let (hash, now) = (HASHER.hash(&key), Seconds(self.now));
        let handle = self
            .engine
            .get(&key, hash, now, Fetch::Count)
            .unwrap()
            .handle();
        self.calls.time(name, &mut self.engine, |engine| {
            engine.pin(handle);
        });
        self.calls
            .time(name, &mut self.engine, |engine| engine.unpin(handle));
    }

    fn fill(&mut self) {
        for _ in 0..self.items {
            self.insert("insert", 4..41, 0);
            if self.next.is_multiple_of(4) {
                self.get("get");
            }
        }
    }

    fn churn(&mut self) {
        for number in 0..self.items / 5 {
            self.insert("set, evicting", 4..41, if number % 2 == 0 { 0 } else { 20 });
            self.get("get");
            if number % 1000 == 0 {
                self.maintain("maintain");
            }
        }
    }

    fn expire(&mut self, name: &'static str) {
        self.now += 30;
        let now = Seconds(self.now);
        loop {
            let progress = self
                .calls
                .time(name, &mut self.engine, |engine| engine.sweep(now, STEP));
            if progress.wrapped {
                break;
            }
            self.get("get, expiring");
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

    fn large_values(&mut self) {
        let volume = self.limit / 2;
        for _ in 0..(volume >> 20).max(3) {
            let wanted = 900_000 + self.random(148_000) as usize;
            self.upload(
                wanted.min(self.limit as usize / 8),
                ["1 MB: reserve", "1 MB: write 8 KiB", "1 MB: commit"],
            );
            self.send("1 MB: pin, unpin");
            self.maintain("maintain, large values");
        }
        for _ in 0..8 {
            self.upload(
                (100 << 20).min(self.limit as usize / 8),
                ["100 MB: reserve", "100 MB: write 8 KiB", "100 MB: commit"],
            );
            self.send("100 MB: pin, unpin");
        }
        for _ in 0..self.items / 25 {
            self.insert("set, smaller than before", 4..41, 0);
        }
    }

    fn resize(&mut self) {
        self.budget.set_limit_bytes(self.limit / 2);
        loop {
            let more = self
                .calls
                .time("trim", &mut self.engine, |engine| engine.trim(STEP));
            if !more {
                break;
            }
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
        let mut released = 0;
        while released < 200.min(self.engine.stats().pages / 8) {
            let release = self
                .calls
                .time("page to another shard", &mut self.engine, |engine| {
                    engine.release_page(STEP)
                });
            assert_ne!(release, Release::Nothing);
            released += u64::from(release == Release::Released);
        }
        self.budget.set_limit_bytes(self.limit);
    }

    fn flush(&mut self) {
        let now = Seconds(self.now);
        self.calls.time("flush_all", &mut self.engine, |engine| {
            engine.flush_all(None, now);
        });
        self.expire("sweep, all flushed");
        assert_eq!(self.engine.stats().curr_items, 0);
    }
}

fn run(items: u64, calls: &mut Calls) {
    let limit = items * 66 + (4 << 20);
    let budget = Budget::new(limit);
    let config = EngineConfig {
        hasher: HASHER,
        page_bytes: EngineConfig::page_bytes_for(limit, 1),
        item_size_max: 1 << 30,
        ..EngineConfig::default()
    };
    let engine = Engine::new(config, Arc::clone(&budget)).unwrap();
    let mut run = Run {
        calls,
        engine,
        budget,
        limit,
        items,
        next: 0,
        now: 10,
        rng: 99,
    };
    run.fill();
    run.churn();
    run.expire("sweep, a part dead");
    run.shift();
    run.large_values();
    run.resize();
    run.give_pages();
    run.flush();
    let stats = run.engine.stats();
    println!(
        "{items} items, {} evictions, {} expired, {} pages moved, {} items moved, {} waits for a page",
        stats.evictions,
        stats.crawler_reclaimed,
        stats.slabs_moved,
        stats.slab_reassign_rescues,
        stats.page_waits
    );
    run.calls.end_run();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tiny = !arguments.iter().any(|argument| argument == "--bench");
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok());
    let items = numbers
        .next()
        .unwrap_or(if tiny { 50_000 } else { 50_000_000 });
    let runs = numbers.next().unwrap_or(if tiny { 1 } else { 2 });
    let mut calls = Calls::default();
    for _ in 0..runs {
        run(items, &mut calls);
    }
    calls.report();
}
