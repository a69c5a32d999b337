//! A worker: one pinned thread, one ring, its share of the connections and of the schedule.
//!
//! ```text
//!   admit (due requests -> outboxes) -> flush (outboxes -> ring) -> wait (sleep, then spin) -> harvest (replies)
//!     ^______________________________________________________________________________________________|
//! ```
//!
//! The schedule never waits for replies. It chooses a connection for each request; when that one is full, the request
//! waits for it, and its response time grows from the moment it was due. Connections that close are opened anew while
//! the others go on; see [`links`](self) for what becomes of their requests.

mod account;
mod admit;
pub mod arrivals;
pub(crate) mod connection;
pub(crate) mod core;
pub(crate) mod desync;
pub mod incident;
pub(crate) mod ledger;
pub(crate) mod links;
pub mod phase;
pub(crate) mod pick;
mod running;
mod secure;
mod sink;
pub(crate) mod sleep;
pub mod verify;

use crate::clock::{RunDelay, now_ns};
use crate::error::{LoadError, Result};
use crate::net::ring::{ConnectionId, Event, Filled, Ring, Wait};
use crate::net::tls::explain;
use crate::record::{Interval, Stage};
use crate::wire::fault::{Fault, ProtocolError};
use crate::workload::verb::Verb;
use connection::{Connection, Link};
use core::Core;
use corecached_tls::SessionError;
use incident::IncidentKind;
use links::Links;
use phase::{Message, Pace, Phase, PhaseEnd, WaitPolicy};
use pick::Groups;
use running::Running;
use sink::Sink;
use sleep::Sleep;
use std::sync::mpsc::{Receiver, SyncSender};

/// A spinning worker reads the clock every few tens of nanoseconds. A longer step than this is time in which it did not
/// run: an interrupt, another thread, or the hypervisor.
const SPIN_STEP_NS_MAX: u64 = 10_000;

/// One worker, on its own thread.
pub(crate) struct Worker {
    pub(crate) ring: Ring,
    pub(crate) connections: Vec<Connection>,
    pub(crate) groups: Groups,
    pub(crate) core: Core,
    /// Connections with something to send.
    pub(crate) dirty: Vec<ConnectionId>,
    /// Scratch: the connections of `dirty` that could send this time.
    pub(crate) batch: Vec<ConnectionId>,
    pub(crate) sleep: Sleep,
    pub(crate) outlet: SyncSender<Message>,
    pub(crate) empties: Receiver<Box<Interval>>,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) delay: RunDelay,
    /// Connections that have closed.
    pub(crate) links: Links,
    /// Scratch: where received bytes are decrypted.
    pub(crate) scratch: Vec<u8>,
}

/// The reasons why received bytes end a connection.
enum Broken {
    /// They are no replies to its requests.
    Reply(ProtocolError),
    /// They are no TLS, or end the session.
    Tls(SessionError),
}

impl From<ProtocolError> for Broken {
    fn from(error: ProtocolError) -> Self {
        Self::Reply(error)
    }
}

impl From<SessionError> for Broken {
    fn from(error: SessionError) -> Self {
        Self::Tls(error)
    }
}

impl Broken {
    fn incident(&self) -> (IncidentKind, String) {
        match self {
            Self::Reply(error) => match error.fault {
                Fault::Malformed => (IncidentKind::Malformed, error.to_string()),
                Fault::Shifted => (IncidentKind::Shifted, error.to_string()),
            },
            Self::Tls(error) => (IncidentKind::Failed, explain(error)),
        }
    }
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
            if self.links.are_any_down() {
                self.mend(&mut running)?;
            }
            if running.stage == Stage::Drain
                && self.core.in_flight == 0
                && self.core.waiting == 0
                && !running.has_backlog(self.core.measured_ns.end)
            {
                running.done = true;
            }
        }
        Ok(self.finish(&mut running))
    }

    #[inline]
    fn mark_dirty(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.index()];
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Hands all outboxes to the kernel and notes when. A single outbox is handed over with the wait that follows.
    /// Several outboxes are submitted at once; the kernel sends them one after the other, and each gets its share of
    /// that time.
    fn flush(&mut self) -> Result<()> {
        self.batch.clear();
        let (ring, batch, connections) = (&self.ring, &mut self.batch, &mut self.connections);
        self.dirty.retain(|&id| {
            let connection = &mut connections[id.index()];
            let is_up = connection.link == Link::Up;
            let ready = is_up && ring.can_send(id);
            connection.dirty = is_up && !ready;
            if ready {
                batch.push(id);
            }
            connection.dirty
        });
        for index in 0..self.batch.len() {
            self.queue(self.batch[index])?;
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

    /// Gives the ring what a connection has to send, encrypted if TLS is spoken.
    #[inline]
    fn queue(&mut self, id: ConnectionId) -> Result<()> {
        let connection = &mut self.connections[id.index()];
        let outbox = &mut connection.outbox;
        let bytes = match &mut connection.tls {
            None => &mut outbox.bytes,
            Some(tls) => {
                if let Err(error) = tls.encrypt(&mut outbox.bytes) {
                    self.lose(id, IncidentKind::Failed, explain(&error));
                    return Ok(());
                }
                &mut tls.out
            }
        };
        let totals = &mut self.core.interval.totals;
        totals.bytes_sent += bytes.len() as u64;
        totals.sent += outbox.unsent as u64;
        self.ring
            .queue_send(id, bytes)
            .map_err(|error| LoadError::failed("io_uring", &error))
    }

    /// Says goodbye on all connections with TLS, so that servers do not take their end for a cut.
    pub(crate) fn say_goodbye(&mut self) {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            let id = ConnectionId(index as u32);
            let can_send = connection.link == Link::Up && self.ring.can_send(id);
            if let Some(tls) = connection.tls.as_mut().filter(|_| can_send) {
                tls.close();
                // A goodbye that cannot be sent is a cut, which servers survive.
                let _ = self.ring.queue_send(id, &mut tls.out);
            }
        }
        let _ = self.ring.enter(Wait::No);
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
            _ => {
                self.ring.enter(Wait::Event)?;
                self.core.looked_ns = now_ns();
                return Ok(());
            }
        };
        let now = now_ns();
        if due_ns <= now {
            return self.ring.enter(Wait::No);
        }
        let (gap_ns, spin_ns) = (due_ns - now, self.sleep.spin_ns());
        if gap_ns > spin_ns {
            let planned_ns = due_ns - spin_ns;
            self.ring.enter(Wait::For(gap_ns - spin_ns))?;
            let woke_ns = now_ns();
            self.sleep.woke(woke_ns, planned_ns);
            // A reply that came after the planned end of the sleep has waited for the worker.
            self.core.looked_ns = woke_ns.min(planned_ns);
            return Ok(());
        }
        self.ring.enter(Wait::No)?;
        self.spin_until(due_ns);
        self.ring.enter(Wait::No)
    }

    /// Spins until `due_ns` or until the ring has something. Only the time in which the worker ran is CPU time spent
    /// spinning.
    fn spin_until(&mut self, due_ns: u64) {
        let start = now_ns();
        let (mut last, mut taken_ns) = (start, 0);
        while last < due_ns && self.ring.is_quiet() {
            self.core.looked_ns = last;
            std::hint::spin_loop();
            let now = now_ns();
            if now - last > SPIN_STEP_NS_MAX {
                taken_ns += now - last;
            }
            last = now;
        }
        let totals = &mut self.core.interval.totals;
        totals.spin_ns += last - start - taken_ns;
        totals.taken_ns += taken_ns;
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
                Event::Received(id, filled) => self.take(running, id, filled),
                Event::SendResumed(id) => {
                    running.unblock(self.core.now_ns);
                    self.release(id);
                }
                Event::Closed(id) => self.closed(id),
                Event::Failed(id, errno) => {
                    let error = std::io::Error::from_raw_os_error(errno).to_string();
                    self.lose(id, IncidentKind::Failed, error);
                }
                Event::Tick => {}
            }
        }
        self.core.looked_ns = self.core.now_ns;
        Ok(())
    }

    /// Takes the bytes that one receive brought.
    #[inline]
    fn take(&mut self, running: &mut Running, id: ConnectionId, filled: Filled) {
        running.unblock(self.core.now_ns);
        if self.connections[id.index()].link != Link::Up {
            self.ring.recycle(filled);
            return;
        }
        let received = self.receive(id, &filled);
        self.ring.recycle(filled);
        if let Err(broken) = received {
            let (kind, why) = broken.incident();
            self.lose(id, kind, why);
            return;
        }
        let tls = self.connections[id.index()].tls.as_ref();
        if tls.is_some_and(secure::Secure::is_over) {
            let why = "the server closed the connection, after TLS's close_notify".to_owned();
            self.lose(id, IncidentKind::Closed, why);
            return;
        }
        if let Pace::Closed { in_flight_max } = running.pace {
            self.top_up(running, id, in_flight_max);
        } else {
            self.release(id);
        }
        if self.connections[id.index()].has_output() {
            self.mark_dirty(id);
        }
    }

    #[cold]
    fn closed(&mut self, id: ConnectionId) {
        let why = match self.connections[id.index()].tls {
            None => "the server closed the connection",
            Some(_) => "the server closed the connection, without TLS's close_notify",
        };
        self.lose(id, IncidentKind::Closed, why.to_owned());
    }

    #[inline]
    fn receive(&mut self, id: ConnectionId, filled: &Filled) -> std::result::Result<(), Broken> {
        let bytes = self.ring.bytes(filled);
        self.core.interval.totals.bytes_received += bytes.len() as u64;
        let now = self.core.now_ns;
        let connection = &mut self.connections[id.index()];
        let mut sink = Sink {
            core: &mut self.core,
            outbox: &mut connection.outbox,
            reply: &mut connection.reply,
        };
        let parser = &mut connection.parser;
        let Some(tls) = &mut connection.tls else {
            connection.replied_ns = now;
            parser.feed(bytes, &mut sink)?;
            connection.attempts = 0;
            return Ok(());
        };
        // Tickets and fresh keys are no replies.
        let (mut fed, mut has_replied) = (Ok(()), false);
        let received = tls.receive(bytes, &mut self.scratch, |plain| {
            has_replied = true;
            if fed.is_ok() {
                fed = parser.feed(plain, &mut sink);
            }
        });
        if has_replied {
            connection.replied_ns = now;
        }
        fed?;
        received?;
        if has_replied {
            connection.attempts = 0;
        }
        Ok(())
    }
}
