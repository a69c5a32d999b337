//! Readers on other threads: their answers, the reads that they leave to the engine, and that no torn or old value gets
//! out while the engine moves, replaces and frees items in every way.
//!
//! `CORECACHED_STRESS_SECONDS` says how long they try (default: 5), `CORECACHED_SEED` sets the seed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corecached_engine::{
    Arith, ArithExtras, ArithOp, Deadline, Delete, Engine, EngineConfig, Fetch, KeyHash, Read,
    ReadFacts, ReadNotes, Seconds, SharedReader, Store, StoreExtras, StoreMode, Wanted,
};

use crate::support::{Rng, config, engine_with, hash};

const VALUE_MAX: usize = 4096;

fn store(engine: &mut Engine, key: &[u8], value: &[u8], deadline: Deadline, now: u32) {
    store_as(engine, StoreMode::Set, key, value, 7, deadline, now);
}

fn store_as(
    engine: &mut Engine,
    mode: StoreMode,
    key: &[u8],
    value: &[u8],
    client_flags: u32,
    deadline: Deadline,
    now: u32,
) {
    let store = Store {
        mode,
        key,
        hash: hash(key),
        client_flags,
        deadline,
        value,
        extras: StoreExtras::default(),
    };
    engine.store(&store, Seconds(now));
}

/// The answer of a reader for a key, and the value.
fn read(reader: &SharedReader, key: &[u8], now: u32) -> (Read, Vec<u8>) {
    let mut out = b"before".to_vec();
    let begin = |_: &ReadFacts, out: &mut Vec<u8>| {
        out.extend_from_slice(b"head");
        Wanted::Value
    };
    let read = reader.read(key, hash(key), Seconds(now), VALUE_MAX, &mut out, begin);
    let begun: &[u8] = match read {
        Read::Hit(_) => b"beforehead",
        Read::Miss | Read::Ask => b"before",
    };
    let value = out
        .strip_prefix(begun)
        .expect("what was there stays")
        .to_vec();
    (read, value)
}

fn facts(reader: &SharedReader, key: &[u8], now: u32) -> (ReadFacts, Vec<u8>) {
    match read(reader, key, now) {
        (Read::Hit(facts), value) => (facts, value),
        (other, _) => panic!("{other:?}"),
    }
}

fn fetch(engine: &mut Engine, key: &[u8], now: u32) {
    assert!(
        engine
            .get(key, hash(key), Seconds(now), Fetch::Count)
            .is_some()
    );
}

#[test]
fn a_reader_says_what_the_engine_would_or_asks() {
    let (mut engine, _) = engine_with(config(), 8 << 20);
    let reader = engine.reader().unwrap();
    let now = 10;
    let key: &[u8] = b"a key of some length";
    assert_eq!(read(&reader, key, now).0, Read::Miss);
    store(&mut engine, key, b"the value", Deadline(20), now);
    assert_eq!(
        read(&reader, key, now).0,
        Read::Ask,
        "nobody has fetched it"
    );
    fetch(&mut engine, key, now);
    let (known, value) = facts(&reader, key, 13);
    assert_eq!(value, b"the value");
    assert_eq!((known.client_flags, known.deadline), (7, Deadline(20)));
    assert_eq!((known.idle_seconds, known.value_bytes), (3, 9));
    let hit = engine
        .get(key, hash(key), Seconds(13), Fetch::Quiet)
        .unwrap();
    assert_eq!((known.cas, known.item_bytes), (hit.cas(), hit.item_bytes()));
    assert_eq!(read(&reader, key, 20).0, Read::Ask, "it is dead");
    assert_eq!(read(&reader, b"another key of some", 13).0, Read::Miss);
    assert_eq!(read(&reader, b"", 13).0, Read::Miss);

    let delete = Delete::default();
    engine.delete(key, hash(key), &delete, Seconds(14));
    assert_eq!(read(&reader, key, 14).0, Read::Miss);
}

#[test]
fn what_readers_do_not_answer() {
    let (mut engine, _) = engine_with(config(), 8 << 20);
    let reader = engine.reader().unwrap();
    for len in [VALUE_MAX, VALUE_MAX + 1, 600_000] {
        store(&mut engine, b"large", &vec![1; len], Deadline::NEVER, 2);
        fetch(&mut engine, b"large", 2);
        let found = read(&reader, b"large", 2);
        assert_eq!(found.0 == Read::Ask, len > VALUE_MAX, "{len}");
    }
    store(&mut engine, b"k", b"v", Deadline::NEVER, 2);
    fetch(&mut engine, b"k", 2);
    let refuse = |_: &ReadFacts, out: &mut Vec<u8>| {
        out.push(b'x');
        Wanted::Engine
    };
    let mut out = Vec::new();
    let asked = reader.read(b"k", hash(b"k"), Seconds(2), VALUE_MAX, &mut out, refuse);
    assert_eq!((asked, out.len()), (Read::Ask, 0));
    engine.flush_all(Some(Seconds(9)), Seconds(2));
    assert!(matches!(read(&reader, b"k", 8).0, Read::Hit(_)));
    assert_eq!(
        read(&reader, b"k", 9).0,
        Read::Ask,
        "the engine has not noticed yet"
    );
    engine.flush_all(None, Seconds(3));
    assert_eq!(read(&reader, b"k", 3).0, Read::Ask, "flushed");
    store(&mut engine, b"k", b"w", Deadline::NEVER, 3);
    fetch(&mut engine, b"k", 3);
    assert_eq!(facts(&reader, b"k", 3).1, b"w");
}

#[test]
fn notes_mark_what_was_read_and_wake_no_dead() {
    let (mut engine, _) = engine_with(config(), 8 << 20);
    let reader = engine.reader().unwrap();
    store(&mut engine, b"k", b"v", Deadline::NEVER, 2);
    fetch(&mut engine, b"k", 2);
    let mut notes = ReadNotes::default();
    let (known, _) = facts(&reader, b"k", 50);
    notes.add(known.class, known.note);
    assert_eq!(notes.used(), 1);
    engine.count_read_hit(known.class);
    engine.note_reads(&notes, Seconds(50));
    let (known, _) = facts(&reader, b"k", 50);
    assert_eq!(known.idle_seconds, 0);
    engine.note_reads(&notes, Seconds(50));
    assert_eq!(
        facts(&reader, b"k", 50).0.note,
        None,
        "nothing would change"
    );
    let hits: u64 = engine
        .class_stats()
        .iter()
        .map(|class| class.get_hits)
        .sum();
    assert_eq!(
        (hits, engine.stats().get_hits),
        (2, 2),
        "those of others are not counted here"
    );
    engine.flush_all(None, Seconds(51));
    engine.note_reads(&notes, Seconds(51));
    assert_eq!(read(&reader, b"k", 51).0, Read::Ask);
    assert!(
        engine
            .get(b"k", hash(b"k"), Seconds(51), Fetch::Count)
            .is_none()
    );
}

/// Keys of values that say what they are, and of numbers.
const KEYS: usize = 4000;
const NUMBERS: usize = 40;
const READERS: usize = 3;
const HEAD_BYTES: usize = 16;

/// The state that all threads share: the versions of each key. A writer notes the version that it begins and the
/// version that it has finished.
struct World {
    begun: Vec<AtomicU64>,
    done: Vec<AtomicU64>,
    now: AtomicU32,
    stop: AtomicBool,
}

fn key_of(number: usize) -> Vec<u8> {
    let letters = 3 + number % 40;
    format!("{number:0letters$}").into_bytes()
}

fn byte_at(number: usize, version: u64, at: usize) -> u8 {
    (number as u64 ^ version.wrapping_mul(0x9e37_79b9) ^ (at as u64).wrapping_mul(31)) as u8
}

fn value_of(number: usize, version: u64, len: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_BYTES + len);
    value.extend_from_slice(&(number as u64).to_le_bytes());
    value.extend_from_slice(&version.to_le_bytes());
    value.extend((HEAD_BYTES..HEAD_BYTES + len).map(|at| byte_at(number, version, at)));
    value
}

/// The version of a value of this key. Checks that all of its bytes are of this version.
fn version_of(number: usize, value: &[u8]) -> u64 {
    let word = |at: usize| u64::from_le_bytes(value[at..at + 8].try_into().unwrap());
    assert_eq!(word(0), number as u64, "the value of another key");
    let version = word(8);
    for (at, &byte) in value.iter().enumerate().skip(HEAD_BYTES) {
        assert_eq!(
            byte,
            byte_at(number, version, at),
            "byte {at} of version {version}"
        );
    }
    version
}

struct Writer<'w> {
    world: &'w World,
    rng: Rng,
}

impl Writer<'_> {
    fn begin(&self, number: usize) -> u64 {
        self.world.begun[number].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn done(&self, number: usize, version: u64) {
        self.world.done[number].store(version, Ordering::SeqCst);
    }

    fn step(&mut self, engine: &mut Engine, budget: &corecached_engine::Budget) {
        let now = self.world.now.load(Ordering::SeqCst);
        let number = self.rng.below(KEYS);
        let key = key_of(number);
        let at = Seconds(now);
        match self.rng.below(1000) {
            0..250 => self.set(engine, number, now),
            250..800 => drop(engine.get(&key, hash(&key), at, Fetch::Count)),
            800..850 => {
                let version = self.begin(number);
                engine.delete(&key, hash(&key), &Delete::default(), at);
                self.done(number, version);
            }
            850..900 => self.count_up(engine, now),
            900..930 => self.append(engine, number, now),
            930..950 => drop(engine.touch(&key, hash(&key), Deadline(now + 3), at)),
            950..970 => drop(engine.maintain(at)),
            970..980 => drop(engine.sweep(at, 300)),
            980..985 => drop(engine.reassign(None, 1 + self.rng.below(20) as u8, at)),
            985..990 => drop(engine.release_idle_page(0, 64, at)),
            990..993 => budget.set_limit_bytes((2 + self.rng.below(5) as u64) << 20),
            993..998 => {
                self.world.now.store(now + 1, Ordering::SeqCst);
            }
            998 => drop(engine.trim(200)),
            _ => self.flush(engine, now),
        }
    }

    fn set(&mut self, engine: &mut Engine, number: usize, now: u32) {
        let version = self.begin(number);
        let most = [20, 100, 300, 3000, 12_000][self.rng.below(5)];
        let value = value_of(number, version, self.rng.below(most));
        let deadline = match self.rng.one_in(3) {
            true => Deadline(now + 1 + self.rng.below(5) as u32),
            false => Deadline::NEVER,
        };
        let key = key_of(number);
        let flags = version as u32 ^ number as u32;
        store_as(engine, StoreMode::Set, &key, &value, flags, deadline, now);
        self.done(number, version);
    }

    /// Appends the bytes that belong at the end of the value, if the item is there.
    fn append(&mut self, engine: &mut Engine, number: usize, now: u32) {
        let key = key_of(number);
        let Some(hit) = engine.get(&key, hash(&key), Seconds(now), Fetch::Quiet) else {
            return;
        };
        let value: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        let version = version_of(number, &value);
        let more: Vec<u8> = (value.len()..value.len() + self.rng.below(60))
            .map(|at| byte_at(number, version, at))
            .collect();
        store_as(
            engine,
            StoreMode::Append,
            &key,
            &more,
            0,
            Deadline::NEVER,
            now,
        );
    }

    fn count_up(&mut self, engine: &mut Engine, now: u32) {
        let number = KEYS + self.rng.below(NUMBERS);
        let version = self.begin(number);
        let key = key_of(number);
        let arith = Arith {
            op: ArithOp::Incr,
            delta: 1,
            extras: ArithExtras {
                create: Some((version, Deadline::NEVER)),
                ..ArithExtras::default()
            },
        };
        engine.arith(&key, hash(&key), &arith, Seconds(now));
        self.done(number, version);
        engine.get(&key, hash(&key), Seconds(now), Fetch::Count);
    }

    fn flush(&mut self, engine: &mut Engine, now: u32) {
        let versions: Vec<u64> = (0..KEYS + NUMBERS)
            .map(|number| self.begin(number))
            .collect();
        engine.flush_all(None, Seconds(now));
        for (number, version) in versions.into_iter().enumerate() {
            self.done(number, version);
        }
    }
}

/// Reads until it is told to stop; returns how many items it has found.
fn read_all(world: &World, reader: &SharedReader, mut rng: Rng) -> u64 {
    let mut hits = 0;
    while !world.stop.load(Ordering::Relaxed) {
        let number = rng.below(KEYS + NUMBERS);
        let key = key_of(number);
        let now = world.now.load(Ordering::SeqCst);
        let least = world.done[number].load(Ordering::SeqCst);
        let (Read::Hit(known), value) = read(reader, &key, now) else {
            continue;
        };
        hits += 1;
        assert_eq!(known.value_bytes, value.len());
        assert!(
            known.deadline == Deadline::NEVER || known.deadline.0 > now,
            "a dead item"
        );
        let version = if number < KEYS {
            let version = version_of(number, &value);
            assert_eq!(known.client_flags, version as u32 ^ number as u32);
            version
        } else {
            let text = String::from_utf8(value).unwrap();
            text.trim_end().parse().expect("a number")
        };
        let most = world.begun[number].load(Ordering::SeqCst);
        assert!(
            version >= least,
            "key {number}: {version} after {least} was acknowledged"
        );
        assert!(
            version <= most,
            "key {number}: {version} before {most} was begun"
        );
    }
    hits
}

/// Two threads write by turns, as an owner and its borrowers do.
fn stress(config: EngineConfig, seconds: u64, seed: u64) {
    let keys = KEYS + NUMBERS;
    let world = World {
        begun: (0..keys).map(|_| AtomicU64::new(0)).collect(),
        done: (0..keys).map(|_| AtomicU64::new(0)).collect(),
        now: AtomicU32::new(2),
        stop: AtomicBool::new(false),
    };
    let (engine, budget) = engine_with(config, 4 << 20);
    let reader = engine.reader().unwrap();
    let engine = Mutex::new(engine);
    let hits: u64 = thread::scope(|scope| {
        let (world, engine, budget, reader) = (&world, &engine, &budget, &reader);
        for writer in 0..2 {
            let rng = Rng::new(seed + writer);
            scope.spawn(move || {
                let mut writer = Writer { world, rng };
                while !world.stop.load(Ordering::Relaxed) {
                    let mut engine = engine.lock().unwrap();
                    for _ in 0..50 {
                        writer.step(&mut engine, budget);
                    }
                }
            });
        }
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let rng = Rng::new(seed + 10 + number as u64);
                scope.spawn(move || {
                    // A reader that fails ends the others.
                    let ends = EndsAll(world);
                    let hits = read_all(world, reader, rng);
                    drop(ends);
                    hits
                })
            })
            .collect();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) && !world.stop.load(Ordering::Relaxed)
        {
            thread::sleep(Duration::from_millis(20));
        }
        world.stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum()
    });
    let mut engine = engine.into_inner().unwrap();
    engine.check_integrity();
    let stats = engine.stats();
    println!("{hits} hits, {} evictions", stats.evictions);
    assert!(
        hits > 1000 && stats.evictions > 0,
        "{hits} hits, {} evictions",
        stats.evictions
    );
    let now = Seconds(world.now.load(Ordering::SeqCst));
    engine.maintain(now);
}

struct EndsAll<'w>(&'w World);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_torn_old_or_foreign_value_gets_out() {
    let setting = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (seconds, seed) = (
        setting("CORECACHED_STRESS_SECONDS", 5),
        setting("CORECACHED_SEED", 1),
    );
    println!("CORECACHED_SEED={seed}");
    let small = EngineConfig {
        page_bytes: 16 << 10,
        ..config()
    };
    stress(small, seconds, seed);
}

#[test]
fn a_hash_that_many_share_is_left_to_the_engine() {
    let (mut engine, _) = engine_with(config(), 8 << 20);
    let reader = engine.reader().unwrap();
    let same = KeyHash(0x0001_2345_0000_0000);
    let keys: Vec<Vec<u8>> = (0..200_u32)
        .map(|number| number.to_be_bytes().to_vec())
        .collect();
    for key in &keys {
        let store = Store {
            mode: StoreMode::Set,
            key,
            hash: same,
            client_flags: 0,
            deadline: Deadline::NEVER,
            value: key,
            extras: StoreExtras::default(),
        };
        engine.store(&store, Seconds(2));
        engine.get(key, same, Seconds(2), Fetch::Count);
    }
    let (mut found, mut asked) = (0, 0);
    for key in &keys {
        let mut out = Vec::new();
        let begin = |_: &ReadFacts, _: &mut Vec<u8>| Wanted::Value;
        match reader.read(key, same, Seconds(2), VALUE_MAX, &mut out, begin) {
            Read::Hit(_) => {
                assert_eq!(&out, key);
                found += 1;
            }
            Read::Ask => asked += 1,
            Read::Miss => panic!("it is there"),
        }
    }
    assert!(found > 0 && asked > 100, "{found} found, {asked} asked");
}
