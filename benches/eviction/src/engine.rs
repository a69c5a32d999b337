//! The real engine, driven as a server drives it.

use std::sync::Arc;

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, Fetch, KeyHasher, Seconds, Store, StoreExtras,
    StoreMode, StoreOutcome,
};

use crate::model::Cache;
use crate::stream::{Op, Request};

/// Bytes of an item of the engine over key and value, without deadline.
pub const ITEM_OVERHEAD_BYTES: u64 = 14;
/// Bytes of a key.
pub const KEY_BYTES: usize = 24;
/// Bytes of the longest value.
pub const VALUE_BYTES_MAX: usize = 900_000;
/// Steps of the sweep in one round of upkeep, and the chunks of each, as in the server.
const SWEEP_STEPS: usize = 10;
const SWEPT_CHUNKS: usize = 256;

/// The name of a key: `key-` and 20 digits.
pub fn key_name(mut number: u64) -> [u8; KEY_BYTES] {
    let mut name = *b"key-00000000000000000000";
    for digit in name[4..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    name
}

/// An engine under a limit.
#[derive(Debug)]
pub struct EngineCache {
    engine: Engine,
    hasher: KeyHasher,
    value: Vec<u8>,
    /// Values that found no memory.
    pub refused: u64,
}

impl EngineCache {
    /// An empty engine that may hold so many bytes.
    ///
    /// # Errors
    ///
    /// The address space cannot be mapped, or the limit is too small.
    pub fn new(limit_bytes: u64, config: EngineConfig) -> std::io::Result<Self> {
        let hasher = KeyHasher::new(11);
        let config = EngineConfig {
            hasher,
            page_bytes: EngineConfig::page_bytes_for(limit_bytes, 1),
            ..config
        };
        Ok(Self {
            engine: Engine::new(config, Arc::clone(&Budget::new(limit_bytes)))?,
            hasher,
            value: vec![b'v'; VALUE_BYTES_MAX],
            refused: 0,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Hash of a key.
    pub fn hash(&self, key: u64) -> u64 {
        self.hasher.hash(&key_name(key)).0
    }

    /// When the item of a key dies; 0 for never.
    pub fn deadline(&mut self, key: u64, now: u32) -> u32 {
        let key = key_name(key);
        let hash = self.hasher.hash(&key);
        self.engine.observe(&key, hash, Seconds(now)).deadline.0
    }

    /// One round of upkeep, as the server does it ten times a second.
    pub fn upkeep(&mut self, now: u32) {
        self.engine.maintain(Seconds(now));
        for _ in 0..SWEEP_STEPS {
            self.engine.sweep(Seconds(now), SWEPT_CHUNKS);
        }
    }
}

impl Cache for EngineCache {
    fn request(&mut self, request: &Request, now: u32) -> bool {
        let key = key_name(request.key);
        let hash = self.hasher.hash(&key);
        if request.op == Op::ReadThrough
            && self
                .engine
                .get(&key, hash, Seconds(now), Fetch::Count)
                .is_some()
        {
            return true;
        }
        let store = Store {
            mode: StoreMode::Set,
            key: &key,
            hash,
            client_flags: 0,
            extras: StoreExtras::default(),
            deadline: match request.ttl {
                0 => Deadline::NEVER,
                ttl => Deadline(now + ttl),
            },
            value: &self.value[..request.value_bytes as usize],
        };
        let outcome = self.engine.store(&store, Seconds(now));
        self.refused += u64::from(!matches!(outcome, StoreOutcome::Stored { .. }));
        request.op == Op::Write
    }

    fn items(&self) -> u64 {
        self.engine.stats().curr_items
    }
}
