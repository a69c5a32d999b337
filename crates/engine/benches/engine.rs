//! Time per operation, bytes per item and longest call of one engine.
//!
//! `cargo bench -p corecached-engine`, or with names of sections: `cargo bench -p corecached-engine -- speed bytes
//! pause`. Under `cargo test` everything runs with small numbers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, KeyHash, KeyHasher, Seconds, Store, StoreExtras,
    StoreMode, StoreOutcome,
};

const HASHER: KeyHasher = KeyHasher::new(7);
const NOW: Seconds = Seconds(10);
/// Operations whose memory is prefetched together.
const BATCH: usize = 16;

struct Key([u8; 24]);

impl Key {
    /// `key-` and 20 digits.
    fn new(mut number: u64) -> Self {
        let mut bytes = *b"key-00000000000000000000";
        for digit in bytes[4..].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self(bytes)
    }

    fn hash(&self) -> KeyHash {
        HASHER.hash(&self.0)
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(end)) >> 64) as u64
    }
}

fn engine(limit_bytes: u64) -> Engine {
    let page_bytes = EngineConfig::page_bytes_for(limit_bytes, 1);
    let config = EngineConfig {
        hasher: HASHER,
        page_bytes,
        ..EngineConfig::default()
    };
    Engine::new(config, Budget::new(limit_bytes)).expect("address space")
}

fn set(engine: &mut Engine, key: &Key, value: &[u8], now: Seconds) -> bool {
    let deadline = Deadline::NEVER;
    let store = Store {
        mode: StoreMode::Set,
        key: &key.0,
        hash: key.hash(),
        client_flags: 0,
        deadline,
        extras: StoreExtras::default(),
        value,
    };
    matches!(engine.store(&store, now), StoreOutcome::Stored { .. })
}

fn per_operation(name: &str, operations: u64, mut run: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    println!(
        "{name:<44} {:>8.1} ns",
        best.as_nanos() as f64 / operations as f64
    );
}

fn speed(items: u64) {
    println!("{items} items, 24-byte keys, 100-byte values");
    let mut engine = engine(items * 200 + (8 << 20));
    let value = [7; 100];
    let start = Instant::now();
    for number in 0..items {
        assert!(set(&mut engine, &Key::new(number), &value, NOW));
    }
    let fill = start.elapsed().as_nanos() as f64 / items as f64;
    println!("{:<44} {fill:>8.1} ns", "insert");
    let mut rng = Rng(88_172_645_463_325_252);
    let operations = if items < 1000 { 1000 } else { 1_000_000 };
    per_operation("key and hash alone", operations, || {
        for _ in 0..operations {
            black_box(Key::new(rng.below(items)).hash());
        }
    });
    per_operation("get, hit, uniform", operations, || {
        for _ in 0..operations {
            let key = Key::new(rng.below(items));
            let hit = engine
                .get(&key.0, key.hash(), NOW, Fetch::Count)
                .expect("a hit");
            black_box(hit.single_chunk().map(|value| value[99]));
        }
    });
    per_operation(
        "get, hit, uniform, prefetched 16 at a time",
        operations,
        || {
            for _ in 0..operations as usize / BATCH {
                let keys: [Key; BATCH] = std::array::from_fn(|_| Key::new(rng.below(items)));
                let hashes = keys.each_ref().map(Key::hash);
                hashes.iter().for_each(|&hash| engine.prefetch(hash));
                hashes.iter().for_each(|&hash| engine.prefetch_item(hash));
                for (key, hash) in keys.iter().zip(hashes) {
                    let hit = engine.get(&key.0, hash, NOW, Fetch::Count).expect("a hit");
                    black_box(hit.single_chunk().map(|value| value[99]));
                }
            }
        },
    );
    per_operation("get, miss, uniform", operations, || {
        for _ in 0..operations {
            let key = Key::new(items + rng.below(items));
            black_box(engine.get(&key.0, key.hash(), NOW, Fetch::Count).is_none());
        }
    });
    per_operation("set, present, same length", operations, || {
        for _ in 0..operations {
            black_box(set(&mut engine, &Key::new(rng.below(items)), &value, NOW));
        }
    });
    per_operation("set, present, lengths 90 to 140", operations, || {
        for _ in 0..operations {
            let value = [8; 140];
            black_box(set(
                &mut engine,
                &Key::new(rng.below(items)),
                &value[..90 + rng.below(50) as usize],
                NOW,
            ));
        }
    });
}

fn churn(limit_bytes: u64) {
    let mut engine = engine(limit_bytes);
    let mut number = 0;
    while engine.stats().evictions == 0 {
        for _ in 0..1000 {
            set(&mut engine, &Key::new(number), &[7; 100], NOW);
            number += 1;
        }
    }
    let operations = limit_bytes >> 8;
    per_operation("set, absent, evicting", operations, || {
        for _ in 0..operations {
            set(&mut engine, &Key::new(number), &[7; 100], NOW);
            number += 1;
        }
    });
}

fn bytes(limit_bytes: u64) {
    println!("value   items before the first eviction   bytes of -m per item   over key and value");
    for length in [10, 100, 300, 1000] {
        let mut engine = engine(limit_bytes);
        let value = vec![1; length];
        let mut number = 0;
        while engine.stats().evictions == 0 {
            set(&mut engine, &Key::new(number), &value, NOW);
            number += 1;
        }
        let per_item = limit_bytes as f64 / (number - 1) as f64;
        let index = engine.stats().hash_bytes as f64 / (number - 1) as f64;
        println!(
            "{length:>5}   {:>31}   {per_item:>20.1}   {:>18.1}   (index {index:.2})",
            number - 1,
            per_item - 24.0 - length as f64
        );
    }
}

/// Bytes of the index per item while it grows.
fn index(items: u64) {
    let mut engine = engine(items * 60 + (8 << 20));
    let (mut worst, mut sum, mut samples) = (0.0f64, 0.0, 0);
    for number in 1..=items {
        set(&mut engine, &Key::new(number), b"", NOW);
        if number > items / 64 && number.is_multiple_of(items / 512) {
            let bytes = engine.stats().hash_bytes as f64 / number as f64;
            worst = worst.max(bytes);
            sum += bytes;
            samples += 1;
        }
    }
    println!(
        "index from {} to {items} items: mean {:.2}, worst {worst:.2} bytes per item",
        items / 64,
        sum / f64::from(samples)
    );
}

/// Times of the same calls in several runs: a call that is slow in each of them is slow because of the engine, not of
/// the machine.
struct Times {
    shortest: Vec<u32>,
    at: usize,
}

impl Times {
    fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = call();
        let taken = start.elapsed().as_nanos() as u32;
        match self.shortest.get_mut(self.at) {
            Some(shortest) => *shortest = taken.min(*shortest),
            None => self.shortest.push(taken),
        }
        self.at += 1;
        result
    }

    fn report(&mut self, name: &str) {
        self.shortest.sort_unstable();
        let at = |part: f64| {
            f64::from(self.shortest[((self.shortest.len() - 1) as f64 * part) as usize]) / 1e3
        };
        println!(
            "{name:<28} {:>9} calls   p50 {:>7.2}   p99 {:>7.2}   p99.99 {:>7.2}   longest {:>8.2} us",
            self.shortest.len(),
            at(0.5),
            at(0.99),
            at(0.9999),
            at(1.0)
        );
    }
}

const RUNS: usize = 3;

fn pause(items: u64) {
    let mut times: [Times; 4] = std::array::from_fn(|_| Times {
        shortest: Vec::new(),
        at: 0,
    });
    for _ in 0..RUNS {
        times.iter_mut().for_each(|times| times.at = 0);
        let [inserts, churn, jumps, sweeps] = &mut times;
        let mut engine = engine(items * 64);
        let mut rng = Rng(99);
        for number in 0..2 * items {
            let length = 4 + rng.below(40) as usize;
            let key = Key::new(number);
            let times = if number < items / 2 {
                &mut *inserts
            } else {
                &mut *churn
            };
            times.time(|| set(&mut engine, &key, &[1; 44][..length], NOW));
        }
        for number in 0..items / 8 {
            let key = Key::new(2 * items + number);
            jumps.time(|| {
                set(
                    &mut engine,
                    &key,
                    &[1; 500][..400 + number as usize % 100],
                    NOW,
                )
            });
            if number % 64 == 0 {
                jumps.time(|| engine.maintain(NOW));
            }
        }
        engine.flush_all(None, NOW);
        while engine.stats().curr_items > 0 {
            sweeps.time(|| engine.sweep(NOW, 256));
        }
    }
    for (times, name) in times.iter_mut().zip([
        "insert",
        "churn",
        "larger values, maintain",
        "sweep of 256, all dead",
    ]) {
        times.report(name);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tiny = !arguments.iter().any(|argument| argument == "--bench");
    let sections: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |name: &str| sections.is_empty() || sections.iter().any(|section| *section == name);
    if wants("speed") {
        // The first cache fits into the processor's second-level cache, so its times show instructions. The second does
        // not, so its times show memory.
        speed(if tiny { 100 } else { 5_000 });
        speed(if tiny { 1000 } else { 1_000_000 });
    }
    if wants("churn") {
        churn(if tiny { 2 << 20 } else { 256 << 20 });
    }
    if wants("bytes") {
        bytes(if tiny { 2 << 20 } else { 256 << 20 });
    }
    if wants("index") {
        index(if tiny { 10_000 } else { 4_000_000 });
    }
    if wants("pause") {
        pause(if tiny { 10_000 } else { 4_000_000 });
    }
}
