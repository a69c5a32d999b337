//! The memory of the index after the number of items has fallen.

use corecached_engine::{Deadline, Delete, Engine, Fetch, Seconds, Store, StoreExtras, StoreMode};

use crate::support::{Rng, engine, hash};

const NOW: Seconds = Seconds(10);

fn set(engine: &mut Engine, number: usize) {
    let key = number.to_be_bytes();
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        value: b"small",
        extras: StoreExtras::default(),
    };
    engine.store(&store, NOW);
}

/// Deletes items at random, so that every page of items or of the index keeps a part of its chunks. Meanwhile some
/// items come, so that leaves are split and merged. Returns the items that should be there.
fn thin_out(engine: &mut Engine, mut there: Vec<usize>, left: usize) -> Vec<usize> {
    let mut rng = Rng::new(1);
    let mut next = there.len();
    while there.len() > left {
        let number = there.swap_remove(rng.below(there.len()));
        let key = number.to_be_bytes();
        engine.delete(&key, hash(&key), &Delete::default(), NOW);
        if rng.one_in(4) {
            set(engine, next);
            there.push(next);
            next += 1;
        }
        if rng.one_in(50) {
            engine.maintain(NOW);
        }
        if rng.one_in(100_000) {
            engine.check_integrity();
        }
    }
    // Pages are given back when nobody has needed them for a second.
    for step in 0..100_000 {
        engine.maintain(Seconds(NOW.0 + step / 10_000));
    }
    engine.check_integrity();
    there
}

#[test]
fn an_index_of_fewer_items_gives_its_pages_back_and_loses_nothing() {
    let mut engine = engine(128 << 20);
    let all: Vec<usize> = (0..500_000).collect();
    for &number in &all {
        set(&mut engine, number);
    }
    assert_eq!(engine.stats().evictions, 0, "there is room for all");
    let index_bytes = engine.memory_report().index_bytes;
    let charged = engine.stats().charged_bytes;
    let there = thin_out(&mut engine, all, 25_000);
    let back = charged - engine.stats().charged_bytes;
    println!("{back} bytes are back of {index_bytes} of the index");
    assert!(
        back > index_bytes / 2,
        "{back} bytes are back of {index_bytes}"
    );
    for number in there {
        let key = number.to_be_bytes();
        let hit = engine.get(&key, hash(&key), NOW, Fetch::Quiet);
        assert!(hit.is_some(), "{number} is there");
    }
}

#[test]
fn queues_and_fingerprints_move_with_the_index() {
    let mut engine = engine(16 << 20);
    let all: Vec<usize> = (0..500_000).collect();
    for &number in &all {
        set(&mut engine, number);
    }
    assert!(engine.stats().evictions > 0, "there are fingerprints");
    let index_bytes = engine.memory_report().index_bytes;
    thin_out(&mut engine, all, 25_000);
    let report = engine.memory_report();
    assert!(
        report.index_bytes < index_bytes / 2,
        "{} bytes of {index_bytes} are left",
        report.index_bytes
    );
    assert!(engine.stats().slabs_moved > 0, "{report:?}");
}
