//! Sizes of values that change: memory follows, and nothing is refused while anything can be evicted.

use std::ops::Range;

use corecached_engine::{
    Deadline, Engine, EngineConfig, Fetch, Reserve, Room, Seconds, Space, Store, StoreExtras,
    StoreMode, StoreOutcome,
};

use crate::support::{Rng, config, engine, engine_with, hash};

const LIMIT: u64 = 16 << 20;

/// Longer values are received into the cache's memory, as in the server.
const AT_ONCE_BYTES: usize = 64 << 10;
/// Bytes of memory asked for in one call for such values, at first and at last.
const WINDOW: Range<usize> = 32 << 10..256 << 10;

fn set(engine: &mut Engine, number: usize, value_bytes: usize, now: Seconds) -> StoreOutcome {
    let key = number.to_be_bytes();
    if value_bytes > AT_ONCE_BYTES {
        return receive(engine, &key, value_bytes, now);
    }
    let store = Store {
        mode: StoreMode::Set,
        key: &key,
        hash: hash(&key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        value: &vec![1; value_bytes],
        extras: StoreExtras::default(),
    };
    engine.store(&store, now)
}

fn receive(engine: &mut Engine, key: &[u8], value_bytes: usize, now: Seconds) -> StoreOutcome {
    let reserve = Reserve {
        key,
        hash: hash(key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        value_bytes,
        extras: StoreExtras::default(),
    };
    let mut staged = match engine.reserve(&reserve, now) {
        Ok(staged) => staged,
        Err(why) => return why.into(),
    };
    let mut spaces: Vec<Space> = Vec::new();
    while staged.missing_bytes() > 0 {
        let come = value_bytes - staged.missing_bytes();
        let wanted = come.clamp(WINDOW.start, WINDOW.end);
        if engine.staged_space(&mut staged, wanted, &mut spaces) == Room::OutOfMemory {
            engine.abort(staged);
            return StoreOutcome::OutOfMemory;
        }
        for space in spaces.drain(..) {
            // SAFETY: the space is the caller's alone until the value is committed.
            unsafe { space.ptr.write_bytes(1, space.len) };
        }
    }
    engine.commit(staged, StoreMode::Set, &StoreExtras::default(), now)
}

/// A cache in front of a store: keys of a skewed stream are asked for and stored when they are missing. Returns the
/// share of hits.
fn stream(
    engine: &mut Engine,
    rng: &mut Rng,
    clock: &mut u32,
    size: usize,
    requests: usize,
) -> f64 {
    let keys = 4 * LIMIT as usize / size;
    let mut hits = 0;
    for request in 0..requests {
        // Some 20,000 requests a second: the whole shift is a matter of seconds.
        if request % 20_000 == 0 {
            *clock += 1;
        }
        let number = size * 10_000_000 + rng.below(keys) * rng.below(keys) / keys;
        let (key, now) = (number.to_be_bytes(), Seconds(*clock));
        if engine.get(&key, hash(&key), now, Fetch::Count).is_some() {
            hits += 1;
        } else {
            let outcome = set(engine, number, size, now);
            assert!(
                matches!(outcome, StoreOutcome::Stored { .. }),
                "{outcome:?}"
            );
        }
        if request % 500 == 0 {
            engine.maintain(now);
        }
    }
    f64::from(hits) / requests as f64
}

/// Requests that store as many bytes as fit, if two in five miss.
fn turnover(size: usize) -> usize {
    LIMIT as usize / size * 5 / 2
}

/// The share of hits after `steps` of sizes, each for twice the turnover of the data, beside that of a fresh cache.
fn after_shifts(sizes: &[usize]) -> (f64, f64, Engine) {
    let mut rng = Rng::new(sizes[0] as u64);
    let (mut shifted, mut clock) = (engine(LIMIT), 10);
    let (&after, before) = sizes.split_last().unwrap();
    for (step, &size) in before.iter().enumerate() {
        let turnovers = if step == 0 { 3 } else { 2 };
        let requests = turnovers * turnover(size);
        stream(&mut shifted, &mut rng, &mut clock, size, requests);
    }
    let settling = 2 * turnover(after);
    stream(&mut shifted, &mut rng, &mut clock, after, settling);
    let (mut fresh, mut clock_of_fresh) = (engine(LIMIT), 10);
    stream(&mut fresh, &mut rng, &mut clock_of_fresh, after, settling);
    // Both caches get the same requests, and enough of them: with 8,000 different requests a share of hits is known
    // only to 0.01.
    let requests = turnover(after).max(20_000);
    let ours = stream(&mut shifted, &mut rng.clone(), &mut clock, after, requests);
    let theirs = stream(&mut fresh, &mut rng, &mut clock_of_fresh, after, requests);
    (ours, theirs, shifted)
}

/// The cache holds 32 or 33 values of 500,000 bytes: a single page that other items have costs 0.015.
#[test]
fn after_a_shift_of_sizes_the_hits_are_those_of_a_fresh_cache() {
    let drift = [100, 150, 225, 340, 500, 750, 1100, 1700, 2500, 3800];
    let shifts: [&[usize]; 12] = [
        &[100, 1000],
        &[1000, 100],
        &[60, 20_000],
        &[90_000, 300],
        &[500, 90_000],
        &[300, 500_000],
        &[90_000, 500_000],
        &[40, 90_000],
        &[90_000, 40],
        &[500_000, 100],
        &[200, 90_000, 200, 90_000],
        &drift,
    ];
    for sizes in shifts {
        let (ours, theirs, shifted) = after_shifts(sizes);
        println!("{sizes:?} bytes: {ours:.3} of requests hit, {theirs:.3} when fresh");
        assert!(
            ours > theirs - 0.025,
            "{sizes:?} bytes: {ours:.3} of requests hit, {theirs:.3} when fresh: {:?}",
            shifted.stats()
        );
        shifted.check_integrity();
    }
}

#[test]
fn large_values_find_memory_in_a_tiny_cache() {
    for limit in [2 << 20, 3 << 20] {
        let config = EngineConfig {
            page_bytes: EngineConfig::page_bytes_for(limit, 4),
            ..config()
        };
        let (mut engine, _budget) = engine_with(config, limit);
        let mut rng = Rng::new(limit);
        for number in 0..3000 {
            let size = if number % 3 == 0 {
                66_000
            } else {
                rng.below(2000)
            };
            let outcome = set(&mut engine, number, size, Seconds(10));
            assert!(
                matches!(outcome, StoreOutcome::Stored { .. }),
                "{outcome:?}"
            );
        }
        engine.check_integrity();
    }
}

#[test]
fn values_of_a_megabyte_find_memory_among_small_ones() {
    let config = EngineConfig {
        item_size_max: 2 << 20,
        page_bytes: EngineConfig::page_bytes_for(64 << 20, 1),
        segment_bytes: 128 << 20,
        ..config()
    };
    let (mut engine, _budget) = engine_with(config, 64 << 20);
    for number in 0..400_000 {
        let size = if number % 4000 == 3999 {
            1 << 20
        } else {
            number % 300
        };
        let outcome = set(
            &mut engine,
            number,
            size,
            Seconds(10 + number as u32 / 100_000),
        );
        assert!(
            matches!(outcome, StoreOutcome::Stored { .. }),
            "{outcome:?}"
        );
    }
    engine.check_integrity();
}

/// Gets `number` keys of `bytes` in a skewed way, storing what is missing; the share of hits.
fn ask(
    engine: &mut Engine,
    rng: &mut Rng,
    keys: usize,
    bytes: usize,
    requests: usize,
    now: Seconds,
) -> f64 {
    let mut hits = 0;
    for request in 0..requests {
        let number = bytes * 10_000_000 + rng.below(keys) * rng.below(keys) / keys;
        let key = number.to_be_bytes();
        if engine.get(&key, hash(&key), now, Fetch::Count).is_some() {
            hits += 1;
        } else {
            let outcome = set(engine, number, bytes, now);
            assert!(
                matches!(outcome, StoreOutcome::Stored { .. }),
                "{outcome:?}"
            );
        }
        if request % 500 == 0 {
            engine.maintain(now);
        }
    }
    f64::from(hits) / requests as f64
}

#[test]
fn a_mix_of_two_sizes_that_flips_keeps_its_hits() {
    let (small, large) = (100, 3000);
    let mut rng = Rng::new(5);
    let (mut flipped, mut steady) = (engine(LIMIT), engine(LIMIT));
    let mix = |engine: &mut Engine, rng: &mut Rng, small_share: usize, now: u32| {
        let mut hits = 0.0;
        for _ in 0..100 {
            let requests = 10 * small_share;
            hits += ask(engine, rng, 300_000, small, requests, Seconds(now));
            hits += ask(engine, rng, 10_000, large, 1000 - requests, Seconds(now));
        }
        hits / 200.0
    };
    for (time, small_share) in [90, 90, 10, 10, 90, 90].into_iter().enumerate() {
        mix(&mut flipped, &mut rng, small_share, 10 + time as u32);
        mix(&mut steady, &mut rng, 90, 10 + time as u32);
    }
    let ours = mix(&mut flipped, &mut rng, 90, 20);
    let theirs = mix(&mut steady, &mut rng, 90, 20);
    println!("flipped: {ours:.3} of requests hit, {theirs:.3} when steady");
    assert!(ours > theirs - 0.02, "{ours:.3}, {theirs:.3}");
    flipped.check_integrity();
}

#[test]
fn what_is_asked_for_all_the_time_stays_whatever_its_size() {
    let mut engine = engine(LIMIT);
    let mut rng = Rng::new(3);
    let mut hits = 0.0;
    // Ten values of a size of their own, one request in twenty, beside many others that do not fit.
    for round in 0..600 {
        let now = Seconds(10 + round / 100);
        ask(&mut engine, &mut rng, 400_000, 100, 950, now);
        let hot = ask(&mut engine, &mut rng, 10, 2000, 50, now);
        hits += if round < 100 { 0.0 } else { hot };
    }
    let share = hits / 500.0;
    println!("{share:.4} of requests for ten values hit");
    assert!(share > 0.995, "{share:.4}");
}

#[test]
fn without_automove_a_class_keeps_its_pages() {
    let left = |automove| {
        let (mut engine, mut rng, mut clock) = (engine(LIMIT), Rng::new(1), 10);
        engine.set_automove(automove);
        stream(&mut engine, &mut rng, &mut clock, 100, 3 * turnover(100));
        let before = engine.stats().curr_items;
        stream(&mut engine, &mut rng, &mut clock, 1000, 3 * turnover(1000));
        engine.check_integrity();
        engine.stats().curr_items as f64 / before as f64
    };
    let (kept, moved) = (left(false), left(true));
    println!("items left of the old size: {kept:.2}, with automove {moved:.2}");
    assert!(kept > 0.9 && moved < 0.3, "{kept:.2}, {moved:.2}");
}

/// Twenty sizes that together fill a few pages, beside one that fills all other pages; then one of the twenty becomes
/// frequent.
#[test]
fn rare_sizes_share_pages_until_one_is_frequent() {
    let (rare, often) = (2000, 3000);
    let (mut engine, mut rng) = (engine(LIMIT), Rng::new(9));
    let sizes = |engine: &Engine| -> Vec<(u64, u64)> {
        let classes = engine.class_stats().into_iter();
        let of_rare = classes.filter(|class| class.chunk_size > rare as u64);
        of_rare
            .filter(|class| class.total_pages > 0)
            .map(|class| (class.chunk_size, class.total_pages))
            .collect()
    };
    for round in 0..1200 {
        let now = Seconds(10 + round / 100);
        ask(&mut engine, &mut rng, 400_000, 100, 1000, now);
        let size = rare + 100 * (round as usize % 20);
        ask(&mut engine, &mut rng, 1000, size, 1, now);
    }
    let shared = sizes(&engine);
    println!("rare sizes have {shared:?}");
    let pages: u64 = shared.iter().map(|(_, pages)| pages).sum();
    assert!((1..=10).contains(&pages), "{shared:?}");
    for round in 0..600 {
        let now = Seconds(30 + round / 100);
        ask(&mut engine, &mut rng, 400_000, 100, 500, now);
        ask(&mut engine, &mut rng, 4000, often, 100, now);
    }
    let shared = sizes(&engine);
    println!("with one of them frequent {shared:?}");
    let largest = shared.iter().max_by_key(|(_, pages)| pages);
    let fits = |&(chunk, pages): &(u64, u64)| pages > 30 && chunk < often as u64 * 11 / 10;
    assert!(largest.is_some_and(fits), "{shared:?}");
    engine.check_integrity();
}
