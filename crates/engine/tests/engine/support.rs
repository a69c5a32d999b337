//! Small helpers: a generator of numbers, an engine of a given size.

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use corecached_engine::{Budget, Engine, EngineConfig, KeyHash, KeyHasher, MemoryFile};

/// SplitMix64: seeds a whole run with one number.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(crate) fn config() -> EngineConfig {
    EngineConfig {
        page_bytes: 64 << 10,
        segment_bytes: 64 << 20,
        hasher: KeyHasher::new(42),
        ..EngineConfig::default()
    }
}

pub(crate) fn hash(key: &[u8]) -> KeyHash {
    KeyHasher::new(42).hash(key)
}

/// A file without a name, all hole, for a segment of `bytes`.
pub(crate) fn memory_file(bytes: usize) -> MemoryFile {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("corecached-{}-{number}", std::process::id()));
    let file = File::create_new(&path).unwrap();
    let file = {
        drop(file);
        File::options().read(true).write(true).open(&path).unwrap()
    };
    fs::remove_file(&path).unwrap();
    file.set_len(bytes as u64).unwrap();
    MemoryFile {
        file: Arc::new(file),
        offset: 0,
    }
}

pub(crate) fn engine(limit_bytes: u64) -> Engine {
    Engine::new(config(), Budget::new(limit_bytes)).unwrap()
}

pub(crate) fn engine_with(config: EngineConfig, limit_bytes: u64) -> (Engine, Arc<Budget>) {
    let budget = Budget::new(limit_bytes);
    (Engine::new(config, Arc::clone(&budget)).unwrap(), budget)
}
