//! Connections that close during a run: their requests are counted as lost, and they are opened anew.
//!
//! ```text
//!         closed by the server, failed, malformed or shifted replies
//!   Up ----------------------------------------------------------------> Closing
//!    ^                                                                       | no operation on its socket is left
//!    |            the dialler has opened a new one                           v
//!    '------------------------------------------------------------------ Dialling
//! ```
//!
//! The outstanding requests of the connection get no reply, nor do the requests that become due for it before it is
//! open again.

use super::Worker;
use super::connection::Link;
use super::incident::{Incident, IncidentKind};
use super::running::Running;
use crate::clock::now_ns;
use crate::error::{LoadError, Result};
use crate::net::handshake::Opened;
use crate::net::ring::ConnectionId;
use crate::record::NoReply;
use crate::target::GroupId;
use crate::value::Version;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// An order to open a connection.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) group: GroupId,
    /// How long to wait before opening the connection.
    pub(crate) pause: Duration,
    pub(crate) id: ConnectionId,
    /// Where the connection goes.
    pub(crate) outlet: Sender<(ConnectionId, Opened)>,
}

/// The first pause before another attempt; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// No pause is longer: a server that comes back is used within this time.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long to wait before an attempt to open a connection after `failures` failed attempts.
pub(crate) fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => PAUSE_MAX.min(PAUSE_FIRST * (1 << (failures - 1).min(10))),
    }
}

/// How long a server may take to apply a write that it had received when its connection closed: until then, its version
/// counts as not yet acknowledged, so that no sound server is accused of stale values.
const DOUBT_NS: u64 = 60_000_000_000;

/// A worker's connections that are not open.
#[derive(Debug)]
pub(crate) struct Links {
    /// Closed connections with operations under way.
    closing: Vec<ConnectionId>,
    /// When each connection was lost, and why.
    lost: Vec<(ConnectionId, u64, IncidentKind)>,
    pub(super) incidents: Vec<Incident>,
    orders: Sender<Order>,
    outlet: Sender<(ConnectionId, Opened)>,
    opened: Receiver<(ConnectionId, Opened)>,
}

impl Links {
    /// The state with all connections open. Lost connections are ordered by `orders` from the dialler.
    pub(crate) fn new(orders: Sender<Order>) -> Self {
        let (outlet, opened) = std::sync::mpsc::channel();
        Self {
            closing: Vec::new(),
            lost: Vec::new(),
            incidents: Vec::new(),
            orders,
            outlet,
            opened,
        }
    }

    #[inline]
    pub(super) fn are_any_down(&self) -> bool {
        !self.lost.is_empty()
    }
}

impl Worker {
    /// Notes connections that are down as a phase begins.
    pub(super) fn note_links_down(&mut self, now: u64) {
        for (id, lost_ns, kind) in &mut self.links.lost {
            *lost_ns = now;
            *kind = IncidentKind::Down;
            let group = self.connections[id.index()].group;
            let example = "it could not be opened again".to_owned();
            Incident::add_to(
                &mut self.links.incidents,
                Incident::new(group, IncidentKind::Down, example, now, 0),
            );
        }
    }

    /// Gives a connection up: its requests have no reply, and it will be opened anew.
    #[cold]
    pub(super) fn lose(&mut self, id: ConnectionId, kind: IncidentKind, why: String) {
        let connection = &mut self.connections[id.index()];
        if connection.link != Link::Up {
            return;
        }
        let now = self.core.now_ns;
        let outbox = &connection.outbox;
        let sent = outbox.pending.len() - outbox.unsent;
        for (index, pending) in outbox.pending.iter().enumerate() {
            let sent_ns = (index < sent).then_some(pending.sent_ns);
            self.core
                .give_up_on(pending.verb, pending.due_ns, NoReply::Lost, sent_ns);
        }
        if let Some(oldest) = outbox.pending.iter().map(|pending| pending.version).min() {
            let oldest = self
                .core
                .doubt
                .map_or(oldest, |(doubt, _)| doubt.min(oldest));
            self.core.doubt = Some((oldest, now + DOUBT_NS));
        }
        for request in &connection.waiting {
            self.core
                .give_up_on(request.verb, request.due_ns, NoReply::Unconnected, None);
        }
        let requests = outbox.pending.len() + connection.waiting.len();
        self.core.in_flight -= outbox.pending.len();
        self.core.waiting -= connection.waiting.len();
        connection.link = Link::Closing;
        connection.reset();
        let group = connection.group;
        self.ring.shut(id);
        self.groups.note_down(group, now);
        self.links.closing.push(id);
        self.links.lost.push((id, now, kind));
        Incident::add_to(
            &mut self.links.incidents,
            Incident::new(group, kind, why, now, requests as u64),
        );
    }

    /// Brings connections that have closed further on the way to being open again.
    #[cold]
    pub(super) fn mend(&mut self, running: &mut Running) -> Result<()> {
        let failed = |error| LoadError::failed("io_uring", &error);
        // Requests that found no room may find room now, or may have to be given up.
        running.unblock(self.core.now_ns);
        let mut index = 0;
        while let Some(&id) = self.links.closing.get(index) {
            if !self.ring.is_idle(id) {
                index += 1;
                continue;
            }
            self.links.closing.swap_remove(index);
            self.ring.detach(id).map_err(failed)?;
            self.order(id);
        }
        while let Ok((id, opened)) = self.links.opened.try_recv() {
            self.ring.attach(id, opened.socket).map_err(failed)?;
            self.connections[id.index()].secure(opened.tls);
            self.reopened(id);
        }
        Ok(())
    }

    fn order(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.index()];
        connection.link = Link::Dialling;
        let order = Order {
            group: connection.group,
            pause: pause(connection.attempts),
            id,
            outlet: self.links.outlet.clone(),
        };
        connection.attempts += 1;
        // The dialler has ended only if the fleet ends, and then so does this worker.
        let _ = self.links.orders.send(order);
    }

    fn reopened(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.index()];
        connection.link = Link::Up;
        let group = connection.group;
        self.groups.note_up(group);
        let found = self.links.lost.iter().position(|(lost, ..)| *lost == id);
        if let Some(index) = found {
            let (_, lost_ns, kind) = self.links.lost.swap_remove(index);
            let after_ns = now_ns().saturating_sub(lost_ns);
            Incident::reopened(&mut self.links.incidents, group, kind, after_ns);
        }
    }

    /// The version below which every write is known to be complete, as far as lost connections are concerned.
    pub(super) fn doubtful_version(&mut self, now: u64) -> Option<Version> {
        let (version, until_ns) = self.core.doubt?;
        if now > until_ns {
            self.core.doubt = None;
            return None;
        }
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let pauses: Vec<u128> = (0..12)
            .map(|failures| pause(failures).as_millis())
            .collect();
        assert_eq!(pauses[..5], [0, 10, 20, 40, 80]);
        assert_eq!(pauses[11], 1000);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }
}
