//! Items that move to other chunks, so that their pages can go, while another thread reads them: no read misses one,
//! and none sees it half copied.

use std::cell::Cell;
use std::rc::Rc;

use corecached_engine::{
    Budget, Deadline, Delete, Engine, EngineConfig, Fetch, KeyHasher, Read, ReadFacts, Seconds,
    SharedReader, Store, StoreExtras, StoreMode, Wanted,
};
use corecached_simulate::{Rng, Thread, pause, run};

use crate::value::{self, NUMBERS};

const NOW: Seconds = Seconds(2);
/// Bytes of key and value together: all items are of one class.
const BYTES: usize = 170;
/// Of these keys every second stays; the others make room on their pages.
const FIRST: usize = NUMBERS;
const KEYS: usize = 300;
const STEPS_MAX: u64 = 50_000_000;

fn store(engine: &mut Engine, key: usize) {
    let name = value::key_bytes(key);
    let hash = KeyHasher::new(42).hash(&name);
    let value = value::bytes(key, 1, 0, BYTES - name.len());
    let store = Store {
        mode: StoreMode::Set,
        key: &name,
        hash,
        client_flags: 0,
        deadline: Deadline::NEVER,
        value: &value,
        extras: StoreExtras::default(),
    };
    assert!(engine.store(&store, NOW).cas().is_some());
    assert!(engine.get(&name, hash, NOW, Fetch::Count).is_some());
}

fn read(reader: &SharedReader, key: usize) {
    let name = value::key_bytes(key);
    let hash = KeyHasher::new(42).hash(&name);
    let mut out = Vec::new();
    let begin = |_: &ReadFacts, _: &mut Vec<u8>| Wanted::Value;
    match reader.read(&name, hash, NOW, 4096, &mut out, begin) {
        Read::Hit(_) => assert_eq!(value::write_of(key, &out), Ok(1), "key {key}"),
        Read::Miss => panic!("key {key} is there"),
        Read::Ask => {}
    }
}

/// Returns how many items have moved.
fn move_while_read(seed: u64) -> u64 {
    let config = EngineConfig {
        page_bytes: 4 << 10,
        segment_bytes: 64 << 20,
        hasher: KeyHasher::new(42),
        ..EngineConfig::default()
    };
    let mut engine = Engine::new(config, Budget::new(1 << 30)).expect("there is address space");
    for key in FIRST..FIRST + KEYS {
        store(&mut engine, key);
    }
    for key in (FIRST..FIRST + KEYS).step_by(2) {
        let name = value::key_bytes(key);
        engine.delete(
            &name,
            KeyHasher::new(42).hash(&name),
            &Delete::default(),
            NOW,
        );
    }
    let reader = engine.reader().expect("there is no file");
    let (is_over, moved) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let owner: Thread = {
        let (is_over, moved) = (Rc::clone(&is_over), Rc::clone(&moved));
        Box::new(move || {
            // As many pages as the deleted items have left room for on the others.
            for _ in 0..4 {
                let _ = engine.reassign(None, 0, NOW);
                while engine.maintain(NOW) {}
                pause();
            }
            let stats = engine.stats();
            assert_eq!((stats.evictions, stats.slab_reassign_evictions), (0, 0));
            moved.set(stats.slab_reassign_rescues);
            is_over.set(true);
        })
    };
    let mut rng = Rng::new(seed);
    let reads: Thread = Box::new(move || {
        while !is_over.get() {
            read(&reader, FIRST + 1 + 2 * rng.below(KEYS / 2));
        }
    });
    run(seed, STEPS_MAX, vec![owner, reads]);
    moved.get()
}

#[test]
fn an_item_that_moves_is_always_there_and_whole() {
    let moved: u64 = (1..=20).map(move_while_read).sum();
    assert!(moved > 100, "{moved} items have moved");
}
