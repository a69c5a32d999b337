//! Dead items: their memory comes back soon, at a cost in proportion to the number of dead items.

use corecached_engine::{Deadline, Engine, Seconds, Store, StoreMode};

use crate::support::{Rng, engine, hash};

const NOW: Seconds = Seconds(100);

fn set(engine: &mut Engine, number: u32, value_bytes: usize, deadline: u32, now: Seconds) {
    let key = number.to_be_bytes();
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: Deadline(deadline),
        value: &vec![1; value_bytes],
        extras: Default::default(),
    };
    engine.store(&store, now);
}

/// One pass: chunks looked at, items reclaimed.
fn reap(engine: &mut Engine, now: Seconds, one_in: u32) -> (usize, usize) {
    let (mut looked, mut reclaimed) = (0, 0);
    loop {
        let progress = engine.reap(now, 128, one_in);
        looked += progress.looked;
        reclaimed += progress.reclaimed;
        assert!(progress.looked <= 128);
        if progress.wrapped {
            return (looked, reclaimed);
        }
    }
}

#[test]
fn the_reaper_goes_where_the_dead_are() {
    let mut engine = engine(32 << 20);
    engine.maintain(NOW);
    for number in 0..100_000 {
        set(&mut engine, number, 100, 0, NOW);
    }
    for number in 100_000..110_000 {
        set(&mut engine, number, 100, NOW.0 + 10, NOW);
    }
    let (looked, reclaimed) = reap(&mut engine, Seconds(NOW.0 + 5), 16);
    assert_eq!(reclaimed, 0);
    assert!(looked < 200, "looked at {looked} chunks while all live");
    let (looked, reclaimed) = reap(&mut engine, Seconds(NOW.0 + 11), 16);
    assert_eq!(reclaimed, 10_000);
    assert!(looked < 12_000, "looked at {looked} chunks for 10,000 dead");
    engine.check_integrity();
}

#[test]
fn what_a_flush_kills_is_reaped() {
    let mut engine = engine(32 << 20);
    for number in 0..50_000 {
        set(&mut engine, number, number as usize % 300, 0, NOW);
    }
    engine.flush_all(None, NOW);
    for number in 50_000..50_010 {
        set(&mut engine, number, 100, 0, NOW);
    }
    let (_, reclaimed) = reap(&mut engine, NOW, 10_000);
    assert_eq!((reclaimed, engine.stats().curr_items), (50_000, 10));
    let (looked, _) = reap(&mut engine, NOW, 10_000);
    assert!(
        looked < 1000,
        "looked at {looked} chunks after all was reaped"
    );
    engine.check_integrity();
}

/// Live items that are asked for steadily, beside many items that live for ten seconds. The reaper passes once a
/// second.
#[test]
fn short_lives_do_not_evict_long_ones() {
    let mut engine = engine(16 << 20);
    let mut rng = Rng::new(1);
    let mut now = NOW;
    for number in 0..50_000 {
        set(&mut engine, number, 100, 0, now);
    }
    let room = (16 << 20) - engine.stats().charged_bytes;
    // As many items that live for ten seconds as fit beside the others, with a tenth to spare.
    let rate = (room / 150 / 11) as u32;
    let mut next = 1_000_000;
    for _ in 0..100 {
        now.0 += 1;
        engine.maintain(now);
        reap(&mut engine, now, 64);
        for _ in 0..rate {
            set(&mut engine, next, 90 + rng.below(20), now.0 + 10, now);
            next += 1;
        }
    }
    assert_eq!(engine.stats().evictions, 0, "{:?}", engine.stats());
    engine.check_integrity();
}

/// One pass a second finds items that die together as soon as they have died, however long they live, and looks at few
/// pages in vain before. That also holds if other items die not much later.
#[test]
fn a_part_that_dies_together_is_found_at_once() {
    for life in [5, 16, 32, 40, 63, 64, 100, 300, 1024, 2000] {
        a_fifth_dies(life, None);
        a_fifth_dies(life, Some(life + life / 2 + 1));
        a_fifth_dies(life, Some(life + life / 4 + 1));
    }
}

/// A fifth of the items lives for `life` seconds, the others for `longer` or for ever.
fn a_fifth_dies(life: u32, longer: Option<u32>) {
    const ITEMS: u32 = 20_000;
    let mut engine = engine(32 << 20);
    let mut now = NOW;
    engine.maintain(now);
    let deadline_of = |life| now.0 + life;
    for number in 0..ITEMS {
        let deadline = if number % 5 == 0 {
            deadline_of(life)
        } else {
            longer.map_or(0, deadline_of)
        };
        set(&mut engine, number, 100, deadline, now);
    }
    let mut in_vain = 0;
    while now.0 < NOW.0 + life - 1 {
        now.0 += 1;
        let (looked, reclaimed) = reap(&mut engine, now, 16);
        assert_eq!(reclaimed, 0);
        in_vain += looked.saturating_sub(100);
    }
    let visits = in_vain.div_ceil(ITEMS as usize);
    assert!(
        visits <= 4,
        "{visits} visits in vain for {life}, {longer:?}"
    );
    now.0 += 1;
    reap(&mut engine, now, 16);
    let left = engine.stats().curr_items - u64::from(ITEMS / 5 * 4);
    // A page that holds other items may have a few dead ones.
    assert!(
        left <= u64::from(ITEMS) / 1000,
        "{left} left of {life}, {longer:?}"
    );
    engine.check_integrity();
}

/// Each command that stores over a dead item reclaims it. A command that does not store, or finds nothing, reclaims
/// nothing.
#[test]
fn what_is_stored_over_the_dead_is_counted() {
    let mut engine = engine(8 << 20);
    let reclaimed = |engine: &Engine| {
        let of_classes: u64 = engine
            .class_stats()
            .iter()
            .map(|class| class.reclaimed)
            .sum();
        assert_eq!(engine.stats().reclaimed, of_classes);
        of_classes
    };
    let mut now = NOW;
    for (count, deadline) in (0..10).zip([1, 0].into_iter().cycle()) {
        set(&mut engine, 1, 100, deadline, now);
        assert_eq!(reclaimed(&engine), count);
        if deadline == 0 {
            engine.flush_all(None, now);
        }
        now.0 += 1;
        // The next item takes its place.
    }
    set(&mut engine, 1, 100, now.0 + 1, now);
    let count = reclaimed(&engine);
    now.0 += 5;
    let key = 1_u32.to_be_bytes();
    assert!(
        engine
            .get(&key, hash(&key), now, corecached_engine::Fetch::Count)
            .is_none()
    );
    set(&mut engine, 1, 100, 0, now);
    set(&mut engine, 1, 100, 0, now);
    set(&mut engine, 2, 100, 0, now);
    assert_eq!(reclaimed(&engine), count, "it was gone before");
    // A large value, over a flushed one.
    engine.flush_all(None, now);
    set(&mut engine, 1, 300_000, 0, now);
    assert_eq!(reclaimed(&engine), count + 1);
    engine.check_integrity();
}
