//! Memory populated ahead: it is drawn like any other, and held and prefaulted memory together never exceed the limit.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use corecached_engine::{Budget, Deadline, Engine, EngineConfig, Seconds, Store, StoreMode};

use crate::support::{config, hash, memory_file};

const LIMIT: u64 = 16 << 20;
const PAGE: u64 = 64 << 10;
const NOW: Seconds = Seconds(100);

/// An engine over a file, which tells how much memory is resident.
fn on_file(budget: &Arc<Budget>) -> (Engine, EngineConfig) {
    let config = EngineConfig {
        memory_file: Some(memory_file(64 << 20)),
        ..config()
    };
    let engine = Engine::new(config.clone(), Arc::clone(budget)).unwrap();
    (engine, config)
}

fn resident(config: &EngineConfig) -> u64 {
    let file = &config.memory_file.as_ref().unwrap().file;
    file.metadata().unwrap().blocks() * 512
}

fn fill(engine: &mut Engine, bytes: usize) {
    for number in 0..bytes / 1000 {
        let key = number.to_be_bytes();
        let store = Store {
            mode: StoreMode::Set,
            key: &key,
            hash: hash(&key),
            client_flags: 0,
            deadline: Deadline::NEVER,
            value: &[b'v'; 960],
            extras: Default::default(),
        };
        engine.store(&store, NOW);
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let budget = Budget::new(256 << 20);
    let config = EngineConfig {
        segment_bytes: 256 << 20,
        ..config()
    };
    let mut engine = Engine::new(config, Arc::clone(&budget)).unwrap();
    let asked = std::cell::Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 2;
    engine.prefault(256 << 20, stop).unwrap();
    assert_eq!(asked.get(), 3, "it is asked before each step");
    let there = budget.prefaulted_bytes();
    assert_eq!(there, 128 << 20, "two steps of 64 MiB");
    // It behaves as any other prefaulted memory.
    fill(&mut engine, 10 << 20);
    assert!(budget.prefaulted_bytes() < there - (9 << 20));
    engine.check_integrity();
}

#[test]
fn memory_is_there_before_it_is_used() {
    let budget = Budget::new(LIMIT);
    let (mut engine, config) = on_file(&budget);
    assert!(resident(&config) < LIMIT / 8);
    engine.prefault(LIMIT, || false).unwrap();
    assert!(resident(&config) > LIMIT - 3 * PAGE);
    assert!(resident(&config) <= LIMIT + PAGE);
    let (used, unused) = (budget.used_bytes(), budget.prefaulted_bytes());
    assert!(used < LIMIT / 8, "it is charged when it is drawn");
    assert!(used + unused <= LIMIT && used + unused > LIMIT - 2 * PAGE);
    assert_eq!(engine.memory_report().prefaulted_bytes, unused);
    fill(&mut engine, LIMIT as usize / 2);
    assert!(budget.used_bytes() > LIMIT / 2);
    assert!(budget.used_bytes() + budget.prefaulted_bytes() <= LIMIT);
    assert!(resident(&config) <= LIMIT + PAGE);
    engine.check_integrity();
    fill(&mut engine, 2 * LIMIT as usize);
    assert!(budget.prefaulted_bytes() < PAGE, "all of it is used");
    assert!(resident(&config) <= LIMIT + PAGE);
    engine.check_integrity();
    drop(engine);
    assert_eq!((budget.used_bytes(), budget.prefaulted_bytes()), (0, 0));
}

#[test]
fn a_shard_takes_what_another_does_not_use() {
    let budget = Budget::new(LIMIT);
    let mut shards: Vec<_> = (0..4).map(|_| on_file(&budget)).collect();
    for (engine, _) in &mut shards {
        engine.prefault(LIMIT / 4, || false).unwrap();
    }
    let there = |shards: &[(Engine, EngineConfig)]| -> u64 {
        shards.iter().map(|(_, config)| resident(config)).sum()
    };
    assert!(there(&shards) > LIMIT - 8 * PAGE);
    for number in 1..=3 * LIMIT as usize / 4 / 200_000 {
        fill(&mut shards[0].0, number * 200_000);
        assert!(budget.used_bytes() + budget.prefaulted_bytes() <= LIMIT);
        assert!(there(&shards) <= LIMIT + 4 * PAGE);
    }
    let (engine, _) = &shards[0];
    assert_eq!(engine.stats().evictions, 0, "all memory is for all");
    let left = shards
        .iter()
        .map(|it| it.0.memory_report().prefaulted_bytes);
    let left: Vec<u64> = left.collect();
    assert_eq!(left[0], 0);
    assert_eq!(left.iter().sum::<u64>(), budget.prefaulted_bytes());
    assert!(
        left[1].abs_diff(left[3]) <= PAGE,
        "each gave its part: {left:?}"
    );
    for (engine, _) in &mut shards[1..] {
        fill(engine, LIMIT as usize / 16);
        engine.check_integrity();
    }
    assert!(there(&shards) <= LIMIT + 4 * PAGE);
}

#[test]
fn shards_on_their_own_threads_stay_below_the_limit() {
    let budget = Budget::new(LIMIT);
    let shards: Vec<_> = (0..4)
        .map(|_| {
            let mut shard = on_file(&budget);
            shard.0.prefault(LIMIT / 4, || false).unwrap();
            shard
        })
        .collect();
    let threads: Vec<_> = shards
        .into_iter()
        .enumerate()
        .map(|(number, (mut engine, config))| {
            std::thread::spawn(move || {
                // The first takes the others' memory while they use it themselves.
                fill(&mut engine, LIMIT as usize >> number);
                engine.check_integrity();
                (engine, config)
            })
        })
        .collect();
    let mut there = 0;
    let mut shards = Vec::new();
    for thread in threads {
        let (engine, config) = thread.join().unwrap();
        there += resident(&config);
        shards.push(engine);
    }
    assert!(there <= LIMIT + 4 * PAGE);
    drop(shards);
    assert_eq!((budget.used_bytes(), budget.prefaulted_bytes()), (0, 0));
}

#[test]
fn a_lower_limit_gives_unused_memory_back_first() {
    let budget = Budget::new(LIMIT);
    let (mut engine, config) = on_file(&budget);
    engine.prefault(LIMIT, || false).unwrap();
    fill(&mut engine, LIMIT as usize / 4);
    budget.set_limit_bytes(LIMIT / 2);
    while engine.trim(64) {}
    assert!(budget.used_bytes() + budget.prefaulted_bytes() <= LIMIT / 2);
    assert!(resident(&config) <= LIMIT / 2 + PAGE);
    assert!(budget.prefaulted_bytes() > LIMIT / 8);
    assert_eq!(engine.stats().evictions, 0);
    budget.set_limit_bytes(LIMIT / 8);
    while engine.trim(64) {}
    assert_eq!(budget.prefaulted_bytes(), 0);
    assert!(resident(&config) <= LIMIT / 8 + PAGE);
    engine.check_integrity();
}

#[test]
fn a_restart_populates_what_it_does_not_hold() {
    let budget = Budget::new(LIMIT);
    let (mut engine, config) = on_file(&budget);
    engine.prefault(LIMIT, || false).unwrap();
    fill(&mut engine, LIMIT as usize / 4);
    let held = engine.stats().charged_bytes;
    let saved = engine.save([7; 16]);
    drop(engine);
    assert!(
        resident(&config) <= held + 2 * PAGE,
        "nobody would know of the rest"
    );
    let budget = Budget::new(LIMIT);
    let mut engine = Engine::restore(config.clone(), Arc::clone(&budget), &saved).unwrap();
    engine.prefault(LIMIT, || false).unwrap();
    assert!(resident(&config) > LIMIT - 3 * PAGE);
    assert_eq!(engine.stats().charged_bytes, held);
    assert!(held + budget.prefaulted_bytes() <= LIMIT);
    fill(&mut engine, 2 * LIMIT as usize);
    assert!(resident(&config) <= LIMIT + PAGE);
    engine.check_integrity();
}

#[test]
fn a_shard_that_shares_with_nobody_keeps_its_pages() {
    for keeps_pages in [false, true] {
        let budget = Budget::new(LIMIT);
        let file = memory_file(64 << 20);
        let config = EngineConfig {
            keeps_pages,
            memory_file: Some(file),
            ..config()
        };
        let mut engine = Engine::new(config.clone(), Arc::clone(&budget)).unwrap();
        engine.prefault(LIMIT, || false).unwrap();
        fill(&mut engine, LIMIT as usize / 2);
        engine.flush_all(None, NOW);
        let later = Seconds(NOW.0 + 1);
        while !engine.sweep(later, 1000).wrapped {}
        // Pages are given back when nobody has needed them for a second.
        for second in 1..5 {
            while engine.maintain(Seconds(NOW.0 + second)) {}
        }
        let freed = engine.memory_report().free_page_bytes;
        assert_eq!(freed > LIMIT / 4, keeps_pages);
        assert_eq!(resident(&config) > LIMIT - 3 * PAGE, keeps_pages);
        engine.check_integrity();
    }
}
