//! Pages that an operator moves: nothing is evicted while memory is free, and everything goes on when it is not.

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, ReassignOutcome, Seconds, Store, StoreExtras,
    StoreMode, StoreOutcome,
};

use crate::support::{config, hash};

const NOW: Seconds = Seconds(10);

fn set(engine: &mut Engine, number: u32, value: &[u8]) {
    let key = number.to_be_bytes();
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        value,
        extras: StoreExtras::default(),
    };
    let outcome = engine.store(&store, NOW);
    assert!(matches!(outcome, StoreOutcome::Stored { .. }));
}

fn value_of(engine: &mut Engine, number: u32) -> Option<Vec<u8>> {
    let key = number.to_be_bytes();
    let hit = engine.get(&key, hash(&key), NOW, Fetch::Count)?;
    Some(hit.value_chunks().flatten().copied().collect())
}

fn value(number: u32, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at as u32 ^ number) as u8).collect()
}

/// An engine of `limit` bytes with items of `bytes` each.
fn filled(config: EngineConfig, limit: u64, items: u32, bytes: usize) -> Engine {
    let mut engine = Engine::new(config, Budget::new(limit)).unwrap();
    for number in 0..items {
        set(&mut engine, number, &value(number, bytes));
    }
    engine
}

/// Asks for a page for class `destination` and lets the background work on it; whether it has moved.
fn reassign(engine: &mut Engine, destination: u8) -> bool {
    let outcome = engine.reassign(None, destination, NOW);
    assert_eq!(outcome, ReassignOutcome::Started);
    work_on(engine)
}

/// Lets the background work on the page that was asked for; whether it has moved.
fn work_on(engine: &mut Engine) -> bool {
    let moved = engine.stats().slabs_moved;
    for _ in 0..10_000 {
        if !engine.is_reassigning() {
            break;
        }
        engine.maintain(NOW);
    }
    assert!(!engine.is_reassigning(), "the work comes to an end");
    engine.check_integrity();
    engine.stats().slabs_moved > moved
}

#[test]
fn nothing_is_evicted_while_memory_is_free() {
    // A part of a page, several pages, and one page for each item but the last part.
    for (items, bytes) in [(20_000, 40), (2_000, 1_000), (150, 20_000), (40, 200_000)] {
        for evictions_enabled in [true, false] {
            let config = EngineConfig {
                evictions_enabled,
                ..config()
            };
            let mut engine = filled(config, 32 << 20, items, bytes);
            for page in 0..10 {
                assert!(reassign(&mut engine, 0), "page {page} of {bytes}");
            }
            let stats = engine.stats();
            assert_eq!((stats.evictions, stats.slab_reassign_evictions), (0, 0));
            assert!(stats.slab_reassign_rescues + stats.slab_reassign_chunk_rescues > 0);
            for number in 0..items {
                let is = value_of(&mut engine, number);
                assert!(is == Some(value(number, bytes)), "{number} of {bytes}");
            }
        }
    }
}

#[test]
fn a_full_cache_evicts_for_it() {
    let mut engine = filled(config(), 4 << 20, 6_000, 1_000);
    let before = engine.stats();
    assert!(before.evictions > 0, "the cache is full");
    for _ in 0..5 {
        assert!(reassign(&mut engine, 1));
    }
    let evicted = engine.stats().slab_reassign_evictions - before.slab_reassign_evictions;
    assert!(evicted > 100, "{evicted} of some 300 items of these pages");
    for number in 0..6_000 {
        let is = value_of(&mut engine, number);
        assert!(is.is_none_or(|is| is == value(number, 1_000)));
    }
}

#[test]
fn a_full_cache_that_must_not_evict_keeps_its_pages() {
    let config = EngineConfig {
        evictions_enabled: false,
        ..config()
    };
    let mut engine = Engine::new(config, Budget::new(4 << 20)).unwrap();
    let key = |number: u32| number.to_be_bytes();
    let mut items = 0;
    loop {
        let store = Store {
            mode: StoreMode::Set,
            key: &key(items),
            hash: hash(&key(items)),
            client_flags: 0,
            deadline: Deadline::NEVER,
            value: &value(items, 1_000),
            extras: StoreExtras::default(),
        };
        match engine.store(&store, NOW) {
            StoreOutcome::Stored { .. } => items += 1,
            _ => break,
        }
    }
    assert!(items > 3_000, "{items}");
    // Some pages may still be emptied into free chunks, but not all of them.
    let moved = (0..60).filter(|_| reassign(&mut engine, 0)).count();
    assert!(moved < 10, "{moved} pages");
    let stats = engine.stats();
    assert_eq!((stats.evictions, stats.slab_reassign_evictions), (0, 0));
    assert!(stats.slab_reassign_busy_items > 0);
    assert!((0..items).all(|number| value_of(&mut engine, number).is_some()));
}

#[test]
fn an_item_that_is_being_sent_keeps_its_page() {
    let mut engine = filled(config(), 32 << 20, 300, 1_000);
    let outcome = engine.reassign(None, 0, NOW);
    assert_eq!(outcome, ReassignOutcome::Started);
    let mut pins = Vec::new();
    for number in 0..300_u32 {
        let key = number.to_be_bytes();
        let hit = engine.get(&key, hash(&key), NOW, Fetch::Count).unwrap();
        let handle = hit.handle();
        pins.push(engine.pin(handle).0);
    }
    assert!(!work_on(&mut engine), "all items are in use");
    assert_eq!(engine.stats().slab_reassign_busy_items, 1);
    for pin in pins {
        engine.unpin(pin);
    }
    assert!(reassign(&mut engine, 0));
    assert_eq!(engine.stats().evictions, 0);
    assert!((0..300).all(|number| value_of(&mut engine, number).is_some()));
}
