//! Pages for other shards: memory that was not used for long goes, memory in use stays, and free memory goes first.

use corecached_engine::{
    Deadline, Delete, Engine, EngineConfig, Fetch, IDLE_FOR_EVER, Release, Seconds, Store,
    StoreExtras, StoreMode, StoreOutcome,
};

use crate::support::{config, engine_with, hash};

const LIMIT: u64 = 4 << 20;
const PAGE_BYTES: u64 = 64 << 10;

fn full(config: EngineConfig, items: std::ops::Range<u32>, ttl: Option<u32>, now: u32) -> Engine {
    let (mut engine, _) = engine_with(config, LIMIT);
    for number in items {
        set(&mut engine, number, ttl, now);
    }
    engine
}

fn set(engine: &mut Engine, number: u32, ttl: Option<u32>, now: u32) -> StoreOutcome {
    let key = number.to_be_bytes();
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: ttl.map_or(Deadline::NEVER, |ttl| Deadline(now + ttl)),
        value: &[7; 1000],
        extras: StoreExtras::default(),
    };
    engine.store(&store, Seconds(now))
}

fn is_there(engine: &mut Engine, number: u32, now: u32) -> bool {
    let key = number.to_be_bytes();
    let hit = engine.get(&key, hash(&key), Seconds(now), Fetch::Count);
    hit.is_some()
}

/// The age of the oldest page, after the search has had the time to see all pages.
fn idle_seconds(engine: &mut Engine, now: u32) -> u32 {
    (0..20)
        .map(|_| engine.idle_seconds(Seconds(now)))
        .last()
        .unwrap()
}

/// Gives pages that were idle for `idle_min` seconds until there are no more; returns the number of pages.
fn release_all(engine: &mut Engine, idle_min: u32, now: u32) -> u64 {
    let (mut released, mut vain) = (0, 0);
    while vain < 20 {
        match engine.release_idle_page(idle_min, 64, Seconds(now)) {
            Release::Released => released += 1,
            Release::Working => {}
            Release::Nothing => vain += 1,
        }
    }
    engine.check_integrity();
    released
}

#[test]
fn what_was_not_used_for_long_goes_and_what_is_read_stays() {
    let mut engine = full(config(), 0..4000, None, 10);
    let held = engine.stats().charged_bytes;
    assert!(held > LIMIT * 9 / 10, "{held} bytes");
    let stored: Vec<u32> = (0..4000)
        .filter(|&n| is_there(&mut engine, n, 10))
        .collect();
    // The first half is read again, 90 seconds later. Items lie in the order in which they came, except for items that
    // took the places of evicted ones.
    let (read, unread) = stored.split_at(stored.len() / 2);
    assert!(
        read.iter()
            .all(|&number| is_there(&mut engine, number, 100))
    );
    assert_eq!(idle_seconds(&mut engine, 100), 90);
    assert_eq!(release_all(&mut engine, 91, 100), 0);
    let evicted_bytes = engine.stats().evicted_bytes;
    let released = release_all(&mut engine, 90, 100);
    assert!(released * PAGE_BYTES > held / 3, "{released} pages");
    assert_eq!(engine.stats().charged_bytes, held - released * PAGE_BYTES);
    assert_eq!(
        engine.stats().evicted_bytes,
        evicted_bytes,
        "not this shard's need"
    );
    let lost = read
        .iter()
        .filter(|&&number| !is_there(&mut engine, number, 100))
        .count();
    assert!(lost <= read.len() / 10, "{lost} of {}", read.len());
    let kept = unread
        .iter()
        .filter(|&&number| is_there(&mut engine, number, 100))
        .count();
    assert!(kept <= unread.len() / 3, "{kept} of {}", unread.len());
    assert!(idle_seconds(&mut engine, 100) < 90);
}

#[test]
fn dead_memory_is_the_oldest() {
    let mut engine = full(config(), 0..3000, Some(5), 10);
    assert_eq!(idle_seconds(&mut engine, 14), 4);
    assert_eq!(idle_seconds(&mut engine, 15), IDLE_FOR_EVER);
    assert!(release_all(&mut engine, IDLE_FOR_EVER, 15) > 40);
    assert_eq!(engine.stats().evictions, 0);
}

#[test]
fn holes_are_moved_together_and_nothing_is_lost() {
    let mut engine = full(config(), 0..3000, None, 10);
    // The last page has room, but too little for the items of another page.
    assert_eq!(idle_seconds(&mut engine, 10), 0);
    assert_eq!(release_all(&mut engine, 1, 10), 0);
    for number in (0..3000).filter(|number| number % 3 > 0) {
        let key = u32::to_be_bytes(number);
        engine.delete(&key, hash(&key), &Delete::default(), Seconds(10));
    }
    assert_eq!(idle_seconds(&mut engine, 10), IDLE_FOR_EVER);
    let released = release_all(&mut engine, IDLE_FOR_EVER, 10);
    assert!(released > 25, "{released} pages");
    assert!((0..3000).all(|number| number % 3 > 0 || is_there(&mut engine, number, 10)));
    assert_eq!(engine.stats().evictions, 0);
}

#[test]
fn without_evictions_only_free_pages_go() {
    let config = EngineConfig {
        evictions_enabled: false,
        ..config()
    };
    let mut engine = full(config, 0..3000, None, 10);
    assert_eq!(release_all(&mut engine, 0, 1000), 0);
    for number in 0..3000 {
        let key = u32::to_be_bytes(number);
        engine.delete(&key, hash(&key), &Delete::default(), Seconds(10));
    }
    assert!(release_all(&mut engine, IDLE_FOR_EVER, 1000) > 40);
}
