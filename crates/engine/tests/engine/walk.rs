//! Visiting all items in steps, while they come, move and go.

use std::collections::HashMap;

use corecached_engine::{
    Deadline, Delete, Engine, Fetch, PageCursor, Seconds, Store, StoreExtras, StoreMode, WalkCursor,
};

use crate::support::{Rng, config, engine, engine_with, hash};

const NOW: Seconds = Seconds(10);

fn set(engine: &mut Engine, key: &str, value_bytes: usize, deadline: Deadline) {
    let store = Store {
        mode: StoreMode::Set,
        key: key.as_bytes(),
        hash: hash(key.as_bytes()),
        client_flags: value_bytes as u32,
        deadline,
        extras: StoreExtras::default(),
        value: &vec![b'v'; value_bytes],
    };
    engine.store(&store, NOW);
}

/// Walks with random budgets, calling `between` after every step. Returns how often each key was visited.
fn walk(
    engine: &mut Engine,
    rng: &mut Rng,
    mut between: impl FnMut(&mut Engine, &mut Rng),
) -> HashMap<Vec<u8>, u32> {
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut cursor = WalkCursor::default();
    loop {
        let budget = 1 + rng.below(300);
        let mut visited = 0;
        let more = engine.walk(&mut cursor, NOW, budget, |item| {
            visited += 1;
            *seen.entry(item.key.to_vec()).or_default() += 1;
        });
        assert!(
            visited <= 3 * budget + 64,
            "{visited} items with a budget of {budget}"
        );
        assert_eq!(more, !cursor.is_done());
        if !more {
            return seen;
        }
        between(engine, rng);
    }
}

#[test]
fn every_item_is_visited_once() {
    let mut engine = engine(16 << 20);
    for number in 0..20_000 {
        set(
            &mut engine,
            &format!("key-{number}"),
            number % 90,
            Deadline::NEVER,
        );
    }
    let seen = walk(&mut engine, &mut Rng::new(1), |_, _| {});
    assert_eq!(seen.len(), 20_000);
    assert!(seen.values().all(|&times| times == 1));
    let empty = walk(&mut self::engine(1 << 20), &mut Rng::new(1), |_, _| {});
    assert!(empty.is_empty());
}

#[test]
fn items_are_shown_as_they_are_and_dead_ones_not() {
    let mut engine = engine(4 << 20);
    set(&mut engine, "short", 7, Deadline(NOW.0 + 5));
    set(&mut engine, "long", 40_000, Deadline::NEVER);
    set(&mut engine, "dead", 7, Deadline(NOW.0 + 1));
    let later = Seconds(NOW.0 + 2);
    let key = b"short";
    engine.get(key, hash(key), later, Fetch::Count).unwrap();
    let mut items = Vec::new();
    let mut cursor = WalkCursor::default();
    while engine.walk(&mut cursor, later, 1, |item| {
        items.push((
            item.key.to_vec(),
            item.value_bytes,
            item.client_flags,
            item.fetched,
        ));
        assert_eq!(item.last_access, if item.fetched { later } else { NOW });
        assert_eq!(item.deadline.0, if item.fetched { NOW.0 + 5 } else { 0 });
        assert!(item.cas > 0 && item.item_bytes > item.value_bytes + item.key.len());
        assert!((1..=63).contains(&item.class_id));
    }) {}
    items.sort();
    assert_eq!(
        items,
        [
            (b"long".to_vec(), 40_000, 40_000, false),
            (b"short".to_vec(), 7, 7, true)
        ]
    );
}

#[test]
fn what_stays_is_visited_while_the_table_grows_and_shrinks() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut engine = engine(64 << 20);
        let others = 1 + rng.below(30_000);
        for number in 0..2000 {
            set(&mut engine, &format!("stays-{number}"), 5, Deadline::NEVER);
        }
        for number in 0..others {
            set(&mut engine, &format!("other-{number}"), 5, Deadline::NEVER);
        }
        let grows = rng.one_in(2);
        let mut next = others;
        let seen = walk(&mut engine, &mut rng, |engine, rng| {
            for _ in 0..rng.below(150) {
                if grows {
                    next += 1;
                    set(engine, &format!("other-{next}"), 5, Deadline::NEVER);
                } else if next > 0 {
                    next -= 1;
                    let key = format!("other-{next}");
                    engine.delete(
                        key.as_bytes(),
                        hash(key.as_bytes()),
                        &Delete::default(),
                        NOW,
                    );
                }
            }
        });
        for number in 0..2000 {
            let times = seen.get(format!("stays-{number}").as_bytes());
            assert!(times.is_some(), "seed {seed}: item {number} was left out");
            assert!(
                grows || times == Some(&1),
                "seed {seed}: item {number} came twice"
            );
        }
        assert_eq!(engine.stats().evictions, 0);
        engine.check_integrity();
    }
}

#[test]
fn items_that_move_are_visited() {
    let (mut engine, _budget) = engine_with(config(), 8 << 20);
    for number in 0..40_000 {
        set(
            &mut engine,
            &format!("key-{number}"),
            10 + number % 3,
            Deadline::NEVER,
        );
    }
    // Makes room in most pages, so that the pages given back below move their items instead of evicting them.
    for number in (0..40_000).filter(|number| number % 3 != 0) {
        let key = format!("key-{number}");
        engine.delete(
            key.as_bytes(),
            hash(key.as_bytes()),
            &Delete::default(),
            NOW,
        );
    }
    let mut rng = Rng::new(3);
    let seen = walk(&mut engine, &mut rng, |engine, _| {
        engine.release_idle_page(0, 1000, NOW);
    });
    let stats = engine.stats();
    assert!(stats.slab_reassign_rescues > 1000, "{stats:?}");
    let mut cursor = WalkCursor::default();
    let mut left = 0;
    while engine.walk(&mut cursor, NOW, 100, |item| {
        assert!(seen.contains_key(item.key));
        left += 1;
    }) {}
    assert_eq!(left, engine.stats().curr_items);
}

/// All items of the classes in `classes`, by a walk over their pages, and the number of steps of 64 chunks that the
/// walk takes.
fn walk_pages(engine: &mut Engine, classes: u64) -> (Vec<Vec<u8>>, usize) {
    let (mut keys, mut steps) = (Vec::new(), 0);
    let mut cursor = PageCursor::default();
    loop {
        steps += 1;
        let mut visited = 0;
        let more = engine.walk_pages(&mut cursor, classes, NOW, 64, |item| {
            assert!(classes >> item.class_id & 1 != 0);
            visited += 1;
            keys.push(item.key.to_vec());
            true
        });
        assert!(visited <= 64);
        if !more {
            keys.sort();
            return (keys, steps);
        }
    }
}

#[test]
fn the_pages_of_a_class_show_its_items_and_cost_nothing_else() {
    let mut engine = engine(64 << 20);
    let mut expected = Vec::new();
    for number in 0..50_000 {
        set(&mut engine, &format!("small-{number}"), 10, Deadline::NEVER);
        if number % 1000 == 0 {
            let key = format!("large-{number}");
            set(&mut engine, &key, 3000, Deadline::NEVER);
            expected.push(key.into_bytes());
        }
    }
    expected.sort();
    let class = engine.class_id_for(b"large-1000", 3000);
    let (keys, steps) = walk_pages(&mut engine, 1 << class);
    assert_eq!(keys, expected);
    // Fifty chunks and the headers of a few pages, not 50,000 chunks.
    assert!(steps < 20, "{steps} steps for 50 items");
    let (keys, _) = walk_pages(&mut engine, u64::MAX);
    assert_eq!(keys.len(), 50_000 + expected.len());
}

#[test]
fn a_walk_over_pages_ends_when_enough_was_seen() {
    let mut engine = engine(16 << 20);
    for number in 0..1000 {
        set(&mut engine, &format!("key-{number}"), 10, Deadline::NEVER);
    }
    let (mut cursor, mut seen) = (PageCursor::default(), 0);
    assert!(engine.walk_pages(&mut cursor, u64::MAX, NOW, 1000, |_| {
        seen += 1;
        seen < 3
    }));
    assert_eq!(seen, 3);
}
