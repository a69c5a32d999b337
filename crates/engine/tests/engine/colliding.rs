//! Keys made for one leaf, one tag or one hash, as an attacker can make them who knows the seed.

use std::collections::HashMap;

use corecached_engine::{
    Budget, Deadline, Delete, DeleteOutcome, Engine, EngineConfig, Fetch, KeyHash, Seconds, Store,
    StoreExtras, StoreMode, StoreOutcome, WalkCursor,
};

use crate::support::{Rng, config, hash, memory_file};

const NOW: Seconds = Seconds(100);
const LIMIT: u64 = 32 << 20;
/// The seed of [`hash`].
const SEED: u64 = 42;
/// Words of XXH3's secret: of the first 16 bytes of a long key, and of a key of 8 bytes.
const SECRET: [u64; 3] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
];

/// One of any number of keys with the same hash: XXH3 multiplies the first word of a key by the second. The first word
/// here cancels the seed and leaves 0, so the second may be anything.
fn key_of_one_hash(number: u64) -> Vec<u8> {
    let first = SECRET[0].wrapping_add(SEED);
    let mut key = [first.to_le_bytes(), number.to_le_bytes()].concat();
    key.extend_from_slice(b"sixteen bytes ..");
    key
}

/// The key of 8 bytes that has this hash: for these XXH3 can be run backwards.
fn key_of_hash(hash: u64) -> Vec<u8> {
    let inverse = {
        // Newton's iteration: each step doubles the number of right bits.
        let prime: u64 = 0x9fb2_1c65_1e98_df25;
        (0..6).fold(prime, |x, _| {
            x.wrapping_mul(2u64.wrapping_sub(prime.wrapping_mul(x)))
        })
    };
    let mut x = hash ^ hash >> 28 ^ hash >> 56;
    x = x.wrapping_mul(inverse);
    x ^= (x >> 35).wrapping_add(8);
    x = x.wrapping_mul(inverse);
    let mix = |x: u64| x ^ x.rotate_left(49) ^ x.rotate_left(24);
    // The mix is linear and of order 64.
    for _ in 0..63 {
        x = mix(x);
    }
    let seed = SEED ^ u64::from((SEED as u32).swap_bytes()) << 32;
    let x = x ^ (SECRET[1] ^ SECRET[2]).wrapping_sub(seed);
    x.rotate_left(32).to_le_bytes().to_vec()
}

/// Keys of some kind of collision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OneHash,
    OneTag,
    OneLeaf,
    FewBits,
    Ordinary,
}

const KINDS: [Kind; 5] = [
    Kind::OneHash,
    Kind::OneTag,
    Kind::OneLeaf,
    Kind::FewBits,
    Kind::Ordinary,
];

fn key(kind: Kind, number: u64) -> Vec<u8> {
    match kind {
        Kind::OneHash => key_of_one_hash(number),
        Kind::OneTag => key_of_hash(number << 48 | 0xbeef << 32 | 0x00c0_ffee),
        Kind::OneLeaf => key_of_hash((number & 0xffff) << 32 | 0x00c0_ffee | (number >> 16) << 48),
        // Leaves and tags of a few bits each.
        Kind::FewBits => key_of_hash(
            (number & 3) << 30
                | (number >> 2 & 3) << 8
                | (number >> 4 & 7) << 40
                | number >> 7 << 48,
        ),
        Kind::Ordinary => format!("ordinary-{number}").into_bytes(),
    }
}

fn set(engine: &mut Engine, key: &[u8], value: &[u8]) {
    let store = Store {
        mode: StoreMode::Set,
        key,
        hash: hash(key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value,
    };
    let outcome = engine.store(&store, NOW);
    assert!(
        matches!(outcome, StoreOutcome::Stored { .. }),
        "{outcome:?}"
    );
}

fn get(engine: &mut Engine, key: &[u8]) -> Option<Vec<u8>> {
    let hit = engine.get(key, hash(key), NOW, Fetch::Count)?;
    Some(hit.value_chunks().flatten().copied().collect())
}

fn delete(engine: &mut Engine, key: &[u8]) -> bool {
    engine.delete(key, hash(key), &Delete::default(), NOW) == DeleteOutcome::Deleted
}

fn walked(engine: &mut Engine) -> Vec<Vec<u8>> {
    let mut cursor = WalkCursor::default();
    let mut keys = Vec::new();
    while engine.walk(&mut cursor, NOW, 50, |item| keys.push(item.key.to_vec())) {}
    keys
}

#[test]
fn the_keys_collide() {
    let one = hash(&key_of_one_hash(0));
    assert!((1..100).all(|number| hash(&key_of_one_hash(number)) == one));
    for wanted in [0, 1, 0x1234_0000_0000_5678, u64::MAX] {
        assert_eq!(hash(&key_of_hash(wanted)), KeyHash(wanted));
    }
}

#[test]
fn no_leaf_is_the_limit_of_a_cache_that_is_not_full() {
    for kind in KINDS {
        for evictions_enabled in [true, false] {
            let config = EngineConfig {
                evictions_enabled,
                ..config()
            };
            let mut engine = Engine::new(config, Budget::new(LIMIT)).unwrap();
            for number in 0..20_000 {
                set(&mut engine, &key(kind, number), &number.to_le_bytes());
            }
            assert_eq!(engine.stats().evictions, 0, "{kind:?}");
            assert_eq!(engine.stats().curr_items, 20_000, "{kind:?}");
            engine.check_integrity();
            for number in 0..20_000 {
                let value = get(&mut engine, &key(kind, number));
                assert_eq!(value, Some(number.to_le_bytes().to_vec()), "{kind:?}");
            }
            for number in 20_000..30_000 {
                assert_eq!(get(&mut engine, &key(kind, number)), None, "{kind:?}");
            }
            let mut keys = walked(&mut engine);
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), 20_000, "a walk meets all of them: {kind:?}");
            for number in 0..20_000 {
                assert!(delete(&mut engine, &key(kind, number)), "{kind:?}");
            }
            engine.check_integrity();
            assert_eq!(engine.stats().curr_items, 0);
        }
    }
}

/// This test sees the work of a lookup only by its time: a lookup that compares 10,000 keys would take a thousand times
/// as long as an ordinary one.
#[test]
fn a_lookup_among_colliding_keys_is_not_a_search() {
    let mut engine = Engine::new(config(), Budget::new(LIMIT)).unwrap();
    for number in 0..10_000 {
        set(&mut engine, &key(Kind::OneHash, number), b"v");
        set(&mut engine, &key(Kind::OneTag, number), b"v");
        set(&mut engine, &key(Kind::Ordinary, number), b"v");
    }
    let time = |engine: &mut Engine, kind| {
        let keys: Vec<_> = (20_000..22_000).map(|number| key(kind, number)).collect();
        let once = |engine: &mut Engine| {
            let begin = std::time::Instant::now();
            assert!(keys.iter().all(|key| get(engine, key).is_none()));
            begin.elapsed()
        };
        (0..5).map(|_| once(engine)).min().unwrap()
    };
    let ordinary = time(&mut engine, Kind::Ordinary);
    for kind in [Kind::OneHash, Kind::OneTag] {
        let colliding = time(&mut engine, kind);
        println!("{kind:?}: {colliding:?}, ordinary keys {ordinary:?}");
        assert!(colliding < ordinary * 150, "{kind:?}: {colliding:?}");
    }
}

#[test]
fn ordinary_keys_have_no_second_table() {
    let mut engine = Engine::new(config(), Budget::new(LIMIT)).unwrap();
    for number in 0..100_000 {
        set(&mut engine, &key(Kind::Ordinary, number), b"v");
        if number.is_multiple_of(7) {
            delete(&mut engine, &key(Kind::Ordinary, number / 2));
        }
    }
    assert!(!engine.displaces_items());
    set(&mut engine, b"other", b"v");
    for number in 0..700 {
        set(&mut engine, &key(Kind::OneTag, number), b"v");
    }
    assert!(engine.displaces_items());
}

/// Random operations on a small cache that evicts, drains pages, condenses its index and restarts.
fn random_operations(seed: u64, limit: u64, range: u64, with_restarts: bool) {
    println!("seed {seed}");
    let config = EngineConfig {
        page_bytes: 16 << 10,
        memory_file: with_restarts.then(|| memory_file(config().segment_bytes)),
        ..config()
    };
    let mut rng = Rng::new(seed);
    let mut engine = Engine::new(config.clone(), Budget::new(limit)).unwrap();
    let mut map: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut hits = 0;
    for step in 0..60_000 {
        let kind = KINDS[rng.below(KINDS.len())];
        let number = rng.next() % range;
        let key = key(kind, number);
        match rng.below(20) {
            0..9 => {
                let value = vec![rng.next() as u8; [5, 60, 400, 3000][rng.below(4)]];
                set(&mut engine, &key, &value);
                map.insert(key, value);
            }
            9..17 => match get(&mut engine, &key) {
                Some(value) => {
                    assert_eq!(Some(&value), map.get(&key), "{kind:?} {number}");
                    hits += 1;
                }
                None => drop(map.remove(&key)),
            },
            17 => {
                delete(&mut engine, &key);
                map.remove(&key);
            }
            18 if rng.one_in(200) => drop(walked(&mut engine)),
            18 if rng.one_in(300) => {
                engine.flush_all(None, NOW);
                map.clear();
            }
            _ => {
                engine.maintain(NOW);
            }
        }
        if with_restarts && rng.one_in(3000) {
            let state = engine.save((step as u128).to_le_bytes());
            drop(engine);
            engine = Engine::restore(config.clone(), Budget::new(limit), &state).unwrap();
        }
        if step % 500 == 0 {
            engine.check_integrity();
        }
    }
    println!("{hits} hits, {} evictions", engine.stats().evictions);
    assert!(hits > 2000, "{hits} hits");
    for (key, value) in map {
        let there = get(&mut engine, &key);
        assert!(there.is_none() || there == Some(value));
    }
}

#[test]
fn colliding_keys_come_and_go() {
    random_operations(1, 16 << 20, 3000, false);
}

#[test]
fn colliding_keys_are_evicted() {
    random_operations(2, 600 << 10, 700, false);
}

#[test]
fn colliding_keys_survive_restarts() {
    random_operations(3, 2 << 20, 2000, true);
}
