//! From the schedule to the connections: which requests are due, and which connection each goes to.

use super::Worker;
use super::connection::Waiting;
use super::core::Ask;
use super::phase::{Pace, Source};
use super::running::Running;
use crate::net::ring::ConnectionId;
use crate::record::{Late, NoReply, Stage};
use crate::worker::connection::Link;
use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;

/// Open loop: requests taken from the schedule before the ring is looked into again, however many are due.
const ADMITTED_MAX: usize = 4096;

/// Closed loop: how long a request waits for a server of which no connection is open.
const PATIENCE_NS: u64 = 1_000_000_000;

impl Worker {
    /// Turns due requests into bytes.
    pub(super) fn admit(&mut self, running: &mut Running, now: u64) {
        match running.pace {
            Pace::Open { .. } => self.admit_due(running, now),
            Pace::Closed { .. } if running.stage != Stage::Drain => self.admit_all(running, now),
            Pace::Closed { .. } => {}
        }
    }

    /// Open loop: each request that is due goes to the connection that the schedule chooses. Requests beyond the bound
    /// on all outstanding requests stay in the schedule.
    fn admit_due(&mut self, running: &mut Running, now: u64) {
        let Pace::Open {
            arrivals,
            in_flight_max,
        } = &mut running.pace
        else {
            return;
        };
        for _ in 0..ADMITTED_MAX {
            let due_ns = arrivals.next_due_ns();
            if running.blocked || due_ns > now || due_ns >= self.core.measured_ns.end {
                break;
            }
            if self.core.in_flight + self.core.waiting >= *in_flight_max {
                running.blocked = true;
                break;
            }
            let Some((verb, key)) = running.source.next(&mut self.core.generator) else {
                break;
            };
            let group = self.core.route(running.source.space(verb), key);
            let id = self.groups.choose(group, arrivals.kind());
            let request = Waiting { verb, key, due_ns };
            let waits = self.start(id, request, due_ns.max(running.freed_ns));
            let has_waited = running.freed_ns > due_ns;
            self.core.interval.totals.held += u64::from(waits || has_waited);
            arrivals.advance();
        }
    }

    /// Starts a request of the schedule on the connection that was chosen for it. Returns whether it waits for that
    /// connection to have room.
    #[inline]
    fn start(&mut self, id: ConnectionId, request: Waiting, ready_ns: u64) -> bool {
        self.core.interval.totals.due += 1;
        if request.due_ns < self.core.slot_start_ns
            && self.core.measured_ns.contains(&request.due_ns)
        {
            self.core.interval.late.push(Late {
                due_ns: request.due_ns,
                started: 1,
                ..Late::default()
            });
        }
        let depth = self.groups.depth();
        let connection = &mut self.connections[id.index()];
        if connection.link != Link::Up {
            self.core
                .give_up_on(request.verb, request.due_ns, NoReply::Unconnected, None);
            return false;
        }
        if connection.waiting.is_empty() && connection.has_room(depth) {
            self.issue(id, request, ready_ns);
            return false;
        }
        connection.waiting.push_back(request);
        self.core.waiting += 1;
        true
    }

    /// Sends requests that have waited for a connection, as far as the connection has room again.
    #[inline]
    pub(super) fn release(&mut self, id: ConnectionId) {
        let depth = self.groups.depth();
        while self.connections[id.index()].has_room(depth) {
            let Some(request) = self.connections[id.index()].waiting.pop_front() else {
                return;
            };
            self.core.waiting -= 1;
            self.issue(id, request, self.core.now_ns);
        }
    }

    /// Renders a request that its connection has room for.
    #[inline]
    fn issue(&mut self, id: ConnectionId, request: Waiting, ready_ns: u64) {
        let ask = Ask {
            verb: request.verb,
            space: request.verb.key_space(),
            key: request.key,
            cas_unique: 0,
            due_ns: request.due_ns,
            ready_ns,
        };
        self.issue_ask(id, &ask);
    }

    #[inline]
    fn issue_ask(&mut self, id: ConnectionId, ask: &Ask) {
        let connection = &mut self.connections[id.index()];
        connection.requests += u64::from(self.core.measured_ns.contains(&ask.due_ns));
        self.core.issue(&mut connection.outbox, ask);
        self.mark_dirty(id);
    }

    /// Closed loop: fills every connection (at the start, and after connections of other groups were full).
    fn admit_all(&mut self, running: &mut Running, now: u64) {
        let Pace::Closed { in_flight_max } = running.pace else {
            return;
        };
        while !running.blocked && self.core.in_flight < in_flight_max {
            if !self.start_another(&mut running.source, &mut running.held, now) {
                running.blocked = true;
            }
        }
        if running.held.is_none() && running.source.is_exhausted() {
            self.begin_source_end(running, now);
        } else if running.source.is_finite() && self.groups.are_all_down_for(PATIENCE_NS, now) {
            self.give_up_source(running, now);
        }
    }

    /// Ends a preload whose servers are all gone, and counts the sets that were still to be made.
    #[cold]
    fn give_up_source(&mut self, running: &mut Running, now: u64) {
        loop {
            let held = running.held.take();
            let next = held.or_else(|| running.source.next(&mut self.core.generator));
            if let Some((verb, _)) = next {
                self.core.interval.totals.due += 1;
                self.core.give_up_on(verb, now, NoReply::Unconnected, None);
            } else if running.source.is_exhausted() {
                break;
            }
        }
        self.begin_source_end(running, now);
    }

    /// Closed loop: the connection that got replies gets new requests.
    #[inline]
    pub(super) fn top_up(&mut self, running: &mut Running, id: ConnectionId, in_flight_max: usize) {
        if running.stage == Stage::Drain {
            return;
        }
        self.groups
            .prefer(self.connections[id.index()].group, id, in_flight_max);
        while self.core.in_flight < in_flight_max {
            let now = self.core.now_ns;
            if !self.start_another(&mut running.source, &mut running.held, now) {
                break;
            }
        }
    }

    /// Closed loop: starts the next request if a connection to its server has room. A request whose server cannot be
    /// reached is given up, as long as there are other servers to go on with.
    #[inline]
    fn start_another(
        &mut self,
        source: &mut Source,
        held: &mut Option<(Verb, KeyId)>,
        now: u64,
    ) -> bool {
        let Some((verb, key)) = held
            .take()
            .or_else(|| source.next(&mut self.core.generator))
        else {
            return false;
        };
        let space = source.space(verb);
        let group = self.core.route(space, key);
        if let Some(id) = self.groups.pick(group, &self.connections) {
            self.core.interval.totals.due += 1;
            let ask = Ask {
                verb,
                space,
                key,
                cas_unique: 0,
                due_ns: now,
                ready_ns: now,
            };
            self.issue_ask(id, &ask);
            return true;
        }
        if self.groups.is_down_for(group, PATIENCE_NS, now) && !self.groups.are_all_down_for(0, now)
        {
            self.core.interval.totals.due += 1;
            self.core.give_up_on(verb, now, NoReply::Unconnected, None);
            return true;
        }
        *held = Some((verb, key));
        false
    }
}
