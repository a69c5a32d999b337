//! A worker: one pinned thread, one ring, its share of the connections and of the schedule.
//!
//! ```text
//!   admit (due requests -> outboxes) -> flush (outboxes -> ring) -> wait (sleep, then spin) -> harvest (replies)
//!     ^______________________________________________________________________________________________|
//! ```
//!
//! The schedule is drawn one request ahead and never waits for replies: when every connection is full, the next
//! request stays due and its response time grows from the moment it was due.

pub mod arrivals;
pub(crate) mod connection;
pub(crate) mod core;
pub mod phase;
pub(crate) mod pick;
mod running;
pub(crate) mod sleep;
pub mod verify;

use crate::clock::{RunDelay, now_ns, thread_cpu_ns};
use crate::error::{Exit, LoadError, Result};
use crate::net::ring::{ConnectionId, Event, Ring, Wait};
use crate::record::{Interval, Stage};
use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;
use connection::Connection;
use core::{Ask, Core, Sink};
use phase::{Message, Pace, Phase, PhaseEnd, Source, WaitPolicy};
use pick::Groups;
use running::Running;
use sleep::Sleep;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

/// How often the oldest unanswered request is looked for and published.
const WATERMARK_INTERVAL_NS: u64 = 5_000_000;

/// One worker, on its own thread.
pub(crate) struct Worker {
    pub(crate) ring: Ring,
    pub(crate) connections: Vec<Connection>,
    pub(crate) groups: Groups,
    pub(crate) core: Core,
    /// Connections with something to send.
    pub(crate) dirty: Vec<ConnectionId>,
    /// Scratch: those of `dirty` that could send this time.
    pub(crate) batch: Vec<ConnectionId>,
    pub(crate) sleep: Sleep,
    pub(crate) outlet: SyncSender<Message>,
    pub(crate) spares: Receiver<Box<Interval>>,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) delay: RunDelay,
}

impl Worker {
    /// Runs one phase to its end.
    pub(crate) fn run(&mut self, phase: Phase) -> Result<PhaseEnd> {
        let mut running = self.begin(phase);
        while !running.done {
            let now = now_ns();
            self.core.now_ns = now;
            if now >= running.boundary_ns {
                self.boundary(&mut running, now);
            }
            if now >= running.watermark_due_ns {
                self.publish_watermark(&mut running, now);
            }
            self.admit(&mut running, now);
            self.flush()?;
            self.wait(&mut running)?;
            self.harvest(&mut running)?;
            if running.stage == Stage::Drain
                && self.core.in_flight == 0
                && !running.has_backlog(self.core.measured_ns.end)
            {
                running.done = true;
            }
        }
        self.abandon(&mut running);
        self.hand_over(&mut running, now_ns());
        Ok(self.end())
    }

    fn begin(&mut self, phase: Phase) -> Running {
        let measure_start_ns = phase.start_ns + phase.warm_up_ns;
        let measure_end_ns = measure_start_ns.saturating_add(phase.measure_ns);
        self.core.measured_ns = measure_start_ns..measure_end_ns;
        self.groups.set_depth(phase.depth);
        self.core.interval.clear();
        self.core.interval.start_ns = phase.start_ns;
        Running::new(phase, measure_end_ns, self.delay.total_ns())
    }

    fn end(&mut self) -> PhaseEnd {
        let end = PhaseEnd {
            unanswered: self.core.in_flight as u64,
            violations: self.core.verifier.counts,
            violation_examples: std::mem::take(&mut self.core.verifier.examples),
            error_examples: std::mem::take(&mut self.core.error_examples),
        };
        self.core.verifier.counts = Default::default();
        end
    }

    /// Ends an interval, and a stage if it is over.
    fn boundary(&mut self, running: &mut Running, now: u64) {
        self.hand_over(running, now);
        if running.stage != Stage::Drain && self.core.watermarks.stop.load(Ordering::Relaxed) {
            self.core.measured_ns.end = now;
            running.stage = Stage::Measure;
            running.stage_end_ns = now;
        }
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

    /// Counts the requests that were due and could not be sent even while draining.
    fn abandon(&mut self, running: &mut Running) {
        if let Pace::Open { arrivals, .. } = &mut running.pace {
            // A request that was held is still the next of the schedule.
            let abandoned = arrivals.abandon_until(self.core.measured_ns.end);
            self.core.interval.totals.abandoned += abandoned;
            self.core.interval.totals.due += abandoned;
        }
    }

    /// Sends the interval's records to the collector and goes on with an empty one.
    fn hand_over(&mut self, running: &mut Running, now: u64) {
        let next = self
            .spares
            .try_recv()
            .unwrap_or_else(|_| Box::new(Interval::new(&self.verbs)));
        let mut interval = std::mem::replace(&mut self.core.interval, next);
        self.core.interval.start_ns = now;
        let cpu_ns = thread_cpu_ns();
        interval.stage = running.stage;
        interval.end_ns = now;
        interval.totals.wall_ns = now.saturating_sub(interval.start_ns);
        interval.totals.cpu_ns = cpu_ns - running.cpu_ns;
        interval.totals.in_flight = self.core.in_flight as u64;
        interval.totals.lag_ns = running.pace.lag_ns(now);
        running.cpu_ns = cpu_ns;
        let delay_ns = self.delay.total_ns();
        interval.totals.delay_ns = delay_ns - running.delay_ns;
        running.delay_ns = delay_ns;
        // A collector that is gone has seen another worker fail; this one will be told to stop.
        let _ = self
            .outlet
            .send(Message::Interval(self.core.worker, interval));
    }

    fn publish_watermark(&mut self, running: &mut Running, now: u64) {
        running.watermark_due_ns = now + WATERMARK_INTERVAL_NS;
        let fronts = self
            .connections
            .iter()
            .filter_map(|connection| connection.outbox.pending.front());
        let oldest = fronts.map(|pending| pending.version).min();
        let oldest = oldest.unwrap_or_else(|| self.core.version_floor(now));
        self.core.verifier.watermark = self.core.watermarks.publish(self.core.worker, oldest);
    }

    /// Turns due requests into bytes.
    fn admit(&mut self, running: &mut Running, now: u64) {
        match running.pace {
            Pace::Open { .. } => self.admit_due(running, now),
            Pace::Closed { .. } if running.stage != Stage::Drain => self.admit_all(running, now),
            Pace::Closed { .. } => {}
        }
    }

    fn admit_due(&mut self, running: &mut Running, now: u64) {
        let Pace::Open {
            arrivals,
            in_flight_max,
        } = &mut running.pace
        else {
            return;
        };
        while !running.blocked {
            let due_ns = arrivals.next_due_ns();
            if due_ns > now || due_ns >= self.core.measured_ns.end {
                break;
            }
            if self.core.in_flight >= *in_flight_max
                || !self.start(
                    &mut running.source,
                    &mut running.held,
                    due_ns,
                    running.freed_ns,
                )
            {
                running.blocked = true;
                break;
            }
            arrivals.advance();
        }
    }

    /// Closed loop: fills every connection (at the start, and after connections of other groups were full).
    fn admit_all(&mut self, running: &mut Running, now: u64) {
        let Pace::Closed { in_flight_max } = running.pace else {
            return;
        };
        while !running.blocked && self.core.in_flight < in_flight_max {
            if !self.start(&mut running.source, &mut running.held, now, 0) {
                running.blocked = true;
            }
        }
        if running.held.is_none() && running.source.is_exhausted() {
            self.begin_source_end(running, now);
        }
    }

    /// A source that ends (the preload) ends its phase.
    fn begin_source_end(&mut self, running: &mut Running, now: u64) {
        self.hand_over(running, now);
        running.stage = Stage::Drain;
        running.stage_end_ns = now.saturating_add(running.drain_ns);
        running.boundary_ns = running.stage_end_ns;
    }

    /// Starts the next request if its connections have room.
    #[inline]
    fn start(
        &mut self,
        source: &mut Source,
        held: &mut Option<(Verb, KeyId)>,
        due_ns: u64,
        freed_ns: u64,
    ) -> bool {
        let Some((verb, key)) = held
            .take()
            .or_else(|| source.next(&mut self.core.generator))
        else {
            return false;
        };
        let space = source.space(verb);
        let group = self.core.route(space, key);
        let Some(id) = self.groups.pick(group, &self.connections) else {
            *held = Some((verb, key));
            return false;
        };
        self.core.interval.totals.due += 1;
        self.core.interval.totals.held += u64::from(freed_ns > due_ns);
        let ask = Ask {
            verb,
            space,
            key,
            cas_unique: 0,
            due_ns,
            ready_ns: due_ns.max(freed_ns),
        };
        self.core
            .issue(&mut self.connections[id.index()].outbox, &ask);
        self.mark_dirty(id);
        true
    }

    #[inline]
    fn mark_dirty(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.index()];
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Hands all outboxes to the kernel and notes when. One is handed over with the wait that follows; several are
    /// submitted at once, the kernel sends them one after the other, and each gets its share of that time.
    fn flush(&mut self) -> Result<()> {
        self.batch.clear();
        let (ring, batch, connections) = (&self.ring, &mut self.batch, &mut self.connections);
        self.dirty.retain(|&id| {
            let ready = ring.can_send(id);
            if ready {
                connections[id.index()].dirty = false;
                batch.push(id);
            }
            !ready
        });
        let totals = &mut self.core.interval.totals;
        for &id in &self.batch {
            let outbox = &mut self.connections[id.index()].outbox;
            totals.bytes_sent += outbox.bytes.len() as u64;
            totals.sent += outbox.unsent as u64;
            self.ring
                .queue_send(id, &mut outbox.bytes)
                .map_err(|error| LoadError::failed("io_uring", &error))?;
        }
        match self.batch.as_slice() {
            [] => {}
            [only] => self.connections[only.index()].outbox.stamp(now_ns()),
            several => {
                let start = now_ns();
                self.ring
                    .enter(Wait::No)
                    .map_err(|error| LoadError::failed("io_uring", &error))?;
                let span = now_ns() - start;
                let count = several.len() as u64;
                for (index, id) in several.iter().enumerate() {
                    self.connections[id.index()]
                        .outbox
                        .stamp(start + span * index as u64 / count);
                }
            }
        }
        Ok(())
    }

    /// Waits until a reply comes or something is due.
    fn wait(&mut self, running: &mut Running) -> Result<()> {
        self.wait_inner(running)
            .map_err(|error| LoadError::failed("io_uring", &error))
    }

    fn wait_inner(&mut self, running: &Running) -> std::io::Result<()> {
        let due_ns = match &running.pace {
            Pace::Open { arrivals, .. } if running.awaits_due(self.core.measured_ns.end) => {
                arrivals.next_due_ns().min(running.boundary_ns)
            }
            _ if self.sleep.policy() == WaitPolicy::Spin => running.boundary_ns,
            _ => return self.ring.enter(Wait::Event),
        };
        let now = now_ns();
        if due_ns <= now {
            return self.ring.enter(Wait::No);
        }
        let (gap_ns, spin_ns) = (due_ns - now, self.sleep.spin_ns());
        if gap_ns > spin_ns {
            self.ring.enter(Wait::For(gap_ns - spin_ns))?;
            self.sleep.woke(now_ns(), due_ns - spin_ns);
            return Ok(());
        }
        self.ring.enter(Wait::No)?;
        self.spin_until(due_ns);
        self.ring.enter(Wait::No)
    }

    /// Spins until `due_ns` or until the ring has something.
    fn spin_until(&mut self, due_ns: u64) {
        let start = now_ns();
        let mut end = start;
        while end < due_ns && self.ring.is_quiet() {
            std::hint::spin_loop();
            end = now_ns();
        }
        self.core.interval.totals.spin_ns += end - start;
    }

    /// Takes all replies that have come.
    fn harvest(&mut self, running: &mut Running) -> Result<()> {
        self.core.now_ns = now_ns();
        while let Some(event) = self
            .ring
            .next_event()
            .map_err(|error| LoadError::failed("io_uring", &error))?
        {
            match event {
                Event::Received(id, filled) => {
                    if running.blocked {
                        running.blocked = false;
                        running.freed_ns = self.core.now_ns;
                    }
                    self.receive(id, &filled)?;
                    self.ring.recycle(filled);
                    if let Pace::Closed { in_flight_max } = running.pace {
                        self.top_up(running, id, in_flight_max);
                    }
                    if !self.connections[id.index()].outbox.bytes.is_empty() {
                        self.mark_dirty(id);
                    }
                }
                Event::SendResumed(_) => running.unblock(self.core.now_ns),
                Event::Closed(id) => return Err(self.lost(id, "the server closed the connection")),
                Event::Failed(id, errno) => {
                    return Err(
                        self.lost(id, &std::io::Error::from_raw_os_error(errno).to_string())
                    );
                }
                Event::Tick => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn receive(&mut self, id: ConnectionId, filled: &crate::net::ring::Filled) -> Result<()> {
        let bytes = self.ring.bytes(filled);
        self.core.interval.totals.bytes_received += bytes.len() as u64;
        let connection = &mut self.connections[id.index()];
        let mut sink = Sink {
            core: &mut self.core,
            outbox: &mut connection.outbox,
            reply: &mut connection.reply,
        };
        connection.parser.feed(bytes, &mut sink).map_err(|error| {
            LoadError::new(
                Exit::NoServer,
                format!(
                    "the server does not speak the {} protocol: {error}",
                    self.core.protocol.name()
                ),
            )
        })
    }

    /// Closed loop: the connection that got replies gets new requests.
    #[inline]
    fn top_up(&mut self, running: &mut Running, id: ConnectionId, in_flight_max: usize) {
        if running.stage == Stage::Drain {
            return;
        }
        self.groups.prefer(self.connections[id.index()].group, id);
        while self.core.in_flight < in_flight_max {
            let now = self.core.now_ns;
            if !self.start(&mut running.source, &mut running.held, now, 0) {
                break;
            }
        }
    }

    #[cold]
    fn lost(&self, id: ConnectionId, why: &str) -> LoadError {
        let outstanding = self.connections[id.index()].outbox.pending.len();
        LoadError::new(
            Exit::ServerLost,
            format!(
                "{why}, {outstanding} requests on it were unanswered (does it limit connections or was it stopped?)"
            ),
        )
    }
}
