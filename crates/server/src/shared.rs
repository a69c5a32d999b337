//! What all shards share, in parts: whoever needs one of them is given that part.
//!
//! ```text
//!   ground      settings, clock                     memory      the limit, what shards say of theirs
//!   cells       every shard's engine                admission   addresses, -c, passwords, certificates
//!   route       every shard's bell and inbox        telemetry   counters of the network side
//! ```
//!
//! Nothing here is locked on the request path: the control inbox of a shard is for rare messages.

use std::sync::Arc;

use crate::admission::Admission;
use crate::cell::core::Cells;
use crate::crawler::Crawler;
use crate::ground::Ground;
use crate::ground::counters::Telemetry;
use crate::memory::{Memory, Neighbours};
use crate::process::Reloads;
use crate::route::directory::Directory;
use crate::watch::Watch;

/// The parts that all shards share.
pub(crate) struct Shared {
    /// Settings and clock.
    pub(crate) ground: Ground,
    /// Every shard's engine.
    pub(crate) cells: Cells,
    /// The way to every shard.
    pub(crate) route: Directory,
    /// The memory limit, and how shards stand to it.
    pub(crate) memory: Memory,
    /// Who may come in.
    pub(crate) admission: Admission,
    /// What is counted.
    pub(crate) telemetry: Telemetry,
    /// Crawls and dumps.
    pub(crate) crawler: Crawler,
    /// Who watches, and `stats detail`.
    pub(crate) watch: Arc<Watch>,
    /// What SIGHUP reads again.
    pub(crate) reloads: Reloads,
}

impl Shared {
    /// What a shard may see and touch of the memory of all.
    pub(crate) fn neighbours(&self) -> Neighbours<'_> {
        Neighbours {
            ground: &self.ground,
            cells: &self.cells,
            memory: &self.memory,
            telemetry: &self.telemetry,
        }
    }

    /// `stats reset`, but for the engines' part.
    pub(crate) fn reset_statistics(&self) {
        self.telemetry.reset();
        self.crawler.reset();
        self.watch.reset();
    }

    /// Ends the process: every shard sends what it has to send, closes and returns.
    pub(crate) fn stop(&self) {
        self.ground.stop();
        self.route.wake_all();
    }
}
