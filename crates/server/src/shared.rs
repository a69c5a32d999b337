//! The state that all shards share, in parts: code that needs one part is given only that part.
//!
//! ```text
//!   globals     settings, clock                     memory      the limit, numbers that shards publish
//!   cores       every shard's engine, and           admission   addresses, -c, passwords, certificates
//!   readers       readers of its memory             telemetry   counters of the network side
//!   route       every shard's bell and inbox        latency     how long commands take
//!   crawler     the one crawl or dump that may run  insight     the estimate of `stats mrc`
//!   watch       watchers, and `stats detail`        reloads     files that SIGHUP reads again
//! ```
//!
//! Nothing here is locked on the request path, but for the buffers of watchers while there are any. The inbox of a
//! shard is for rare messages, and the estimate is fed by upkeep.

use std::sync::Arc;

use crate::admission::Admission;
use crate::base::Globals;
use crate::base::counters::Telemetry;
use crate::crawler::Crawler;
use crate::insight::Insight;
use crate::latency::Latency;
use crate::lending::core::Cores;
use crate::memory::{Memory, Neighbours};
use crate::operation::readers::Readers;
use crate::process::Reloads;
use crate::route::directory::Directory;
use crate::watch::Watch;

/// The parts that all shards share.
pub(crate) struct Shared {
    /// Settings and clock.
    pub(crate) globals: Globals,
    /// Every shard's engine.
    pub(crate) cores: Cores,
    /// Readers of every shard's memory.
    pub(crate) readers: Readers,
    /// The way to every shard.
    pub(crate) route: Directory,
    /// The memory limit, and each shard's use of it.
    pub(crate) memory: Memory,
    /// Admission of connections.
    pub(crate) admission: Admission,
    /// The counters.
    pub(crate) telemetry: Telemetry,
    /// How long commands take.
    pub(crate) latency: Latency,
    /// Crawls and dumps.
    pub(crate) crawler: Crawler,
    /// The estimate of `stats mrc`.
    pub(crate) insight: Insight,
    /// The watchers, and `stats detail`.
    pub(crate) watch: Arc<Watch>,
    /// The files that SIGHUP reads again.
    pub(crate) reloads: Reloads,
}

impl Shared {
    /// The parts that the exchange of memory between shards uses.
    pub(crate) fn neighbours(&self) -> Neighbours<'_> {
        Neighbours {
            globals: &self.globals,
            cores: &self.cores,
            memory: &self.memory,
            telemetry: &self.telemetry,
        }
    }

    /// `stats reset`, without the engines' part.
    pub(crate) fn reset_statistics(&self) {
        self.telemetry.reset();
        self.crawler.reset();
        self.watch.reset();
        self.insight.reset();
        self.latency.reset();
    }

    /// Ends the process: every shard sends its remaining replies, closes its connections and returns.
    pub(crate) fn stop(&self) {
        self.globals.stop();
        self.route.wake_all();
    }
}
