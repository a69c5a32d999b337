//! Warm restart: which items come back, and which states are refused.

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, RestoreError, Seconds, Store, StoreExtras,
    StoreMode, StoreOutcome,
};

use crate::support::{config, hash, memory_file};

const NOW: Seconds = Seconds(100);
const LIMIT: u64 = 16 << 20;
const MARK: [u8; 16] = *b"a mark, any mark";

fn on_file() -> EngineConfig {
    EngineConfig {
        memory_file: Some(memory_file(config().segment_bytes)),
        ..config()
    }
}

fn set(engine: &mut Engine, key: &str, value: &[u8], deadline: Deadline) {
    let store = Store {
        mode: StoreMode::Set,
        key: key.as_bytes(),
        hash: hash(key.as_bytes()),
        client_flags: 7,
        deadline,
        extras: StoreExtras::default(),
        value,
    };
    let outcome = engine.store(&store, NOW);
    assert!(
        matches!(outcome, StoreOutcome::Stored { .. }),
        "{outcome:?}"
    );
}

fn value(engine: &mut Engine, key: &str, now: Seconds) -> Option<Vec<u8>> {
    let hit = engine.get(key.as_bytes(), hash(key.as_bytes()), now, Fetch::Count)?;
    assert_eq!(hit.client_flags(), 7);
    Some(hit.value_chunks().flatten().copied().collect())
}

/// The saved state of an engine with a small item, an item that dies soon, and a chain.
fn saved(config: &EngineConfig) -> Vec<u8> {
    let mut engine = Engine::new(config.clone(), Budget::new(LIMIT)).unwrap();
    set(&mut engine, "small", b"value", Deadline::NEVER);
    set(&mut engine, "soon", b"gone", Deadline(NOW.0 + 10));
    set(&mut engine, "large", &[b'x'; 300_000], Deadline::NEVER);
    engine.save(MARK)
}

#[test]
fn items_come_back_with_flags_deadlines_and_statistics() {
    let config = on_file();
    let state = saved(&config);
    let mut engine = Engine::restore(config, Budget::new(LIMIT), &state).unwrap();
    engine.check_integrity();
    let stats = engine.stats();
    assert_eq!((stats.curr_items, stats.total_items), (3, 3));
    assert_eq!(value(&mut engine, "small", NOW).unwrap(), b"value");
    assert_eq!(value(&mut engine, "soon", NOW).unwrap(), b"gone");
    assert_eq!(value(&mut engine, "large", NOW).unwrap(), [b'x'; 300_000]);
    assert_eq!(value(&mut engine, "soon", Seconds(NOW.0 + 10)), None);
    set(&mut engine, "new", b"too", Deadline::NEVER);
    engine.check_integrity();
}

#[test]
fn a_lower_limit_is_trimmed_to() {
    let config = on_file();
    let mut engine = Engine::new(config.clone(), Budget::new(LIMIT)).unwrap();
    for number in 0..20_000 {
        set(
            &mut engine,
            &format!("key-{number}"),
            &[b'v'; 500],
            Deadline::NEVER,
        );
    }
    let before = engine.stats().curr_items;
    let state = engine.save(MARK);
    drop(engine);
    let budget = Budget::new(LIMIT / 4);
    let mut engine = Engine::restore(config, budget.clone(), &state).unwrap();
    assert_eq!(engine.stats().curr_items, before);
    while engine.trim(1) {}
    assert!(budget.used_bytes() <= LIMIT / 4);
    assert!(engine.stats().curr_items > 0);
    engine.check_integrity();
}

#[test]
fn another_layout_is_refused() {
    let config = on_file();
    let state = saved(&config);
    for other in [
        EngineConfig {
            cas_enabled: false,
            ..config.clone()
        },
        EngineConfig {
            growth_factor: Some(1.3),
            ..config.clone()
        },
        EngineConfig {
            page_bytes: 128 << 10,
            ..config.clone()
        },
    ] {
        let refused = Engine::restore(other, Budget::new(LIMIT), &state);
        assert!(matches!(refused, Err(RestoreError::OtherLayout)));
    }
    assert!(
        Engine::restore(config, Budget::new(LIMIT), &state).is_ok(),
        "a refusal loses nothing"
    );
}

#[test]
fn a_state_of_another_version_is_refused_and_stays_as_it_is() {
    let config = on_file();
    let state = saved(&config);
    for change in [1, 255] {
        let mut other = state.clone();
        other[0] = other[0].wrapping_add(change);
        // What follows may be anything in another version.
        other.truncate(100);
        let refused = Engine::restore(config.clone(), Budget::new(LIMIT), &other);
        let error = refused.map(|_| ()).unwrap_err();
        assert!(matches!(error, RestoreError::OtherVersion));
        assert!(error.to_string().contains("another version"));
    }
    assert!(Engine::restore(config, Budget::new(LIMIT), &state).is_ok());
}

#[test]
fn another_file_and_a_second_time_are_refused() {
    let config = on_file();
    let state = saved(&config);
    let refused = Engine::restore(on_file(), Budget::new(LIMIT), &state);
    assert!(matches!(refused, Err(RestoreError::OtherFile)));
    assert!(Engine::restore(config.clone(), Budget::new(LIMIT), &state).is_ok());
    let refused = Engine::restore(config, Budget::new(LIMIT), &state);
    assert!(matches!(refused, Err(RestoreError::OtherFile)));
}

#[test]
fn a_damaged_state_is_refused() {
    let config = on_file();
    let state = saved(&config);
    for end in 0..state.len().min(2000) {
        assert!(Engine::restore(config.clone(), Budget::new(LIMIT), &state[..end]).is_err());
    }
}
