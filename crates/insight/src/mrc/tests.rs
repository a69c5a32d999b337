//! The estimator on streams whose miss ratios are known.

use super::keys::State;
use super::*;

const ITEM_BYTES: u32 = 100;

fn hash_of(number: u64) -> u64 {
    // splitmix64
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// An estimator for a server that has room for so many items.
fn estimator(items: u64) -> Estimator {
    let mut estimator = Estimator::new(1);
    estimator.set_memory(&Memory {
        limit_bytes: 2 * items * u64::from(ITEM_BYTES),
        charged_bytes: 2 * items * u64::from(ITEM_BYTES),
        free_bytes: 0,
        item_bytes: items * u64::from(ITEM_BYTES),
    });
    estimator
}

fn access(number: u64, kind: Kind, now: u32) -> Access {
    Access {
        hash: hash_of(number),
        kind,
        bytes: ITEM_BYTES,
        deadline: 0,
        now,
    }
}

/// A server that finds what `is_hit` says.
fn get(estimator: &mut Estimator, number: u64, is_hit: bool, now: u32) {
    match is_hit {
        true => estimator.feed(&access(number, Kind::Hit, now)),
        false => {
            estimator.feed(&access(number, Kind::Miss, now));
            estimator.feed(&access(number, Kind::Store, now));
        }
    }
    estimator.count(&Turn {
        gets: 1,
        misses: u64::from(!is_hit),
        now,
        ..Turn::default()
    });
}

fn check(estimator: &Estimator) {
    for cache in &estimator.caches {
        cache.check(&estimator.keys);
    }
}

fn ratios(estimator: &Estimator) -> [f64; CACHES] {
    estimator.curve().points.map(|point| point.miss_ratio)
}

#[test]
fn a_get_and_the_store_after_its_miss_are_one_reference() {
    let mut estimator = estimator(100);
    get(&mut estimator, 1, false, 1);
    get(&mut estimator, 1, true, 1);
    get(&mut estimator, 2, false, 1);
    get(&mut estimator, 1, true, 1);
    assert_eq!(ratios(&estimator), [0.5; CACHES]);
    let key = estimator.keys.get(estimator.keys.find(hash_of(2)).unwrap());
    assert_eq!(key.states, [State::Kept(0); CACHES]);
    check(&estimator);
}

#[test]
fn what_has_died_or_was_deleted_misses_at_every_size() {
    let mut estimator = estimator(100);
    for number in 0..3 {
        get(&mut estimator, number, false, 1);
    }
    estimator.feed(&Access {
        deadline: 10,
        ..access(0, Kind::Use, 1)
    });
    estimator.feed(&access(1, Kind::Remove, 1));
    estimator.reset();
    get(&mut estimator, 0, false, 10);
    get(&mut estimator, 1, false, 10);
    get(&mut estimator, 2, true, 10);
    assert!(
        ratios(&estimator)
            .iter()
            .all(|ratio| (ratio - 2.0 / 3.0).abs() < 1e-9)
    );
    estimator.flush();
    estimator.reset();
    get(&mut estimator, 2, false, 11);
    get(&mut estimator, 2, true, 11);
    assert_eq!(ratios(&estimator), [0.5; CACHES]);
    check(&estimator);
}

#[test]
fn gets_of_keys_with_an_unknown_past_are_left_out() {
    let mut estimator = estimator(100);
    get(&mut estimator, 1, true, 1);
    assert_eq!(estimator.tally.gets(), 0.0);
    get(&mut estimator, 1, true, 1);
    get(&mut estimator, 2, false, 1);
    assert_eq!(ratios(&estimator), [0.5; CACHES]);
}

/// More keys than are followed: the part that is sampled shrinks, and no structure outgrows its bounds.
#[test]
fn many_keys_and_sizes_stay_in_bounds() {
    let mut estimator = estimator(20_000);
    let held = estimator.held_bytes();
    for number in 0..400_000u64 {
        let draw = hash_of(number + (1 << 40)) % 200_000;
        let now = (number / 5_000) as u32 + 1;
        let kind = match number % 16 {
            0 => Kind::Remove,
            1 => Kind::Use,
            2..=6 => Kind::Hit,
            7..=11 => Kind::Miss,
            _ => Kind::Store,
        };
        estimator.feed(&Access {
            bytes: 50 + (number % 7) as u32 * 40,
            deadline: if number.is_multiple_of(5) { now + 3 } else { 0 },
            ..access(draw, kind, now)
        });
        if number == 200_000 {
            let half = estimator.capacity_bytes / 2;
            estimator.capacity_bytes = half;
            estimator.scale();
        }
        if number.is_multiple_of(10_000) {
            estimator.flush();
            check(&estimator);
        }
    }
    check(&estimator);
    assert!(estimator.keys.len() <= KEYS_MAX);
    assert!(estimator.curve().sampled < 0.9, "{:?}", estimator.curve());
    assert_eq!(estimator.held_bytes(), held, "nothing has grown");
}

#[test]
fn room_for_items_is_what_the_limit_holds_at_the_present_rate() {
    let full = Memory {
        limit_bytes: 1000,
        charged_bytes: 1000,
        free_bytes: 100,
        item_bytes: 700,
    };
    assert_eq!(full.capacity_bytes(), 700);
    let begun = Memory {
        charged_bytes: 200,
        item_bytes: 80,
        ..full
    };
    assert_eq!(begun.capacity_bytes(), 800);
    let empty = Memory {
        item_bytes: 0,
        ..full
    };
    assert_eq!(empty.capacity_bytes(), 800);
}
