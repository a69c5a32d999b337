//! What everything stands on: the settings, the clock and the counters. It knows nothing of sockets, shards or connections.
//!
//! ```text
//! config ssl   what the command line asks for
//! tuning       what of it commands change
//! cpus cgroup  what the machine gives
//! clock        the server's seconds
//! counters     what is counted of the network side
//! ```

pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod cpus;
pub(crate) mod ssl;
pub(crate) mod tuning;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use corecached_engine::KeyHasher;

use clock::Clock;
use config::Config;
use tuning::Tuning;

/// What all threads may read at any time.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The command line.
    pub(crate) config: Config,
    /// What commands have changed since the start.
    pub(crate) tuning: Tuning,
    /// The server's clock.
    pub(crate) clock: Clock,
    /// The hash that decides shard and place.
    pub(crate) hasher: KeyHasher,
    is_stopping: AtomicBool,
    verbosity: AtomicU8,
}

impl Ground {
    /// As the command line says.
    pub(crate) fn new(config: Config, clock: Clock, hasher: KeyHasher) -> Ground {
        Ground {
            tuning: Tuning::new(&config),
            is_stopping: AtomicBool::new(false),
            verbosity: AtomicU8::new(config.verbosity),
            config,
            clock,
            hasher,
        }
    }

    /// Whether the process is ending.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// The process is to end; whoever says so wakes the shards.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// The level of `verbosity`.
    pub(crate) fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }

    /// `verbosity`.
    pub(crate) fn set_verbosity(&self, level: u8) {
        self.verbosity.store(level, Ordering::Relaxed);
    }
}
