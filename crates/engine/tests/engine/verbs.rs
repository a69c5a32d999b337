//! The commands: one behaviour in each test.

use corecached_engine::{
    Arith, ArithExtras, ArithOp, ArithOutcome, Budget, Deadline, Delete, DeleteOutcome, Engine,
    EngineConfig, Fetch, Release, Reserve, Room, Seconds, Space, Store, StoreExtras, StoreMode,
    StoreOutcome, TouchOutcome,
};

use crate::support::{config, engine, engine_with, hash};

const NOW: Seconds = Seconds(100);

fn store(engine: &mut Engine, mode: StoreMode, key: &str, value: &[u8]) -> StoreOutcome {
    let key = key.as_bytes();
    let store = Store {
        mode,
        key,
        hash: hash(key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value,
    };
    engine.store(&store, NOW)
}

fn set(engine: &mut Engine, key: &str, value: &[u8]) -> u64 {
    match store(engine, StoreMode::Set, key, value) {
        StoreOutcome::Stored { cas, .. } => cas,
        other => panic!("{other:?}"),
    }
}

fn value_at(engine: &mut Engine, key: &str, now: Seconds) -> Option<Vec<u8>> {
    let hit = engine.get(key.as_bytes(), hash(key.as_bytes()), now, Fetch::Count)?;
    Some(hit.value_chunks().flatten().copied().collect())
}

fn value(engine: &mut Engine, key: &str) -> Option<Vec<u8>> {
    value_at(engine, key, NOW)
}

fn arith(engine: &mut Engine, key: &str, op: ArithOp, delta: u64) -> ArithOutcome {
    engine.arith(
        key.as_bytes(),
        hash(key.as_bytes()),
        &Arith {
            op,
            delta,
            extras: ArithExtras::default(),
        },
        NOW,
    )
}

#[test]
fn stores_by_mode() {
    let mut engine = engine(8 << 20);
    assert_eq!(
        store(&mut engine, StoreMode::Replace, "k", b"1"),
        StoreOutcome::NotStored
    );
    assert_eq!(
        store(&mut engine, StoreMode::Append, "k", b"1"),
        StoreOutcome::NotStored
    );
    assert_eq!(
        store(&mut engine, StoreMode::Cas(1), "k", b"1"),
        StoreOutcome::NotFound
    );
    assert!(matches!(
        store(&mut engine, StoreMode::Add, "k", b"1"),
        StoreOutcome::Stored { .. }
    ));
    assert_eq!(
        store(&mut engine, StoreMode::Add, "k", b"2"),
        StoreOutcome::NotStored
    );
    assert!(matches!(
        store(&mut engine, StoreMode::Append, "k", b"2"),
        StoreOutcome::Stored { .. }
    ));
    assert!(matches!(
        store(&mut engine, StoreMode::Prepend, "k", b"0"),
        StoreOutcome::Stored { .. }
    ));
    assert_eq!(value(&mut engine, "k").unwrap(), b"012");
    let cas = set(&mut engine, "k", b"x");
    assert_eq!(
        store(&mut engine, StoreMode::Cas(cas + 1), "k", b"y"),
        StoreOutcome::Exists
    );
    assert!(matches!(
        store(&mut engine, StoreMode::Cas(cas), "k", b"y"),
        StoreOutcome::Stored { .. }
    ));
    let stats = engine.stats();
    assert_eq!(
        (stats.cas_hits, stats.cas_misses, stats.cas_badval),
        (1, 1, 1)
    );
    engine.check_integrity();
}

#[test]
fn numbers_are_padded_in_place() {
    let mut engine = engine(8 << 20);
    set(&mut engine, "n", b"10");
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Decr, 1),
        ArithOutcome::Number { value: 9, .. }
    ));
    assert_eq!(value(&mut engine, "n").unwrap(), b"9 ");
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Incr, 91),
        ArithOutcome::Number { value: 100, .. }
    ));
    assert_eq!(value(&mut engine, "n").unwrap(), b"100");
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Decr, 1000),
        ArithOutcome::Number { value: 0, .. }
    ));
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Incr, u64::MAX),
        ArithOutcome::Number {
            value: u64::MAX,
            ..
        }
    ));
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Incr, 2),
        ArithOutcome::Number { value: 1, .. }
    ));
    set(&mut engine, "n", b"abc");
    assert_eq!(
        arith(&mut engine, "n", ArithOp::Incr, 2),
        ArithOutcome::NonNumeric
    );
    assert_eq!(
        arith(&mut engine, "none", ArithOp::Incr, 2),
        ArithOutcome::NotFound
    );
}

#[test]
fn the_size_limit_is_memcacheds() {
    let (mut engine, _) = engine_with(
        EngineConfig {
            item_size_max: 4096,
            ..config()
        },
        8 << 20,
    );
    let longest = 4096 - 59 - 1;
    set(&mut engine, "k", &vec![1; longest]);
    assert_eq!(
        store(&mut engine, StoreMode::Set, "k", &vec![1; longest + 1]),
        StoreOutcome::TooLarge
    );
    assert_eq!(
        value(&mut engine, "k"),
        None,
        "a set that is too large deletes what it would have replaced"
    );
    let with_flags = Store {
        mode: StoreMode::Add,
        key: b"k",
        hash: hash(b"k"),
        client_flags: 1,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value: &vec![1; longest],
    };
    assert_eq!(engine.store(&with_flags, NOW), StoreOutcome::TooLarge);
    assert_eq!(engine.stats().store_too_large, 2);
}

#[test]
fn items_die_at_their_deadline() {
    let mut engine = engine(8 << 20);
    let key = b"k";
    let store = Store {
        mode: StoreMode::Set,
        key,
        hash: hash(key),
        client_flags: 7,
        deadline: Deadline(105),
        extras: StoreExtras::default(),
        value: b"v",
    };
    assert!(matches!(
        engine.store(&store, NOW),
        StoreOutcome::Stored { .. }
    ));
    assert!(value_at(&mut engine, "k", Seconds(104)).is_some());
    assert!(value_at(&mut engine, "k", Seconds(105)).is_none());
    assert_eq!(
        (engine.stats().get_expired, engine.stats().curr_items),
        (1, 0)
    );
    engine.check_integrity();
}

#[test]
fn touch_gives_a_deadline_where_there_was_none() {
    let mut engine = engine(8 << 20);
    for length in 0..64 {
        let cas = set(&mut engine, "k", &vec![b'v'; length]);
        assert_eq!(
            engine.touch(b"k", hash(b"k"), Deadline(200), NOW),
            TouchOutcome::Touched
        );
        let hit = engine
            .get(b"k", hash(b"k"), NOW, Fetch::Touch(Deadline(300)))
            .unwrap();
        assert_eq!(
            (hit.deadline(), hit.cas(), hit.single_chunk()),
            (Deadline(300), cas, Some(&vec![b'v'; length][..]))
        );
        engine.check_integrity();
    }
    assert_eq!(engine.stats().total_items, 64);
    assert_eq!(
        engine.touch(b"none", hash(b"none"), Deadline(200), NOW),
        TouchOutcome::NotFound
    );
}

#[test]
fn a_flush_leaves_what_comes_after_it() {
    let mut engine = engine(8 << 20);
    set(&mut engine, "before", b"1");
    engine.flush_all(None, NOW);
    set(&mut engine, "after", b"2");
    assert_eq!(value(&mut engine, "before"), None);
    assert!(value(&mut engine, "after").is_some());
    engine.flush_all(Some(Seconds(110)), NOW);
    assert!(value_at(&mut engine, "after", Seconds(109)).is_some());
    assert!(value_at(&mut engine, "after", Seconds(110)).is_none());
    assert_eq!(engine.stats().get_flushed, 2);
}

#[test]
fn deletes_compare() {
    let mut engine = engine(8 << 20);
    let cas = set(&mut engine, "k", b"v");
    assert_eq!(
        engine.delete(
            b"k",
            hash(b"k"),
            &Delete {
                compare: Some(cas + 1),
                ..Delete::default()
            },
            NOW
        ),
        DeleteOutcome::Exists
    );
    assert_eq!(
        engine.delete(
            b"k",
            hash(b"k"),
            &Delete {
                compare: Some(cas),
                ..Delete::default()
            },
            NOW
        ),
        DeleteOutcome::Deleted
    );
    assert_eq!(
        engine.delete(b"k", hash(b"k"), &Delete::default(), NOW),
        DeleteOutcome::NotFound
    );
}

#[test]
fn the_largest_item_fits_twice_its_size() {
    for item_size_max in [1 << 20, 8 << 20] {
        for page_bytes in [64 << 10, 256 << 10, 1 << 20] {
            let limit = 2 * item_size_max as u64;
            if limit < 16 * page_bytes as u64 {
                continue;
            }
            let (mut engine, budget) = engine_with(
                EngineConfig {
                    item_size_max,
                    page_bytes,
                    ..config()
                },
                limit,
            );
            for number in 0..5000 {
                set(&mut engine, &format!("small-{number}"), &[0; 100]);
            }
            for round in 0..5 {
                let value = vec![round; item_size_max - 59 - 1];
                set(&mut engine, "k", &value);
                assert!(value_at(&mut engine, "k", NOW).unwrap() == value);
                set(&mut engine, "other", &[0; 1000]);
            }
            assert!(budget.used_bytes() <= limit);
            engine.check_integrity();
        }
    }
}

#[test]
fn a_pinned_value_outlives_its_key() {
    let mut engine = engine(2 << 20);
    let long: Vec<u8> = (0..100_000).map(|at| at as u8).collect();
    set(&mut engine, "k", &long);
    let handle = engine
        .get(b"k", hash(b"k"), NOW, Fetch::Count)
        .unwrap()
        .handle();
    let (pin, pinned) = engine.pin(handle);
    assert_eq!(pinned.value_bytes, long.len());
    assert!(pinned.first.len < long.len());
    set(&mut engine, "k", b"new");
    for number in 0..20_000 {
        set(&mut engine, &format!("{number}"), &[1; 200]);
    }
    // SAFETY: the item is pinned and nothing borrows the engine.
    let sent: Vec<u8> = unsafe { pinned.pieces() }
        // SAFETY: as above.
        .flat_map(|piece| unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) })
        .copied()
        .collect();
    assert!(sent == long);
    engine.check_integrity();
    engine.unpin(pin);
    engine.check_integrity();
}

#[test]
fn a_pinned_number_is_not_written_over() {
    let mut engine = engine(2 << 20);
    set(&mut engine, "n", b"100");
    let handle = engine
        .get(b"n", hash(b"n"), NOW, Fetch::Count)
        .unwrap()
        .handle();
    let (pin, pinned) = engine.pin(handle);
    let piece = pinned.first;
    assert!(matches!(
        arith(&mut engine, "n", ArithOp::Decr, 1),
        ArithOutcome::Number { value: 99, .. }
    ));
    // SAFETY: the item is pinned and nothing borrows the engine.
    let sent = unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) };
    assert_eq!(sent, b"100");
    assert_eq!(value(&mut engine, "n").unwrap(), b"99");
    engine.unpin(pin);
    engine.check_integrity();
}

#[test]
fn a_staged_value_is_invisible_until_committed() {
    let mut engine = engine(4 << 20);
    set(&mut engine, "k", b"old");
    let value_bytes = 300_000;
    let reserve = Reserve {
        key: b"k",
        hash: hash(b"k"),
        client_flags: 3,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value_bytes,
    };
    let mut staged = engine.reserve(&reserve, NOW).unwrap();
    while staged.missing_bytes() > 0 {
        let mut spaces: Vec<Space> = Vec::new();
        assert_eq!(
            engine.staged_space(&mut staged, 1000, &mut spaces),
            Room::Given
        );
        for space in spaces {
            // SAFETY: the space is the test's alone until the value is committed.
            unsafe { space.ptr.write_bytes(5, space.len) };
        }
        assert_eq!(value(&mut engine, "k").unwrap(), b"old");
    }
    assert!(matches!(
        engine.commit(staged, StoreMode::Set, &StoreExtras::default(), NOW),
        StoreOutcome::Stored { .. }
    ));
    assert!(value(&mut engine, "k").unwrap() == vec![5; 300_000]);
    let staged = engine.reserve(&reserve, NOW).unwrap();
    engine.abort(staged);
    engine.check_integrity();
}

#[test]
fn the_sweep_frees_what_is_dead() {
    let mut engine = engine(8 << 20);
    for number in 0..10_000u32 {
        let key = number.to_string();
        let deadline = if number % 2 == 0 {
            Deadline(110)
        } else {
            Deadline::NEVER
        };
        let store = Store {
            mode: StoreMode::Set,
            key: key.as_bytes(),
            hash: hash(key.as_bytes()),
            client_flags: 0,
            deadline,
            extras: StoreExtras::default(),
            value: &[0; 50],
        };
        assert!(matches!(
            engine.store(&store, NOW),
            StoreOutcome::Stored { .. }
        ));
    }
    let mut steps = 0;
    while !engine.sweep(Seconds(120), 500).wrapped {
        engine.check_integrity();
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(
        (engine.stats().curr_items, engine.stats().crawler_reclaimed),
        (5000, 5000)
    );
}

#[test]
fn without_evictions_a_full_shard_refuses() {
    let (mut engine, _) = engine_with(
        EngineConfig {
            evictions_enabled: false,
            ..config()
        },
        1 << 20,
    );
    let mut stored = 0;
    while matches!(
        store(&mut engine, StoreMode::Set, &format!("{stored}"), &[0; 100]),
        StoreOutcome::Stored { .. }
    ) {
        stored += 1;
    }
    assert!(stored > 6000, "{stored}");
    assert_eq!(engine.stats().evictions, 0);
    assert_eq!(value(&mut engine, "0").unwrap(), [0; 100]);
    assert_eq!(engine.stats().store_no_memory, 1);
}

#[test]
fn the_sizes_may_change_at_will() {
    let mut engine = engine(4 << 20);
    for (round, length) in [20, 2000, 30_000, 20, 300_000, 500].into_iter().enumerate() {
        for number in 0..(8 << 20) / (length + 60) {
            set(
                &mut engine,
                &format!("{round}-{number}"),
                &vec![round as u8; length],
            );
        }
        engine.check_integrity();
        let stats = engine.stats();
        assert_eq!(stats.store_no_memory, 0);
    }
}

#[test]
fn a_reserve_keeps_a_shard_from_starving() {
    let budget = Budget::new(2 << 20);
    let config = EngineConfig {
        reserve_bytes: 256 << 10,
        ..config()
    };
    let mut greedy = Engine::new(config.clone(), std::sync::Arc::clone(&budget)).unwrap();
    let mut late = Engine::new(config, std::sync::Arc::clone(&budget)).unwrap();
    for number in 0..20_000 {
        set(&mut greedy, &format!("{number}"), &[0; 100]);
    }
    for number in 0..100 {
        set(&mut late, &format!("{number}"), &[0; 1000]);
    }
    assert!(late.stats().curr_items > 50);
    for _ in 0..2 {
        while greedy.release_idle_page(0, 64, NOW) != Release::Released {}
    }
    let before = late.stats().charged_bytes;
    for number in 0..2000 {
        set(&mut late, &format!("{number}"), &[0; 1000]);
    }
    assert!(late.stats().charged_bytes > before);
    assert!(budget.used_bytes() <= 2 << 20);
}

#[test]
fn a_chain_grows_where_it_is() {
    let mut engine = engine(8 << 20);
    let mut expected = vec![b'a'; 100_000];
    let cas = set(&mut engine, "k", &expected);
    let mut last = cas;
    for round in 0..200 {
        let addition = vec![b'b' + (round % 20) as u8; [1, 7, 300, 20_000, 0][round % 5]];
        let before = engine.stats().work;
        let outcome = store(&mut engine, StoreMode::Append, "k", &addition);
        let StoreOutcome::Stored { cas, value_bytes } = outcome else {
            panic!("{outcome:?}");
        };
        expected.extend_from_slice(&addition);
        assert!(cas > last && value_bytes == expected.len());
        last = cas;
        assert!(
            engine.stats().work - before < 100,
            "what was there is not gone through"
        );
        if round % 20 == 0 {
            engine.check_integrity();
        }
    }
    assert!(value(&mut engine, "k").unwrap() == expected);
    assert_eq!(engine.stats().curr_items, 1);
}

#[test]
fn a_chain_that_is_being_sent_is_copied_to_grow() {
    let mut engine = engine(8 << 20);
    let long = vec![b'a'; 100_000];
    set(&mut engine, "k", &long);
    let handle = engine
        .get(b"k", hash(b"k"), NOW, Fetch::Count)
        .unwrap()
        .handle();
    let (pin, pinned) = engine.pin(handle);
    store(&mut engine, StoreMode::Append, "k", b"more");
    // SAFETY: the item is pinned and nothing borrows the engine.
    let sent: Vec<u8> = unsafe { pinned.pieces() }
        // SAFETY: as above.
        .flat_map(|piece| unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) })
        .copied()
        .collect();
    assert!(sent == long);
    assert!(value(&mut engine, "k").unwrap() == [&long[..], b"more"].concat());
    engine.unpin(pin);
    engine.check_integrity();
}

#[test]
fn a_chain_that_finds_no_memory_to_grow_is_as_before() {
    let without_evictions = EngineConfig {
        evictions_enabled: false,
        ..config()
    };
    let (mut engine, _budget) = engine_with(without_evictions, 2 << 20);
    let mut expected = vec![b'a'; 100_000];
    set(&mut engine, "k", &expected);
    let mut refused = 0;
    for _ in 0..60 {
        match store(&mut engine, StoreMode::Append, "k", &[b'b'; 50_000]) {
            StoreOutcome::Stored { .. } => expected.extend_from_slice(&[b'b'; 50_000]),
            StoreOutcome::OutOfMemory | StoreOutcome::NotStored => refused += 1,
            other => panic!("{other:?}"),
        }
        engine.check_integrity();
    }
    assert!(refused > 0 && expected.len() > 300_000);
    assert!(value(&mut engine, "k").unwrap() == expected);
}
