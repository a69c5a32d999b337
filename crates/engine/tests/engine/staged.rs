//! Values whose memory is handed out to be filled by their receiver.

use corecached_engine::{
    Deadline, Engine, EngineConfig, Fetch, Reserve, Room, Seconds, Space, Staged, Store,
    StoreExtras, StoreMode, StoreOutcome,
};

use crate::support::{Rng, config, engine, engine_with, hash};

const NOW: Seconds = Seconds(100);
/// Bytes of memory asked for in one call, as the server does.
const WINDOW: usize = 256 << 10;
/// Calls after which a value has its memory or will never have it.
const CALLS_MAX: usize = 100_000;

fn reserve(engine: &mut Engine, key: &[u8], value_bytes: usize) -> Staged {
    let reserve = Reserve {
        key,
        hash: hash(key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value_bytes,
    };
    engine.reserve(&reserve, NOW).unwrap()
}

/// Fills what is handed out with `byte`; returns how many bytes that were.
fn fill(spaces: &mut Vec<Space>, byte: u8) -> usize {
    let mut filled = 0;
    for space in spaces.drain(..) {
        // SAFETY: the tests fill spaces before they commit or abort the value.
        unsafe { space.ptr.write_bytes(byte, space.len) };
        filled += space.len;
    }
    filled
}

/// The calls of the engine until a value was whole.
struct Written {
    calls: usize,
    later: usize,
    work_max: u64,
}

fn write(engine: &mut Engine, staged: &mut Staged, byte: u8) -> Result<Written, Written> {
    let mut spaces = Vec::new();
    let mut written = Written {
        calls: 0,
        later: 0,
        work_max: 0,
    };
    while staged.missing_bytes() > 0 {
        let before = engine.stats().work;
        let missing = staged.missing_bytes();
        let room = engine.staged_space(staged, WINDOW, &mut spaces);
        written.calls += 1;
        written.work_max = written.work_max.max(engine.stats().work - before);
        let filled = fill(&mut spaces, byte);
        assert_eq!(filled, missing - staged.missing_bytes());
        match room {
            Room::Given => assert!(filled > 0),
            Room::Later => written.later += 1,
            Room::OutOfMemory => return Err(written),
        }
        assert!(written.calls < CALLS_MAX, "no end");
    }
    Ok(written)
}

fn commit(engine: &mut Engine, staged: Staged) {
    let outcome = engine.commit(staged, StoreMode::Set, &StoreExtras::default(), NOW);
    assert!(
        matches!(outcome, StoreOutcome::Stored { .. }),
        "{outcome:?}"
    );
}

fn set(engine: &mut Engine, key: &[u8], value: &[u8]) {
    let store = Store {
        mode: StoreMode::Set,
        key,
        hash: hash(key),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value,
    };
    let outcome = engine.store(&store, NOW);
    assert!(
        matches!(outcome, StoreOutcome::Stored { .. }),
        "{outcome:?}"
    );
}

fn value(engine: &mut Engine, key: &[u8]) -> Option<Vec<u8>> {
    let hit = engine.get(key, hash(key), NOW, Fetch::Count)?;
    Some(hit.value_chunks().flatten().copied().collect())
}

#[test]
fn what_is_handed_out_is_the_value() {
    let mut engine = engine(16 << 20);
    let mut rng = Rng::new(1);
    for round in 0..300 {
        let key = [b'k', (round % 7) as u8];
        let value_bytes = 1 + rng.below(700_000);
        let mut staged = reserve(&mut engine, &key, value_bytes);
        assert!(write(&mut engine, &mut staged, round as u8).is_ok());
        commit(&mut engine, staged);
        assert!(value(&mut engine, &key).unwrap() == vec![round as u8; value_bytes]);
    }
    engine.check_integrity();
}

/// An engine full of small items: all of its memory is in other classes than a large value needs.
fn full_of_small_items(limit: u64) -> Engine {
    let large = EngineConfig {
        item_size_max: 8 << 20,
        page_bytes: 256 << 10,
        ..config()
    };
    let (mut engine, _) = engine_with(large, limit);
    for number in 0..limit as usize / 80 {
        set(&mut engine, &number.to_be_bytes(), &[1; 50]);
    }
    assert!(engine.stats().evictions > 0, "the memory is full");
    engine
}

#[test]
fn pages_that_are_waited_for_are_emptied_in_steps() {
    let mut engine = full_of_small_items(32 << 20);
    let (mut later, mut work_max) = (0, 0);
    for round in 0..20u8 {
        let mut staged = reserve(&mut engine, &[round], 8_000_000);
        let written = match write(&mut engine, &mut staged, round) {
            Ok(written) => written,
            Err(written) => panic!(
                "round {round}: no memory for {} bytes after {} calls, {} in vain: {:?}",
                staged.missing_bytes(),
                written.calls,
                written.later,
                engine.stats(),
            ),
        };
        later += written.later;
        work_max = work_max.max(written.work_max);
        commit(&mut engine, staged);
        assert!(value(&mut engine, &[round]).unwrap() == vec![round; 8_000_000]);
    }
    engine.check_integrity();
    assert!(later > 0, "there was always a page");
    // A page of these items has some 3,500.
    assert!(work_max < 1_000, "{work_max} units of work in one call");
}

#[test]
fn half_sent_values_run_out_of_memory_and_give_it_back() {
    let mut engine = full_of_small_items(16 << 20);
    let mut staged: Vec<Staged> = (0..10u8)
        .map(|number| reserve(&mut engine, &[number], 3_000_000))
        .collect();
    let failed = staged
        .iter_mut()
        .map(|staged| write(&mut engine, staged, 1))
        .filter(Result::is_err)
        .count();
    // Together they get half of the memory; each has its first chunk of it.
    assert!((7..10).contains(&failed), "{failed} of 10 found no memory");
    for staged in staged {
        engine.abort(staged);
    }
    engine.check_integrity();
    let mut staged = reserve(&mut engine, b"again", 8_000_000);
    assert!(write(&mut engine, &mut staged, 1).is_ok());
    commit(&mut engine, staged);
    engine.check_integrity();
}

/// If only the value itself is left in the cache, the engine finds that out soon: other shards may lend memory.
#[test]
fn a_value_that_fills_all_memory_does_not_wait_for_more_in_vain() {
    let mut engine = full_of_small_items(7 << 20);
    let mut staged = reserve(&mut engine, b"large", 8_000_000);
    assert!(write(&mut engine, &mut staged, 1).is_err());
    for _ in 0..10 {
        let Err(refused) = write(&mut engine, &mut staged, 1) else {
            panic!("there is no more memory");
        };
        assert!(refused.later < 50, "{} calls in vain", refused.later);
    }
    engine.abort(staged);
    engine.check_integrity();
}

#[test]
fn the_memory_of_values_that_are_replaced_is_not_given_back_meanwhile() {
    let mut engine = full_of_small_items(64 << 20);
    engine.flush_all(None, NOW);
    let mut clock = NOW.0 + 1;
    while !engine.sweep(Seconds(clock), 1000).wrapped {}
    for _ in 0..5 {
        clock += 1;
        while engine.maintain(Seconds(clock)) {}
    }
    assert!(
        engine.stats().charged_bytes < 8 << 20,
        "what nobody needs is given back"
    );
    let mut held = Vec::new();
    for round in 0..200u32 {
        let mut staged = reserve(&mut engine, &[b'k', round as u8 % 4], 4_000_000);
        assert!(write(&mut engine, &mut staged, 1).is_ok());
        commit(&mut engine, staged);
        for _ in 0..32 {
            engine.maintain(Seconds(clock + round / 20));
        }
        held.push(engine.stats().charged_bytes);
    }
    assert!(
        held[60..].is_sorted(),
        "pages were given back and drawn again: {:?}",
        &held[60..]
    );
}

#[test]
fn memory_that_was_never_touched_comes_last() {
    let large = EngineConfig {
        item_size_max: 8 << 20,
        page_bytes: 256 << 10,
        ..config()
    };
    let (mut engine, _) = engine_with(large, 64 << 20);
    let mut held = 0;
    for round in 0..200u32 {
        let mut staged = reserve(&mut engine, &[b'k', round as u8 % 4], 4_000_000);
        assert!(write(&mut engine, &mut staged, 1).is_ok());
        commit(&mut engine, staged);
        held = engine.stats().charged_bytes;
    }
    // Four values, the value on its way in, and the unused ends of their pages.
    assert!(held < 24 << 20, "{held} bytes for 16 MB");
}
