//! Numbers that tell engines, and what is left with them, apart.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which engine of the process something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineId(u64);

impl EngineId {
    /// The id of a new engine.
    pub(crate) fn next() -> Self {
        Self(next_number())
    }
}

/// The next number of an engine or a ticket: no two of a process are the same.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
