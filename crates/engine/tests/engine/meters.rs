//! `stats reset` changes the figures that are shown, and nothing that the engine does.

use corecached_engine::{Deadline, Engine, Fetch, Seconds, Store, StoreExtras, StoreMode};

use crate::support::{Rng, engine_with, hash};

/// Key and value of a store, or a get.
fn operate(engine: &mut Engine, rng: &mut Rng, now: Seconds) -> bool {
    // Sizes that change with time, so that pages move between classes; some values are chains.
    let era = now.0 as usize / 20 % 4;
    let key = format!("key-{}", rng.below(900) * rng.below(900) / 300).into_bytes();
    if rng.one_in(3) {
        return engine.get(&key, hash(&key), now, Fetch::Count).is_some();
    }
    let longest = [40, 300, 9_000, 150_000][(era + rng.below(2)) % 4];
    let value = vec![b'v'; rng.below(longest)];
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: match rng.one_in(5) {
            true => Deadline(now.0 + 10),
            false => Deadline::NEVER,
        },
        extras: StoreExtras::default(),
        value: &value,
    };
    engine.store(&store, now).cas().is_some()
}

/// Everything that happens in a run, and the most work that one operation does.
fn run(resets: bool) -> (Vec<bool>, Vec<Vec<u8>>, u64) {
    let (mut engine, _) = engine_with(crate::support::config(), 3 << 20);
    let mut rng = Rng::new(11);
    let (mut outcomes, mut evicted, mut work_max) = (Vec::new(), Vec::new(), 0);
    engine.record_events(true);
    for step in 0..40_000 {
        let now = Seconds(2 + step / 400);
        let before = engine.stats().work;
        outcomes.push(operate(&mut engine, &mut rng, now));
        work_max = work_max.max(engine.stats().work - before);
        if step % 10 == 0 {
            engine.maintain(now);
            engine.reap(now, 64, 16);
            engine.sweep(now, 64);
        }
        engine.take_events(|event| evicted.push(format!("{event:?}").into_bytes()));
        if resets {
            engine.reset_stats();
        }
    }
    engine.check_integrity();
    (outcomes, evicted, work_max)
}

#[test]
fn a_reset_of_statistics_changes_nothing_else() {
    let (plain, reset) = (run(false), run(true));
    assert!(plain.1.len() > 5_000, "{} events", plain.1.len());
    assert!(plain.0 == reset.0, "outcomes");
    assert!(plain.1 == reset.1, "evictions and moves of pages");
    assert_eq!(plain.2, reset.2, "the most work of a call");
}

#[test]
fn what_is_shown_begins_anew() {
    let (mut engine, _) = engine_with(crate::support::config(), 1 << 20);
    let (mut rng, now) = (Rng::new(3), Seconds(2));
    let mut hits_of = |engine: &mut Engine| {
        let hits = engine.stats().get_hits;
        while engine.stats().get_hits < hits + 50 || engine.stats().evictions == 0 {
            operate(engine, &mut rng, now);
        }
    };
    hits_of(&mut engine);
    let before = engine.vitals();
    engine.reset_stats();
    let stats = engine.stats();
    assert_eq!(
        (stats.get_hits, stats.evictions, stats.evicted_bytes),
        (0, 0, 0)
    );
    assert_eq!(stats.curr_items, before.items);
    assert_eq!(engine.vitals(), before);
    hits_of(&mut engine);
    let by_class = engine.class_stats();
    let hits: u64 = by_class.iter().map(|class| class.get_hits).sum();
    let evicted: u64 = by_class.iter().map(|class| class.evicted).sum();
    let stats = engine.stats();
    assert_eq!((hits, evicted), (stats.get_hits, stats.evictions));
    assert_eq!(engine.vitals().hits, before.hits + hits);
}
