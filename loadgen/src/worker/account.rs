//! The records that a worker hands to the collector: intervals at their boundaries, and at the end of a phase every
//! request that has no reply.

use super::Worker;
use super::connection::Link;
use super::desync::Judgement;
use super::incident::IncidentKind;
use super::ledger::Entry;
use super::phase::{ConnectionLoad, Message, Pace, Phase, PhaseEnd};
use super::running::Running;
use super::verify::Violation;
use crate::clock::{now_ns, thread_cpu_ns};
use crate::net::ring::ConnectionId;
use crate::record::{Interval, NoReply, Stage};
use crate::target::GroupId;
use std::sync::atomic::Ordering;

/// How often the oldest unanswered request is looked for and published, and the order to stop is looked for.
const WATERMARK_INTERVAL_NS: u64 = 5_000_000;

/// The most requests left in a schedule that are counted one by one; more are counted several at a time.
const COUNTED_SINGLY_MAX: u64 = 1_000_000;

/// Steps by which the status line is told of requests that are due and still in the schedule.
const BACKLOG_STEPS: u64 = 64;

impl Worker {
    pub(super) fn begin(&mut self, phase: Phase) -> Running {
        let measure_start_ns = phase.start_ns + phase.warm_up_ns;
        let measure_end_ns = measure_start_ns.saturating_add(phase.measure_ns);
        self.core.measured_ns = measure_start_ns..measure_end_ns;
        self.core.looked_ns = phase.start_ns;
        self.groups.begin(phase.depth);
        for connection in &mut self.connections {
            connection.requests = 0;
        }
        self.core.interval.clear();
        self.core.interval.start_ns = phase.start_ns;
        self.note_links_down(measure_start_ns);
        let connections = self.connections.len();
        let running = Running::new(phase, measure_end_ns, self.delay.total_ns(), connections);
        self.begin_slot(&running, running.start_ns);
        running
    }

    /// Sets the place in the time series of the interval that begins.
    fn begin_slot(&mut self, running: &Running, now: u64) {
        let since_ns = now as i64 - self.core.measured_ns.start as i64;
        let slot = since_ns.div_euclid(running.interval_ns as i64);
        self.core.interval.slot = slot;
        self.core.slot_start_ns = self
            .core
            .measured_ns
            .start
            .saturating_add_signed(slot * running.interval_ns as i64);
    }

    /// Ends an interval, and a stage if it is over.
    pub(super) fn boundary(&mut self, running: &mut Running, now: u64) {
        self.hand_over(running, now);
        if now >= running.stage_end_ns {
            match running.stage {
                Stage::WarmUp => {
                    running.stage = Stage::Measure;
                    running.stage_end_ns = self.core.measured_ns.end;
                    running.boundary_ns = self.core.measured_ns.start;
                }
                Stage::Measure => {
                    // Replies are waited for, and requests that are due and had no room are still sent.
                    running.stage = Stage::Drain;
                    running.stage_end_ns = running.stage_end_ns.saturating_add(running.drain_ns);
                }
                Stage::Drain => running.done = true,
            }
        }
        while running.boundary_ns <= now {
            running.boundary_ns += running.interval_ns;
        }
        running.boundary_ns = running.boundary_ns.min(running.stage_end_ns);
    }

    /// Ends the measured time now.
    fn stop(&mut self, running: &mut Running, now: u64) {
        if running.stage == Stage::WarmUp {
            self.core.measured_ns.start = now;
        }
        self.core.measured_ns.end = now;
        running.stage = Stage::Measure;
        running.stage_end_ns = now;
        self.boundary(running, now);
    }

    /// Sends the interval's records to the collector and goes on with an empty one.
    pub(super) fn hand_over(&mut self, running: &mut Running, now: u64) {
        if running.stage != Stage::Drain {
            self.record_waiting(running, now);
        }
        let next = self
            .empties
            .try_recv()
            .unwrap_or_else(|_| Box::new(Interval::new(&self.verbs)));
        let mut interval = std::mem::replace(&mut self.core.interval, next);
        self.core.interval.start_ns = now;
        self.begin_slot(running, now);
        let cpu_ns = thread_cpu_ns();
        interval.stage = running.stage;
        interval.end_ns = now;
        interval.totals.wall_ns = now.saturating_sub(interval.start_ns);
        interval.totals.cpu_ns = cpu_ns - running.cpu_ns;
        interval.totals.in_flight = self.core.in_flight as u64;
        interval.totals.lag_ns = running.pace.lag_ns(now);
        running.cpu_ns = cpu_ns;
        let delay_ns = self.delay.total_ns();
        match (running.delay_ns, delay_ns) {
            (Some(before), Some(after)) => interval.totals.delay_ns = after.saturating_sub(before),
            _ => interval.totals.delay_unknown = true,
        }
        running.delay_ns = delay_ns;
        // If the collector has ended, it has seen another worker fail; this worker will be told to stop.
        let _ = self
            .outlet
            .send(Message::Interval(self.core.worker, interval));
    }

    /// Records how long all requests without a reply have waited by now, for the status line.
    fn record_waiting(&mut self, running: &Running, now: u64) {
        let waiting = &mut self.core.interval.waiting;
        let mut note = |due_ns: u64, count: u64| {
            waiting.saturating_record_n(now.saturating_sub(due_ns).max(1), count);
        };
        for connection in &self.connections {
            let pending = connection.outbox.pending.iter();
            pending.for_each(|pending| note(pending.due_ns, 1));
            let queued = connection.waiting.iter();
            queued.for_each(|request| note(request.due_ns, 1));
        }
        let slot_start_ns = self.core.slot_start_ns;
        let given_up = self.core.ledger.since(slot_start_ns);
        given_up.for_each(|entry| note(entry.due_ns, entry.count));
        if let Pace::Open { arrivals, .. } = &running.pace {
            let lag_ns = running.pace.lag_ns(now.min(self.core.measured_ns.end));
            let step = (lag_ns as f64 / arrivals.gap_ns()) as u64 / BACKLOG_STEPS;
            if step > 0 {
                (0..BACKLOG_STEPS).for_each(|index| {
                    note(now - lag_ns * (index + 1) / BACKLOG_STEPS, step);
                });
            }
        }
    }

    pub(super) fn publish_watermark(&mut self, running: &mut Running, now: u64) {
        running.watermark_due_ns = now + WATERMARK_INTERVAL_NS;
        let fronts = self
            .connections
            .iter()
            .filter_map(|connection| connection.outbox.pending.front());
        let oldest = fronts.map(|pending| pending.version).min();
        let doubtful = self.doubtful_version(now);
        let oldest = oldest.into_iter().chain(doubtful).min();
        let oldest = oldest.unwrap_or_else(|| self.core.version_floor(now));
        self.core.verifier.watermark = self.core.watermarks.publish(self.core.worker, oldest);
        if running.stage != Stage::Drain && self.core.watermarks.stop.load(Ordering::Relaxed) {
            self.stop(running, now);
        }
    }

    /// Begins the end of a phase whose source has ended (the preload).
    pub(super) fn begin_source_end(&mut self, running: &mut Running, now: u64) {
        self.hand_over(running, now);
        running.stage = Stage::Drain;
        running.stage_end_ns = now.saturating_add(running.drain_ns);
        running.boundary_ns = running.stage_end_ns;
    }

    /// Records every request without a reply and hands over what is left.
    pub(super) fn finish(&mut self, running: &mut Running) -> PhaseEnd {
        let now = now_ns();
        self.core.now_ns = now;
        self.conclude_suspicions();
        self.give_up_outstanding(running, now);
        self.give_up_schedule(running);
        self.core.record_given_up(now);
        self.hand_over(running, now);
        self.end(running)
    }

    /// Decides whether the values under suspicion were corrupt or shifted.
    fn conclude_suspicions(&mut self) {
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let has_outstanding = !connection.outbox.pending.is_empty();
            match connection.reply.suspicion.conclude(has_outstanding) {
                Judgement::None => {}
                Judgement::Corrupt(count, example) => {
                    let verifier = &mut self.core.verifier;
                    verifier.violate_with(Violation::WrongKey, count, || example);
                }
                Judgement::Shifted(example) => {
                    let id = ConnectionId(index as u32);
                    self.lose(id, IncidentKind::Shifted, example);
                }
            }
        }
    }

    /// Whether a server was answering until shortly before the phase gave up waiting. If so, its outstanding requests
    /// are only late; otherwise they are lost.
    fn is_answering(&self, group: GroupId, running: &Running, now: u64) -> bool {
        let heard = self
            .connections
            .iter()
            .filter(|connection| connection.group == group)
            .map(|connection| connection.replied_ns);
        heard.max().unwrap_or(0) + running.drain_ns / 2 > now
    }

    fn give_up_outstanding(&mut self, running: &Running, now: u64) {
        for index in 0..self.connections.len() {
            if self.connections[index].outbox.pending.is_empty()
                && self.connections[index].waiting.is_empty()
            {
                continue;
            }
            let group = self.connections[index].group;
            let (sent_reason, unsent_reason) = if self.is_answering(group, running, now) {
                (NoReply::Overdue, NoReply::Unsent)
            } else {
                (NoReply::Lost, NoReply::Lost)
            };
            let connection = &mut self.connections[index];
            let sent = connection.outbox.pending.len() - connection.outbox.unsent;
            for (index, pending) in connection.outbox.pending.iter().enumerate() {
                let was_sent = index < sent;
                let reason = if was_sent { sent_reason } else { unsent_reason };
                let sent_ns = was_sent.then_some(pending.sent_ns);
                self.core
                    .give_up_on(pending.verb, pending.due_ns, reason, sent_ns);
            }
            self.core.waiting -= connection.waiting.len();
            for request in connection.waiting.drain(..) {
                self.core
                    .give_up_on(request.verb, request.due_ns, unsent_reason, None);
            }
        }
    }

    /// Gives up the requests that were due and are still in the schedule: too many were outstanding to the end.
    fn give_up_schedule(&mut self, running: &mut Running) {
        let now = self.core.now_ns;
        let groups = 0..self.core.router.groups();
        let is_any_answering = groups
            .map(GroupId)
            .any(|group| self.is_answering(group, running, now));
        let is_any_up = self
            .connections
            .iter()
            .any(|connection| connection.link == Link::Up);
        let reason = match (is_any_answering, is_any_up) {
            (true, _) => NoReply::Unsent,
            (false, true) => NoReply::Lost,
            (false, false) => NoReply::Unconnected,
        };
        let Pace::Open { arrivals, .. } = &mut running.pace else {
            return;
        };
        let end_ns = self.core.measured_ns.end;
        let step = arrivals
            .expected_before(end_ns)
            .div_ceil(COUNTED_SINGLY_MAX);
        while arrivals.next_due_ns() < end_ns {
            let count = arrivals.expected_before(end_ns).clamp(1, step.max(1));
            let due_ns = arrivals.advance_many(count);
            let Some((verb, _)) = running.source.next(&mut self.core.generator) else {
                return;
            };
            if !self.core.measured_ns.contains(&due_ns) {
                continue;
            }
            self.core.ledger.note(Entry {
                verb,
                reason,
                due_ns,
                sent_ns: None,
                count,
                started: count,
            });
            running.estimated += count * u64::from(count > 1);
        }
    }

    fn end(&mut self, running: &mut Running) -> PhaseEnd {
        let mut loads = std::mem::take(&mut running.loads);
        loads.extend(self.connections.iter().map(|connection| ConnectionLoad {
            group: connection.group,
            requests: connection.requests,
        }));
        let end = PhaseEnd {
            measured_end_ns: self.core.measured_ns.end,
            connections: loads,
            incidents: std::mem::take(&mut self.links.incidents),
            violations: self.core.verifier.counts,
            violation_examples: std::mem::take(&mut self.core.verifier.examples),
            error_examples: std::mem::take(&mut self.core.error_examples),
            estimated: running.estimated,
        };
        self.core.verifier.counts = Default::default();
        end
    }
}
