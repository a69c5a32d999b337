//! Which items survive: the promises of the policy, on streams so plain that the answer is known.

use corecached_engine::{
    Deadline, Engine, EngineConfig, Fetch, Seconds, Store, StoreExtras, StoreMode, StoreOutcome,
};

use crate::support::{config, engine_with, hash};

const NOW: Seconds = Seconds(10);

fn key(kind: &str, number: usize) -> Vec<u8> {
    format!("{kind}-{number:012}").into_bytes()
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
    assert!(matches!(outcome, StoreOutcome::Stored { .. }));
}

fn get(engine: &mut Engine, key: &[u8]) -> bool {
    engine.get(key, hash(key), NOW, Fetch::Count).is_some()
}

fn present(engine: &mut Engine, kind: &str, count: usize) -> usize {
    let is_there = |number: &usize| {
        let key = key(kind, *number);
        engine.get(&key, hash(&key), NOW, Fetch::Quiet).is_some()
    };
    (0..count).filter(is_there).count()
}

/// An engine full of items that were not asked for, and their number.
fn full_engine(value: &[u8]) -> (Engine, usize) {
    let config = EngineConfig {
        page_bytes: 16 << 10,
        ..config()
    };
    let (mut engine, _) = engine_with(config, 2 << 20);
    let mut number = 0;
    while engine.stats().evictions < 10 {
        set(&mut engine, &key("filler", number), value);
        number += 1;
    }
    (engine, number)
}

/// Of a hundred items that were asked for twice, how many outlive a flood of items that were not. The flood is ten
/// times the memory.
fn survivors(value: &[u8]) -> usize {
    let (mut engine, capacity) = full_engine(value);
    let wanted = capacity / 3;
    for number in 0..wanted {
        let key = key("wanted", number);
        set(&mut engine, &key, value);
        get(&mut engine, &key);
        get(&mut engine, &key);
    }
    for number in 0..10 * capacity {
        set(&mut engine, &key("flood", number), value);
    }
    engine.check_integrity();
    100 * present(&mut engine, "wanted", wanted) / wanted
}

#[test]
fn a_flood_of_one_hit_wonders_passes_through() {
    assert!(survivors(&[7; 100]) >= 90);
}

#[test]
fn a_flood_of_large_values_passes_through() {
    // Chains: probation counts the first chunk of each.
    let survivors = survivors(&[7; 6000]);
    assert!(survivors >= 80, "{survivors}%");
}

#[test]
fn an_item_that_comes_back_soon_is_kept() {
    let (mut engine, capacity) = full_engine(&[7; 100]);
    let some = capacity / 20;
    for round in 0..2 {
        for number in 0..some {
            set(&mut engine, &key("returning", number), &[7; 100]);
        }
        for number in 0..capacity / 3 {
            set(
                &mut engine,
                &key("flood", round * capacity + number),
                &[7; 100],
            );
        }
        let present = present(&mut engine, "returning", some);
        if round == 0 {
            assert!(
                present < some / 10,
                "{present} of {some} after the first time"
            );
        } else {
            assert!(
                present > some / 2,
                "{present} of {some} after the second time"
            );
        }
    }
    engine.check_integrity();
}

#[test]
fn what_probation_needs_is_given_back() {
    let (mut engine, capacity) = full_engine(&[7; 100]);
    for number in 0..3 * capacity {
        set(&mut engine, &key("flood", number), &[7; 100]);
    }
    engine.flush_all(None, NOW);
    for _ in 0..2 {
        while !engine.sweep(NOW, 1000).wrapped {}
    }
    for step in 0..1000 {
        engine.maintain(Seconds(NOW.0 + step / 100));
    }
    engine.check_integrity();
    let stats = engine.stats();
    assert_eq!(stats.curr_items, 0);
    // The pool, and a page each for the memory of the first leaf: items, fingerprints, and their directory.
    assert!(stats.pages <= 8 + 3, "{} pages", stats.pages);
}

#[test]
fn saving_a_shard_ends_probation_and_loses_nothing() {
    let (mut engine, capacity) = full_engine(&[7; 100]);
    for number in 0..capacity {
        set(&mut engine, &key("flood", number), &[7; 100]);
    }
    let items = engine.stats().curr_items;
    engine.save([1; 16]);
    engine.check_integrity();
    assert_eq!(engine.stats().curr_items, items);
}
