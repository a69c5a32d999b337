//! Warm restart from damaged files and states: any damage is noticed, and nothing panics.
//!
//! `CORECACHED_SEED` sets the seed.

use std::os::unix::fs::FileExt;

use corecached_engine::{
    Budget, Deadline, Delete, Engine, EngineConfig, Fetch, RestoreError, Seconds, Store,
    StoreExtras, StoreMode,
};

use crate::support::{Rng, config, hash, memory_file};

const NOW: Seconds = Seconds(100);
const LIMIT: u64 = 4 << 20;
const PAGE_BYTES: usize = 16 << 10;
const SEGMENT_BYTES: usize = 8 << 20;
const KEYS: usize = 9000;

fn on_file() -> EngineConfig {
    EngineConfig {
        page_bytes: PAGE_BYTES,
        segment_bytes: SEGMENT_BYTES,
        memory_file: Some(memory_file(SEGMENT_BYTES)),
        ..config()
    }
}

fn seed() -> u64 {
    let seed = std::env::var("CORECACHED_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!("CORECACHED_SEED={seed}");
    seed
}

fn value(key: usize) -> Vec<u8> {
    let lengths = [3, 40, 200, 1500, 60_000];
    let len = if key.is_multiple_of(900) { 4 } else { key % 4 };
    vec![key as u8; lengths[len]]
}

/// A shard in which many items have come and gone.
fn filled(config: &EngineConfig, rng: &mut Rng) -> Engine {
    let mut engine = Engine::new(config.clone(), Budget::new(LIMIT)).unwrap();
    for number in 0..KEYS {
        let key = format!("key-{number}");
        let value = value(number);
        let deadline = if rng.one_in(3) { 1000 } else { 0 };
        let store = Store {
            mode: StoreMode::Set,
            key: key.as_bytes(),
            hash: hash(key.as_bytes()),
            client_flags: 0,
            deadline: Deadline(deadline),
            extras: StoreExtras::default(),
            value: &value,
        };
        engine.store(&store, NOW);
        if rng.one_in(4) {
            let key = format!("key-{}", rng.below(number + 1));
            engine.delete(
                key.as_bytes(),
                hash(key.as_bytes()),
                &Delete::default(),
                NOW,
            );
        }
    }
    engine
}

/// Checks that every value in the cache is as it was stored. Returns the number of values.
fn check_values(engine: &mut Engine) -> usize {
    let mut hits = 0;
    for number in 0..KEYS {
        let key = format!("key-{number}");
        let hit = engine.get(key.as_bytes(), hash(key.as_bytes()), NOW, Fetch::Count);
        if let Some(hit) = hit {
            let bytes: Vec<u8> = hit.value_chunks().flatten().copied().collect();
            assert_eq!(bytes, value(number), "{key}");
            hits += 1;
        }
    }
    hits
}

/// A saved shard, and the bytes of its file.
struct Saved {
    config: EngineConfig,
    state: Vec<u8>,
    file: Vec<u8>,
}

impl Saved {
    fn new(rng: &mut Rng) -> Self {
        let config = on_file();
        let state = filled(&config, rng).save(*b"a mark, any mark");
        let mut file = vec![0; SEGMENT_BYTES];
        let memory = config.memory_file.as_ref().unwrap();
        memory.file.read_exact_at(&mut file, 0).unwrap();
        Self {
            config,
            state,
            file,
        }
    }

    fn write(&self, bytes: &[u8], at: usize) {
        let memory = self.config.memory_file.as_ref().unwrap();
        memory.file.write_all_at(bytes, at as u64).unwrap();
    }

    fn restore(&self) -> Result<Engine, RestoreError> {
        Engine::restore(self.config.clone(), Budget::new(LIMIT), &self.state)
    }

    /// A byte of a page that holds something.
    fn some_byte(&self, rng: &mut Rng) -> usize {
        loop {
            let page = PAGE_BYTES * (1 + rng.below(SEGMENT_BYTES / PAGE_BYTES - 1));
            if self.file[page..page + PAGE_BYTES]
                .iter()
                .any(|&byte| byte != 0)
            {
                return page + rng.below(PAGE_BYTES);
            }
        }
    }

    /// Some bytes of the file, damaged, and where they are.
    fn damaged(&self, rng: &mut Rng) -> (usize, Vec<u8>) {
        let at = self.some_byte(rng);
        let len = (1 << rng.below(14)).min(SEGMENT_BYTES - at);
        let mut bytes = self.file[at..at + len].to_vec();
        match rng.below(5) {
            0 => bytes[0] ^= 1 << rng.below(8),
            1 => bytes[0] = rng.next() as u8,
            2 => bytes.fill(0),
            3 => bytes.fill_with(|| rng.next() as u8),
            // A page, or a part of it, in the place of another.
            _ => {
                let from = self.some_byte(rng) / 4096 * 4096;
                let at = at / 4096 * 4096;
                let len = if rng.one_in(2) { PAGE_BYTES } else { 4096 };
                let len = len.min(SEGMENT_BYTES - at).min(SEGMENT_BYTES - from);
                return (at, self.file[from..from + len].to_vec());
            }
        }
        (at, bytes)
    }
}

#[test]
fn any_damage_to_the_memory_file_is_noticed() {
    let mut rng = Rng::new(seed());
    let saved = Saved::new(&mut rng);
    let mut noticed = 0;
    while noticed < 400 {
        let (at, bytes) = saved.damaged(&mut rng);
        let good = &saved.file[at..at + bytes.len()];
        if bytes == good {
            continue;
        }
        saved.write(&bytes, at);
        match saved.restore() {
            Err(RestoreError::Damaged) => noticed += 1,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{} bytes at {at} were not noticed", bytes.len()),
        }
        saved.write(good, at);
    }
    let mut engine = saved.restore().expect("refusals lose nothing");
    engine.check_integrity();
    assert!(check_values(&mut engine) > 1000);
}

/// The server has a checksum of the state; that there is none here shows that no number in it is followed unchecked.
#[test]
fn a_damaged_state_neither_panics_nor_hangs() {
    let mut rng = Rng::new(seed() + 1);
    let mut saved = Saved::new(&mut rng);
    let good = saved.state.clone();
    let mut believed = 0;
    for _ in 0..1500 {
        saved.state.clone_from(&good);
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(good.len());
            saved.state[at] = match rng.below(3) {
                0 => saved.state[at] ^ 1 << rng.below(8),
                1 => rng.next() as u8,
                _ => 0,
            };
        }
        // An engine that believed the state has given up the mark.
        saved.write(&saved.file[..PAGE_BYTES], 0);
        if saved.restore().is_ok() {
            believed += 1;
        }
    }
    println!("{believed} damaged states were believed");
    saved.write(&saved.file[..PAGE_BYTES], 0);
    saved.state = good;
    saved.restore().expect("it is as it was").check_integrity();
}

/// The file is damaged and its checksums are made anew, so that items and index have to be checked one by one.
#[test]
fn references_are_checked_before_they_are_followed() {
    let mut rng = Rng::new(seed() + 2);
    let mut refused = 0;
    for _ in 0..40 {
        let config = on_file();
        let mut engine = filled(&config, &mut rng);
        let memory = config.memory_file.clone().unwrap().file;
        // Through the file, behind the engine's back, before it makes its checksums.
        for _ in 0..1 + rng.below(20) {
            let mut bytes = [0; 8];
            let at = loop {
                let at = PAGE_BYTES + rng.below((SEGMENT_BYTES - PAGE_BYTES) / 8) * 8;
                memory.read_exact_at(&mut bytes, at as u64).unwrap();
                if bytes != [0; 8] {
                    break at;
                }
            };
            bytes[rng.below(8)] ^= 1 << rng.below(8);
            memory.write_all_at(&bytes, at as u64).unwrap();
        }
        let saved = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            engine.save(*b"a mark, any mark")
        }));
        // An engine that panics over the damage while it saves has saved nothing.
        let Ok(state) = saved else { continue };
        match Engine::restore(config, Budget::new(LIMIT), &state) {
            Ok(mut engine) => drop(engine.get(b"key-1", hash(b"key-1"), NOW, Fetch::Count)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 5, "only {refused} were refused");
}
