//! What is counted and told: the counters that users see, the meters that the engine decides by, and events.
//!
//! ```text
//! stats.rs    counters, named as users know them       report.rs   how they are shown, and set back
//! meters.rs   counts that decide, never set back       events.rs   evictions and moves of pages, for watchers
//! ```

pub(crate) mod events;
pub(crate) mod meters;
pub(crate) mod report;
pub(crate) mod stats;

pub use self::stats::{ClassStats, EngineStats, MemoryReport, Vitals};
