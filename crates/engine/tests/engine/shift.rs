//! Sizes of values that change: memory follows, and nothing is refused while anything can be evicted.

use corecached_engine::{
    Deadline, Engine, EngineConfig, Fetch, Seconds, Store, StoreExtras, StoreMode, StoreOutcome,
};

use crate::support::{Rng, config, engine, engine_with, hash};

const LIMIT: u64 = 16 << 20;

fn set(engine: &mut Engine, number: usize, value_bytes: usize, now: Seconds) -> StoreOutcome {
    let key = number.to_be_bytes();
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
    let requests = turnover(after).max(8000);
    let ours = stream(&mut shifted, &mut rng, &mut clock, after, requests);
    let theirs = stream(&mut fresh, &mut rng, &mut clock_of_fresh, after, requests);
    (ours, theirs, shifted)
}

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
            ours > theirs - 0.03,
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
