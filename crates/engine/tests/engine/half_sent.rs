//! Values that have begun to arrive and do not go on: how much memory they leave to others.

use corecached_engine::{
    Deadline, Engine, EngineConfig, Fetch, Reserve, Room, Seconds, Space, Staged, Store,
    StoreExtras, StoreMode, StoreOutcome,
};

use crate::support::{config, engine_with, hash};

const NOW: Seconds = Seconds(2);
const LIMIT: u64 = 16 << 20;
/// Units of work of a store that has to empty a page of the smallest items at once; see `last.rs` of the engine.
const WORK_MAX: u64 = 3 * 5_000 + 1_000 + 2_000;

fn store(engine: &mut Engine, key: &str, value_bytes: usize) -> StoreOutcome {
    let store = Store {
        mode: StoreMode::Set,
        key: key.as_bytes(),
        hash: hash(key.as_bytes()),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value: &vec![b's'; value_bytes],
    };
    engine.store(&store, NOW)
}

/// A store and the work that it took.
fn measured(engine: &mut Engine, key: &str, value_bytes: usize) -> (bool, u64) {
    let before = engine.stats().work;
    let outcome = store(engine, key, value_bytes);
    (outcome.cas().is_some(), engine.stats().work - before)
}

/// Begins a value and takes memory for a part of it, or for as much as there is.
fn half_send(engine: &mut Engine, key: &str, value_bytes: usize, part: usize) -> Option<Staged> {
    let reserve = Reserve {
        key: key.as_bytes(),
        hash: hash(key.as_bytes()),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value_bytes,
    };
    let mut staged = engine.reserve(&reserve, NOW).ok()?;
    let mut spaces: Vec<Space> = Vec::new();
    while value_bytes - staged.missing_bytes() < part {
        let wanted = part - (value_bytes - staged.missing_bytes());
        match engine.staged_space(&mut staged, wanted, &mut spaces) {
            Room::Given | Room::Later => {}
            Room::OutOfMemory => break,
        }
    }
    Some(staged)
}

fn engine(page_bytes: usize, chunk_max: usize, evictions_enabled: bool) -> Engine {
    let config = EngineConfig {
        page_bytes,
        chunk_max,
        evictions_enabled,
        item_size_max: 8 << 20,
        ..config()
    };
    engine_with(config, LIMIT).0
}

#[test]
fn whatever_half_sent_values_hold_small_ones_are_stored() {
    for (page_bytes, chunk_max) in [
        (64 << 10, 64 << 10),
        (256 << 10, 256 << 10),
        (64 << 10, 4 << 10),
    ] {
        for value_bytes in [5_000, 70_000, 300_000, 2_000_000] {
            let mut engine = engine(page_bytes, chunk_max, true);
            for number in 0..40_000 {
                store(&mut engine, &format!("old{number}"), 300);
            }
            let half_sent: Vec<Staged> = (0..4_000)
                .filter_map(|number| {
                    let key = format!("half{number}");
                    half_send(&mut engine, &key, value_bytes, value_bytes / 2)
                })
                .collect();
            engine.check_integrity();
            assert!(half_sent.len() > 1);
            let refused = engine.stats().chunks_refused;
            for number in 0..4_000 {
                let bytes = [1, 30, 400, 3_000, 9_000][number % 5];
                let (stored, work) = measured(&mut engine, &format!("new{number}"), bytes);
                let what =
                    format!("{value_bytes} half sent, {bytes} to store, chunks of {chunk_max}");
                assert!(stored, "{what}: {:?}", engine.stats());
                assert!(work <= WORK_MAX, "{what}: {work} units of work");
            }
            assert_eq!(engine.stats().chunks_refused, refused);
            for staged in half_sent {
                engine.abort(staged);
            }
            engine.check_integrity();
        }
    }
}

#[test]
fn what_was_found_to_be_full_is_not_searched_again() {
    for evictions_enabled in [true, false] {
        let mut engine = engine(64 << 10, 64 << 10, evictions_enabled);
        // A third is a value that is being received, the rest are items that are all being sent.
        let half_sent = half_send(&mut engine, "half", 8_000_000, 5_000_000).unwrap();
        for number in 0..40_000 {
            store(&mut engine, &format!("old{number}"), 300);
        }
        let handles: Vec<_> = (0..40_000)
            .filter_map(|number| {
                let key = format!("old{number}");
                let key = key.as_bytes();
                Some(engine.get(key, hash(key), NOW, Fetch::Quiet)?.handle())
            })
            .collect();
        let mut pins: Vec<_> = handles
            .into_iter()
            .map(|handle| engine.pin(handle).0)
            .collect();
        let (mut refused, mut work_sum) = (0, 0);
        for number in 0..2_000 {
            let (stored, work) = measured(&mut engine, &format!("new{number}"), 9_000);
            if stored {
                // It must not be the item that is evicted for the next one.
                let key = format!("new{number}");
                let key = key.as_bytes();
                if let Some(hit) = engine.get(key, hash(key), NOW, Fetch::Quiet) {
                    let handle = hit.handle();
                    pins.push(engine.pin(handle).0);
                }
            }
            refused += u32::from(!stored);
            assert!(work <= WORK_MAX, "{work} units of work");
            work_sum += if number < 1_500 { 0 } else { work };
        }
        assert!(refused > 500, "{refused} of 2,000 found no memory");
        assert!(
            work_sum < 500 * 300,
            "{work_sum} units for 500 that found none"
        );
        // As soon as an item goes there is memory again.
        for pin in pins {
            engine.unpin(pin);
        }
        engine.abort(half_sent);
        assert!(measured(&mut engine, "again", 9_000).0);
        engine.check_integrity();
    }
}

#[test]
fn a_ticket_is_good_once_and_for_its_engine() {
    let mut engine = engine(64 << 10, 64 << 10, true);
    let (mut other, _) = engine_with(config(), LIMIT);
    let staged = half_send(&mut engine, "k", 100_000, 100_000).unwrap();
    let ticket = engine.leave_staged(staged);
    let copy = ticket;
    assert!(other.take_staged(copy).is_none());
    let staged = engine.take_staged(ticket).unwrap();
    assert!(engine.take_staged(copy).is_none());
    engine.abort(staged);
    assert!(engine.take_staged(copy).is_none());
    engine.check_integrity();
}

#[test]
#[should_panic(expected = "where it was begun")]
fn a_value_is_not_committed_elsewhere() {
    let mut engine = engine(64 << 10, 64 << 10, true);
    let (mut other, _) = engine_with(config(), LIMIT);
    let staged = half_send(&mut engine, "k", 100_000, 100_000).unwrap();
    other.abort(staged);
}
