//! The moving parts of a phase under way.

use super::phase::{ConnectionLoad, Pace, Phase, Source};
use crate::clock::thread_cpu_ns;
use crate::record::Stage;
use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;

/// The moving parts of a phase under way.
pub(super) struct Running {
    pub(super) source: Source,
    pub(super) pace: Pace,
    /// Closed loop: a request that was drawn and found no room.
    pub(super) held: Option<(Verb, KeyId)>,
    /// No request can be started until a reply comes or a connection is open again.
    pub(super) blocked: bool,
    /// When the last block ended.
    pub(super) freed_ns: u64,
    pub(super) start_ns: u64,
    pub(super) stage: Stage,
    pub(super) stage_end_ns: u64,
    pub(super) interval_ns: u64,
    pub(super) boundary_ns: u64,
    pub(super) watermark_due_ns: u64,
    pub(super) cpu_ns: u64,
    pub(super) delay_ns: Option<u64>,
    pub(super) drain_ns: u64,
    pub(super) done: bool,
    /// Requests left in the schedule at the end that were counted several at a time.
    pub(super) estimated: u64,
    /// Room for the load of each connection, so that the end of a phase allocates nothing.
    pub(super) loads: Vec<ConnectionLoad>,
}

impl Running {
    /// The state at the start of a phase that measures until `measure_end_ns`.
    pub(super) fn new(
        phase: Phase,
        measure_end_ns: u64,
        delay_ns: Option<u64>,
        connections: usize,
    ) -> Self {
        let warms_up = phase.warm_up_ns > 0;
        let stage_end_ns = if warms_up {
            phase.start_ns + phase.warm_up_ns
        } else {
            measure_end_ns
        };
        Self {
            source: phase.source,
            pace: phase.pace,
            held: None,
            blocked: false,
            freed_ns: 0,
            start_ns: phase.start_ns,
            stage: if warms_up {
                Stage::WarmUp
            } else {
                Stage::Measure
            },
            stage_end_ns,
            interval_ns: phase.interval_ns,
            boundary_ns: stage_end_ns.min(phase.start_ns + phase.interval_ns),
            watermark_due_ns: 0,
            cpu_ns: thread_cpu_ns(),
            delay_ns,
            drain_ns: phase.drain_ns,
            done: false,
            estimated: 0,
            loads: Vec::with_capacity(connections),
        }
    }

    /// Whether requests due before `end_ns` have not been sent.
    pub(super) fn has_backlog(&self, end_ns: u64) -> bool {
        match &self.pace {
            Pace::Open { arrivals, .. } => arrivals.next_due_ns() < end_ns,
            Pace::Closed { .. } => false,
        }
    }

    /// Whether the next thing to do is a request becoming due.
    pub(super) fn awaits_due(&self, end_ns: u64) -> bool {
        !self.blocked && (self.stage != Stage::Drain || self.has_backlog(end_ns))
    }

    pub(super) fn unblock(&mut self, now: u64) {
        if self.blocked {
            self.blocked = false;
            self.freed_ns = now;
        }
    }
}
