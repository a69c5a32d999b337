//! What all threads of a round share: counts, the flushes, and the first fault.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Flushes of the whole server, numbered as they begin; they follow each other.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    begun: AtomicU64,
    through: AtomicU64,
}

impl Flushes {
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.through.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn through(&self) -> u64 {
        self.through.load(Ordering::SeqCst)
    }
}

/// What the threads of a round share.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) flushes: Flushes,
    pub(crate) requests: AtomicU64,
    pub(crate) values: AtomicU64,
    pub(crate) value_bytes: AtomicU64,
    pub(crate) vanished: AtomicU64,
    stop: AtomicBool,
    fault: Mutex<Option<String>>,
}

impl Tally {
    /// Counts values that were checked to the byte.
    pub(crate) fn checked(&self, values: u64, bytes: usize) {
        self.values.fetch_add(values, Ordering::Relaxed);
        self.value_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Keeps the first fault and ends the round.
    pub(crate) fn fail(&self, fault: String) {
        let mut first = self
            .fault
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert(fault);
        self.stop();
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.fault
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Sums over rounds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) rounds: u64,
    pub(crate) requests: u64,
    pub(crate) values: u64,
    pub(crate) value_bytes: u64,
    pub(crate) vanished: u64,
    pub(crate) evictions: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.rounds += other.rounds;
        self.requests += other.requests;
        self.values += other.values;
        self.value_bytes += other.value_bytes;
        self.vanished += other.vanished;
        self.evictions += other.evictions;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} rounds, {} requests, {} values of {:.1} GB checked to the byte, {} items found evicted of {} evictions",
            self.rounds,
            self.requests,
            self.values,
            self.value_bytes as f64 / 1e9,
            self.vanished,
            self.evictions
        )
    }
}
