//! Times across every border: of the bits in which they are kept, and of clocks of 31 and 32 bits.

use corecached_engine::{
    Deadline, Engine, Fetch, MetaFetch, Recache, Seconds, Store, StoreMode, TouchOutcome,
    WalkCursor,
};

use crate::support::{Rng, config, engine, engine_with, hash, memory_file};

const START: Seconds = Seconds(2);
/// Seconds after which the kept bits of the last access would wrap around.
const MODULUS: u32 = 1 << 24;
/// The longest age that the engine tells.
const AGE_MAX: u32 = MODULUS / 2;

fn set(engine: &mut Engine, key: &[u8], deadline: Deadline, now: Seconds) {
    let store = Store {
        mode: StoreMode::Set,
        key,
        hash: hash(key),
        client_flags: 0,
        deadline,
        value: b"value",
        extras: Default::default(),
    };
    assert!(engine.store(&store, now).cas().is_some());
}

fn is_there(engine: &mut Engine, key: &[u8], now: Seconds) -> bool {
    engine.get(key, hash(key), now, Fetch::Quiet).is_some()
}

fn age(engine: &mut Engine, key: &[u8], now: Seconds) -> Option<u32> {
    engine
        .get(key, hash(key), now, Fetch::Quiet)
        .map(|hit| hit.idle_seconds())
}

/// Flushed items stay dead, however much time passes without a sweep, and in whatever leaps.
#[test]
fn what_was_flushed_stays_dead() {
    let months = 30 * 24 * 60 * 60;
    for step in [1 << 20, months, MODULUS - 1, MODULUS, MODULUS + 5, 1 << 31] {
        let mut engine = engine(1 << 20);
        let mut now = START;
        for number in 0..200_u32 {
            set(&mut engine, &number.to_be_bytes(), Deadline::NEVER, now);
        }
        engine.flush_all(None, now);
        set(&mut engine, b"after", Deadline::NEVER, now);
        for number in 0..200_u32 {
            now = Seconds(now.0.saturating_add(step));
            let key = number.to_be_bytes();
            assert!(!is_there(&mut engine, &key, now), "{number} at {now:?}");
            assert!(is_there(&mut engine, b"after", now), "at {now:?}");
        }
        assert_eq!(engine.stats().get_flushed, 200);
        engine.check_integrity();
    }
}

/// Flushed items stay dead if the flush comes when they have not been used for long, around the modulus and its
/// multiples.
#[test]
fn what_was_long_unused_is_flushed() {
    for idle in [
        AGE_MAX,
        MODULUS - 3,
        MODULUS - 1,
        MODULUS,
        MODULUS + 3,
        2 * MODULUS + 1,
    ] {
        for swept in [false, true] {
            let mut engine = engine(1 << 20);
            set(&mut engine, b"old", Deadline::NEVER, START);
            let now = Seconds(START.0 + idle);
            if swept {
                while !engine.sweep(Seconds(now.0 - 10), 100).wrapped {}
            }
            assert!(is_there(&mut engine, b"old", Seconds(now.0 - 1)));
            engine.flush_all(None, now);
            set(&mut engine, b"new", Deadline::NEVER, now);
            for later in [0, 1, 5, MODULUS - idle % MODULUS, MODULUS] {
                let now = Seconds(now.0 + later);
                assert!(!is_there(&mut engine, b"old", now) && is_there(&mut engine, b"new", now));
                set(&mut engine, b"new", Deadline::NEVER, now);
            }
        }
    }
}

/// However many flushes a second brings, ages are seconds.
#[test]
fn flushes_do_not_bend_ages() {
    let mut engine = engine(1 << 20);
    let mut now = Seconds(100);
    for number in 0..20_000_u32 {
        set(&mut engine, b"k", Deadline::NEVER, now);
        let at = [None, Some(now), Some(Seconds(now.0 + 60))][number as usize % 3];
        engine.flush_all(at, now);
        let is_flushed = number % 3 < 2;
        assert_eq!(is_there(&mut engine, b"k", now), !is_flushed);
    }
    engine.flush_all(None, now);
    set(&mut engine, b"k", Deadline::NEVER, now);
    for passed in 0..10 {
        assert_eq!(age(&mut engine, b"k", now), Some(passed));
        let mut shown = 0;
        engine.walk(&mut WalkCursor::default(), now, 1000, |item| {
            assert_eq!(item.last_access, Seconds(100));
            shown += 1;
        });
        assert_eq!(shown, 1);
        assert!(
            engine
                .class_stats()
                .iter()
                .all(|class| class.age == 0 || class.age == u64::from(passed))
        );
        now.0 += 1;
    }
}

/// Years of uptime: with walks now and then, every age up to 97 days is exact, and a longer one is never shorter than
/// that.
#[test]
fn ages_are_right_for_years() {
    let mut engine = engine(1 << 20);
    let mut rng = Rng::new(1);
    let mut now = START;
    let mut used = [now; 50];
    for key in 0..used.len() as u8 {
        set(&mut engine, &[key], Deadline::NEVER, now);
    }
    while now.0 < 1 << 28 {
        now.0 += rng.below(1 << 18) as u32;
        while engine.maintain(now) {}
        let key = rng.below(used.len() * 4).min(used.len() - 1);
        let idle = now.0 - used[key].0;
        let hit = engine.get(&[key as u8], hash(&[key as u8]), now, Fetch::Count);
        let told = hit.expect("nothing evicts it").idle_seconds();
        if idle <= AGE_MAX {
            assert_eq!(told, idle, "at {now:?}");
        } else {
            assert!(
                (AGE_MAX..=idle).contains(&told),
                "{told} for {idle} at {now:?}"
            );
        }
        used[key] = now;
    }
    assert!(
        engine.stats().crawler_items_checked < 50_000,
        "it walks seldom"
    );
}

/// More flushes than there are stamps, each of which kills an item, without a call of `sweep`.
#[test]
fn stamps_are_never_used_up() {
    let mut engine = engine(1 << 20);
    let now = Seconds(100);
    set(&mut engine, b"first", Deadline::NEVER, now);
    let flushes = if cfg!(miri) { 1000 } else { MODULUS + 10 };
    for _ in 0..flushes {
        set(&mut engine, b"k", Deadline::NEVER, now);
        engine.flush_all(None, now);
    }
    set(&mut engine, b"last", Deadline::NEVER, now);
    assert!(!is_there(&mut engine, b"first", now) && !is_there(&mut engine, b"k", now));
    assert_eq!(age(&mut engine, b"last", Seconds(107)), Some(7));
    engine.check_integrity();
}

/// A delayed flush is replaced by any later one, and takes effect when its second comes, even in a leap of time.
#[test]
fn the_last_flush_counts() {
    let now = Seconds(100);
    let later = |seconds| Some(Seconds(now.0 + seconds));
    for (flushes, dies_at) in [
        (vec![later(10)], Some(110)),
        (vec![later(10), later(20)], Some(120)),
        (vec![later(20), later(10)], Some(110)),
        (vec![later(10), None], Some(100)),
        (vec![later(1 << 30)], Some(100 + (1 << 30))),
        (vec![later(u32::MAX - 101)], Some(u32::MAX - 1)),
        (vec![Some(Seconds(1))], Some(100)),
        (vec![], None),
    ] {
        for leap in [false, true] {
            let mut engine = engine(1 << 20);
            set(&mut engine, b"k", Deadline::NEVER, now);
            for &at in &flushes {
                engine.flush_all(at, now);
            }
            let dies_at = dies_at.unwrap_or(u32::MAX);
            if !leap && dies_at > now.0 {
                assert!(
                    is_there(&mut engine, b"k", Seconds(dies_at - 1)),
                    "{flushes:?}"
                );
            }
            let dead = dies_at != u32::MAX;
            assert_eq!(
                is_there(&mut engine, b"k", Seconds(dies_at)),
                !dead,
                "{flushes:?}"
            );
            set(&mut engine, b"k", Deadline::NEVER, Seconds(dies_at));
            assert!(
                is_there(&mut engine, b"k", Seconds(u32::MAX)),
                "{flushes:?}"
            );
        }
    }
}

/// Deadlines on both sides of each border, found by a lookup, the sweep and the reaper.
#[test]
fn deadlines_across_each_border() {
    for border in [30 * 86_400, AGE_MAX, MODULUS, 1 << 31, u32::MAX - 2] {
        for around in border - 2..=border + 1 {
            let deadline = Deadline(around);
            let mut engine = engine(1 << 20);
            for key in [b"got", b"swe", b"rea"] {
                set(&mut engine, key, deadline, START);
            }
            let before = Seconds(around - 1);
            while !engine.sweep(before, 100).wrapped {}
            while !engine.reap(before, 100, 1).wrapped {}
            assert_eq!(engine.stats().curr_items, 3, "before {around}");
            assert_eq!(
                age(&mut engine, b"swe", before).map(|age| age <= around),
                Some(true)
            );
            let now = Seconds(around);
            assert!(!is_there(&mut engine, b"got", now), "at {around}");
            while !engine.reap(now, 100, 1000).wrapped {}
            while !engine.sweep(now, 100).wrapped {}
            assert_eq!(engine.stats().curr_items, 0, "at {around}");
        }
    }
}

/// The engine does not follow a clock that goes back: no item comes to life again, and live items stay.
#[test]
fn time_does_not_go_back() {
    let mut engine = engine(1 << 20);
    set(&mut engine, b"short", Deadline(50), START);
    set(&mut engine, b"long", Deadline(500), START);
    assert!(!is_there(&mut engine, b"short", Seconds(60)));
    set(&mut engine, b"short", Deadline(55), Seconds(10));
    assert!(
        !is_there(&mut engine, b"short", Seconds(10)),
        "dead on arrival"
    );
    assert!(is_there(&mut engine, b"long", Seconds(10)));
    engine.flush_all(Some(Seconds(59)), Seconds(10));
    assert!(
        !is_there(&mut engine, b"long", Seconds(10)),
        "that second has been"
    );
}

/// A touch that is no use of the item keeps its age, even if the item has to move for its deadline.
#[test]
fn a_moved_item_keeps_its_age() {
    let mut engine = engine(1 << 20);
    let fetch = Fetch::Meta(MetaFetch {
        bump: false,
        deadline: Some(Deadline(u32::MAX)),
        recache: Recache::Never,
        create: None,
    });
    for idle in [7, 1 << 21, MODULUS] {
        set(&mut engine, b"k", Deadline::NEVER, START);
        let now = Seconds(engine_now(&mut engine) + idle);
        assert!(engine.get(b"k", hash(b"k"), now, fetch).is_some());
        let told = age(&mut engine, b"k", now).unwrap();
        // After a leap of more than 72 days ages are too small.
        assert!(
            told == idle || idle > AGE_MAX && told < idle,
            "{told} for {idle}"
        );
        while engine.maintain(now) {}
    }
    let now = Seconds(engine_now(&mut engine));
    assert_eq!(
        engine.touch(b"k", hash(b"k"), Deadline(1), now),
        TouchOutcome::Touched
    );
    assert!(!is_there(&mut engine, b"k", now));
}

/// The time of an engine, taken from an item just stored.
fn engine_now(engine: &mut Engine) -> u32 {
    set(engine, b"probe", Deadline::NEVER, START);
    let hit = engine.get(b"probe", hash(b"probe"), START, Fetch::Quiet);
    hit.unwrap().last_access().0
}

/// A restart after 200 days: items that were flushed before it are dead after it.
#[test]
fn a_flush_outlives_a_long_pause() {
    let config = corecached_engine::EngineConfig {
        memory_file: Some(memory_file(config().segment_bytes)),
        ..config()
    };
    let (mut engine, budget) = engine_with(config.clone(), 1 << 20);
    set(&mut engine, b"flushed", Deadline::NEVER, START);
    engine.flush_all(None, START);
    set(&mut engine, b"live", Deadline::NEVER, START);
    let saved = engine.save([7; 16]);
    drop(engine);
    let mut engine = Engine::restore(config, budget, &saved).unwrap();
    let now = Seconds(START.0 + MODULUS);
    assert!(!is_there(&mut engine, b"flushed", now) && is_there(&mut engine, b"live", now));
    engine.flush_all(None, now);
    assert!(!is_there(&mut engine, b"live", now));
}
