//! The settings, the clock and the counters, on which everything else is built. No file here knows anything of
//! sockets, shards or connections.
//!
//! ```text
//! config listeners ssl   settings of the command line
//! tuning                 settings that commands change
//! cpus cgroup            CPUs and memory that the machine gives
//! clock                  the server's seconds
//! counters               counters of the network side
//! ```

pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod cpus;
pub(crate) mod listeners;
pub(crate) mod ssl;
pub(crate) mod tuning;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use corecached_engine::KeyHasher;

use clock::Clock;
use config::Config;
use tuning::Tuning;

/// State of the whole process that all threads may read at any time.
#[derive(Debug)]
pub(crate) struct Globals {
    /// The settings of the command line.
    pub(crate) config: Config,
    /// The settings that commands change.
    pub(crate) tuning: Tuning,
    /// The server's clock.
    pub(crate) clock: Clock,
    /// The hash that decides a key's shard and its place there.
    pub(crate) hasher: KeyHasher,
    is_stopping: AtomicBool,
    verbosity: AtomicU8,
}

impl Globals {
    /// The state of a server that starts with the settings `config`.
    pub(crate) fn new(config: Config, clock: Clock, hasher: KeyHasher) -> Globals {
        Globals {
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

    /// Tells the process to end; the caller wakes the shards.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// The level that `verbosity` has set.
    pub(crate) fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }

    /// Sets the level of `verbosity`.
    pub(crate) fn set_verbosity(&self, level: u8) {
        self.verbosity.store(level, Ordering::Relaxed);
    }
}
