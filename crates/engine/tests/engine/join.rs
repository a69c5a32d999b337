//! append and prepend to values of all sizes, by bytes and by values that were received in pieces, while they are sent
//! and while they are not.

use corecached_engine::{
    Deadline, Delete, DeleteOutcome, Engine, EngineConfig, Fetch, PinnedValue, Reserve, Room,
    Seconds, Space, Store, StoreExtras, StoreMode, StoreOutcome, TouchOutcome,
};

use crate::support::{Rng, config, engine, engine_with, hash};

const NOW: Seconds = Seconds(100);
const KEY: &[u8] = b"key";
/// Pages of 64 KiB have chunks of 8 KiB: values from nothing to some dozen chunks.
const LENGTHS: [usize; 9] = [0, 1, 5_000, 8_100, 8_150, 8_192, 20_000, 70_000, 150_001];
/// Most units of work of a call that copies at most a chunk of each side.
const WORK_MAX: u64 = 150;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Bytes,
    Staged,
}

fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 7 + at / 251 + seed) as u8)
        .collect()
}

fn store(engine: &mut Engine, mode: StoreMode, value: &[u8], extras: StoreExtras) -> StoreOutcome {
    let store = Store {
        mode,
        key: KEY,
        hash: hash(KEY),
        client_flags: 7,
        deadline: Deadline::NEVER,
        extras,
        value,
    };
    engine.store(&store, NOW)
}

/// Stores a value that is received in pieces.
fn receive(engine: &mut Engine, mode: StoreMode, value: &[u8]) -> (StoreOutcome, u64) {
    let reserve = Reserve {
        key: KEY,
        hash: hash(KEY),
        client_flags: 0,
        deadline: Deadline::NEVER,
        extras: StoreExtras::default(),
        value_bytes: value.len(),
    };
    let mut staged = engine.reserve(&reserve, NOW).unwrap();
    let mut rest = value;
    while staged.missing_bytes() > 0 {
        let mut spaces: Vec<Space> = Vec::new();
        let room = engine.staged_space(&mut staged, 1, &mut spaces);
        assert_eq!(room, Room::Given);
        for space in spaces {
            let (here, behind) = rest.split_at(space.len);
            // SAFETY: the space is the test's alone until the value is committed.
            unsafe { std::ptr::copy_nonoverlapping(here.as_ptr(), space.ptr, space.len) };
            rest = behind;
        }
    }
    let before = engine.stats().work;
    let outcome = engine.commit(staged, mode, &StoreExtras::default(), NOW);
    (outcome, engine.stats().work - before)
}

fn add(engine: &mut Engine, how: How, mode: StoreMode, value: &[u8]) -> (StoreOutcome, u64) {
    match how {
        How::Staged => receive(engine, mode, value),
        How::Bytes => {
            let before = engine.stats().work;
            let outcome = store(engine, mode, value, StoreExtras::default());
            (outcome, engine.stats().work - before)
        }
    }
}

fn value(engine: &mut Engine) -> Vec<u8> {
    let hit = engine.get(KEY, hash(KEY), NOW, Fetch::Count).unwrap();
    assert_eq!(hit.client_flags(), 7);
    hit.value_chunks().flatten().copied().collect()
}

/// The bytes that a sender would send.
fn sent(pinned: PinnedValue) -> Vec<u8> {
    // SAFETY: the item is pinned.
    unsafe { pinned.pieces() }
        // SAFETY: as above, and nothing borrows the engine.
        .flat_map(|piece| unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) })
        .copied()
        .collect()
}

/// Adds `more` bytes to `old` and checks everything.
fn check(old: usize, more: usize, how: How, mode: StoreMode, is_sent: bool) {
    let case = format!("{mode:?} of {more} bytes ({how:?}) to {old}, sent {is_sent}");
    let mut engine = engine(16 << 20);
    let (old, more) = (pattern(1, old), pattern(2, more));
    store(&mut engine, StoreMode::Set, &old, StoreExtras::default());
    let hit = engine.get(KEY, hash(KEY), NOW, Fetch::Count).unwrap();
    let handle = hit.handle();
    let (pin, pinned) = engine.pin(handle);
    let pin = if is_sent {
        Some(pin)
    } else {
        engine.unpin(pin);
        None
    };
    let (outcome, work) = add(&mut engine, how, mode, &more);
    let joined = match mode {
        StoreMode::Append => [&old[..], &more].concat(),
        _ => [&more[..], &old].concat(),
    };
    assert!(
        matches!(outcome, StoreOutcome::Stored { value_bytes, .. } if value_bytes == joined.len()),
        "{case}: {outcome:?}"
    );
    assert!(value(&mut engine) == joined, "{case}");
    engine.check_integrity();
    assert!(work <= WORK_MAX, "{case}: {work} units of work");
    if let Some(pin) = pin {
        assert!(sent(pinned) == old, "{case}: what is sent has changed");
        engine.unpin(pin);
    }
    // The value behaves as any other: it grows, and its memory comes back.
    let (_, _) = add(&mut engine, How::Bytes, StoreMode::Append, b"end");
    assert!(
        value(&mut engine) == [&joined[..], b"end"].concat(),
        "{case}"
    );
    engine.delete(KEY, hash(KEY), &Delete::default(), NOW);
    while engine.maintain(NOW) {}
    engine.check_integrity();
    assert_eq!(engine.stats().curr_items, 0, "{case}");
    assert_eq!(used_chunks(&engine), 0, "{case}: memory is lost");
}

/// Chunks of items in use.
fn used_chunks(engine: &Engine) -> u64 {
    let classes = engine.class_stats();
    classes
        .iter()
        .filter(|class| class.class_id != 0)
        .map(|class| class.used_chunks)
        .sum()
}

#[test]
fn values_of_all_sizes_are_joined() {
    for old in LENGTHS {
        for more in LENGTHS {
            for how in [How::Bytes, How::Staged] {
                for mode in [StoreMode::Append, StoreMode::Prepend] {
                    for is_sent in [false, true] {
                        if !(how == How::Staged && more == 0) {
                            check(old, more, how, mode, is_sent);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_grows_on_both_sides_while_it_is_sent_again_and_again() {
    let mut engine = engine(32 << 20);
    let mut rng = Rng::new(5);
    let mut expected = pattern(0, 40_000);
    store(
        &mut engine,
        StoreMode::Set,
        &expected,
        StoreExtras::default(),
    );
    let mut sends = Vec::new();
    for round in 0..400 {
        if rng.one_in(3) {
            let hit = engine.get(KEY, hash(KEY), NOW, Fetch::Count).unwrap();
            let handle = hit.handle();
            sends.push((engine.pin(handle), expected.clone()));
        }
        let most = [10, 500, 30_000][rng.below(3)];
        let length = 1 + rng.below(most);
        let more = pattern(round, length);
        let how = [How::Bytes, How::Staged][rng.below(2)];
        let mode = [StoreMode::Append, StoreMode::Prepend][rng.below(2)];
        let (outcome, _) = add(&mut engine, how, mode, &more);
        if outcome == StoreOutcome::NotStored || outcome == StoreOutcome::OutOfMemory {
            expected.truncate(9_000);
            let cut = expected.clone();
            store(&mut engine, StoreMode::Set, &cut, StoreExtras::default());
        } else {
            let at = [expected.len(), 0][usize::from(mode == StoreMode::Prepend)];
            expected.splice(at..at, more);
        }
        assert!(value(&mut engine) == expected, "round {round}");
        if sends.len() > 3 || rng.one_in(5) {
            for ((pin, pinned), before) in sends.drain(..) {
                assert!(sent(pinned) == before, "round {round}");
                engine.unpin(pin);
            }
            engine.check_integrity();
        }
    }
}

#[test]
fn without_memory_a_value_stays_as_it_is() {
    let full = EngineConfig {
        evictions_enabled: false,
        item_size_max: 8 << 20,
        ..config()
    };
    for mode in [StoreMode::Append, StoreMode::Prepend] {
        let (mut engine, _) = engine_with(full.clone(), 2 << 20);
        let old = pattern(1, 30_000);
        store(&mut engine, StoreMode::Set, &old, StoreExtras::default());
        let more = pattern(2, 700_000);
        let mut expected = old;
        let mut refused = 0;
        for _ in 0..5 {
            let outcome = store(&mut engine, mode, &more, StoreExtras::default());
            if outcome == StoreOutcome::OutOfMemory {
                refused += 1;
            } else {
                let at = [expected.len(), 0][usize::from(mode == StoreMode::Prepend)];
                expected.splice(at..at, more.iter().copied());
            }
            assert!(value(&mut engine) == expected, "{mode:?}");
            engine.check_integrity();
        }
        assert!(refused > 0, "{mode:?} found memory");
    }
}

#[test]
fn a_cas_unique_of_full_width_makes_room_for_itself() {
    for mode in [StoreMode::Append, StoreMode::Prepend] {
        let mut engine = engine(16 << 20);
        let old = pattern(1, 50_000);
        store(&mut engine, StoreMode::Set, &old, StoreExtras::default());
        let extras = StoreExtras {
            new_cas: Some(u64::MAX - 1),
            ..StoreExtras::default()
        };
        let before = engine.stats().work;
        let outcome = store(&mut engine, mode, b"more", extras);
        assert_eq!(outcome.cas(), Some(u64::MAX - 1));
        assert_eq!(value(&mut engine).len(), 50_004);
        engine.check_integrity();
        // The cas unique of the next store has the usual width again.
        assert!(
            store(&mut engine, mode, b"more", StoreExtras::default())
                .cas()
                .is_some()
        );
        assert_eq!(value(&mut engine).len(), 50_008);
        let work = engine.stats().work - before;
        assert!(work <= 2 * WORK_MAX, "{work} units of work");
    }
}

fn large() -> EngineConfig {
    EngineConfig {
        item_size_max: 64 << 20,
        segment_bytes: 256 << 20,
        ..config()
    }
}

#[test]
fn no_command_takes_longer_for_a_longer_value() {
    let (mut engine, _) = engine_with(large(), 128 << 20);
    let piece = pattern(1, if cfg!(miri) { 1 << 20 } else { 8 << 20 });
    store(&mut engine, StoreMode::Set, &piece, StoreExtras::default());
    let bounded = |engine: &mut Engine, what: &str, call: &mut dyn FnMut(&mut Engine) -> bool| {
        let before = engine.stats().work;
        assert!(call(engine), "{what}");
        let work = engine.stats().work - before;
        assert!(work <= WORK_MAX, "{what}: {work} units of work");
    };
    for mode in [StoreMode::Append, StoreMode::Prepend, StoreMode::Append] {
        let handle = engine
            .get(KEY, hash(KEY), NOW, Fetch::Count)
            .map(|hit| hit.handle());
        let (pin, pinned) = engine.pin(handle.unwrap());
        let before = value(&mut engine);
        let (outcome, work) = receive(&mut engine, mode, &piece);
        assert!(
            outcome.cas().is_some() && work <= WORK_MAX,
            "{mode:?}: {work}"
        );
        for end in [StoreMode::Prepend, StoreMode::Append] {
            bounded(&mut engine, "while sent", &mut |engine| {
                store(engine, end, b"end", StoreExtras::default())
                    .cas()
                    .is_some()
            });
        }
        assert!(sent(pinned) == before, "{mode:?}");
        engine.unpin(pin);
    }
    let deadline = Deadline(NOW.0 + 100);
    bounded(&mut engine, "a first deadline", &mut |engine| {
        engine.touch(KEY, hash(KEY), deadline, NOW) == TouchOutcome::Touched
    });
    bounded(&mut engine, "a wide cas unique", &mut |engine| {
        let delete = Delete {
            stale: true,
            new_cas: Some(u64::MAX),
            ..Delete::default()
        };
        engine.delete(KEY, hash(KEY), &delete, NOW) == DeleteOutcome::Deleted
    });
    assert_eq!(value(&mut engine).len(), 4 * piece.len() + 18);
    engine.check_integrity();
    // To the end, the rest of the value leads to its first chunk.
    engine.delete(KEY, hash(KEY), &Delete::default(), NOW);
    while engine.maintain(NOW) {
        engine.check_integrity();
    }
    assert_eq!(used_chunks(&engine), 0, "memory is lost");
}

/// Chunks of joined values lead to their item, whichever of them is moved, evicted or freed first.
#[test]
fn memory_of_joined_values_comes_back_from_any_side() {
    let (mut engine, budget) = engine_with(large(), 4 << 20);
    let mut rng = Rng::new(11);
    for round in 0..if cfg!(miri) { 3 } else { 300 } {
        // Other items leave just enough memory for the value, so its pages are emptied and the hand meets its chunks.
        for other in 0..20 {
            let key = format!("other {}", round * 20 + other);
            let filler = Store {
                mode: StoreMode::Set,
                key: key.as_bytes(),
                hash: hash(key.as_bytes()),
                client_flags: 0,
                deadline: Deadline::NEVER,
                extras: StoreExtras::default(),
                value: &pattern(other, 1 + rng.below(60_000)),
            };
            assert!(engine.store(&filler, NOW).cas().is_some());
        }
        let old = pattern(round, 20_000 + rng.below(30_000));
        store(&mut engine, StoreMode::Set, &old, StoreExtras::default());
        for _ in 0..3 {
            let more = pattern(round, 20_000 + rng.below(60_000));
            let mode = [StoreMode::Append, StoreMode::Prepend][rng.below(2)];
            let before = engine
                .get(KEY, hash(KEY), NOW, Fetch::Count)
                .map(|hit| hit.value_chunks().flatten().copied().collect::<Vec<u8>>());
            let (outcome, _) = receive(&mut engine, mode, &more);
            let Some(before) = before.filter(|_| outcome.cas().is_some()) else {
                continue;
            };
            let joined = match mode {
                StoreMode::Append => [&before[..], &more].concat(),
                _ => [&more[..], &before].concat(),
            };
            assert!(value(&mut engine) == joined, "round {round}");
            let source = 1 + rng.below(60) as u8;
            engine.reassign(Some(source), 1 + rng.below(60) as u8, NOW);
            while engine.maintain(NOW) {}
        }
        engine.check_integrity();
        match rng.below(3) {
            0 => drop(engine.delete(KEY, hash(KEY), &Delete::default(), NOW)),
            1 => {
                budget.set_limit_bytes(2 << 20);
                while engine.trim(16) {}
                budget.set_limit_bytes(4 << 20);
            }
            _ => {}
        }
    }
    engine.flush_all(None, NOW);
    while !engine.sweep(Seconds(NOW.0 + 5), 128).wrapped {}
    while engine.maintain(NOW) {}
    engine.check_integrity();
    assert_eq!(used_chunks(&engine), 0, "memory is lost");
}

/// A sender on another thread.
struct Sender(PinnedValue);

// SAFETY: the item stays pinned, and the engine alive, until the thread has ended.
unsafe impl Send for Sender {}

#[test]
fn another_thread_sends_while_the_owner_appends() {
    let rounds = if cfg!(miri) { 3 } else { 300 };
    let mut engine = engine(16 << 20);
    let mut expected = pattern(1, 20_000);
    store(
        &mut engine,
        StoreMode::Set,
        &expected,
        StoreExtras::default(),
    );
    for round in 0..rounds {
        let hit = engine.get(KEY, hash(KEY), NOW, Fetch::Count).unwrap();
        let handle = hit.handle();
        let (pin, pinned) = engine.pin(handle);
        let sender = Sender(pinned);
        let more = pattern(round, 1 + round * 37 % 3_000);
        let seen = std::thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let sender = sender;
                sent(sender.0)
            });
            for piece in more.chunks(500) {
                let (outcome, _) = add(&mut engine, How::Bytes, StoreMode::Append, piece);
                assert!(
                    matches!(outcome, StoreOutcome::Stored { .. }),
                    "{outcome:?}"
                );
            }
            sending.join().unwrap()
        });
        assert!(seen == expected, "round {round}");
        engine.unpin(pin);
        expected.extend(&more);
        if expected.len() > 300_000 {
            expected.truncate(20_000);
            store(
                &mut engine,
                StoreMode::Set,
                &expected,
                StoreExtras::default(),
            );
        }
    }
    assert!(value(&mut engine) == expected);
    engine.check_integrity();
}
