//! Chooses the connection of a group that takes the next request.
//!
//! An open loop chooses as independent users would: each request goes to a connection that its schedule chose, whether
//! that one is idle or busy. With Poisson arrivals the choice is random, each connection as likely as any other, so
//! that each connection's requests are a Poisson process of their own; with uniform arrivals connections take turns, so
//! that each connection's requests are evenly spaced, too. A closed loop (and the preload) fills connections that have
//! room.

use super::connection::Connection;
use crate::net::ring::ConnectionId;
use crate::target::GroupId;
use crate::worker::arrivals::ArrivalKind;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// The connections of each group, and where their turns stand.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    depth: usize,
    /// Requests that all connections may have outstanding.
    capacity: usize,
    rng: SmallRng,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<ConnectionId>,
    next: usize,
    preferred: Option<ConnectionId>,
    /// Members that are not open.
    down: usize,
    /// When the last open member closed.
    down_since_ns: u64,
}

impl Group {
    fn turn(&mut self) -> ConnectionId {
        let id = self.members[self.next];
        self.next = if self.next + 1 == self.members.len() {
            0
        } else {
            self.next + 1
        };
        id
    }
}

impl Groups {
    /// Groups of `connections`, each taking up to `depth` requests.
    pub(crate) fn new(
        connections: &[Connection],
        groups: usize,
        depth: usize,
        worker: usize,
        seed: u64,
    ) -> Self {
        let mut all: Vec<Group> = (0..groups).map(|_| Group::default()).collect();
        for (index, connection) in connections.iter().enumerate() {
            all[connection.group.0]
                .members
                .push(ConnectionId(index as u32));
        }
        let rng =
            SmallRng::seed_from_u64(seed ^ (worker as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f));
        Self {
            groups: all,
            depth,
            capacity: depth * connections.len(),
            rng,
        }
    }

    /// Begins a phase in which a connection may have `depth` requests outstanding; earlier preferences are forgotten.
    pub(crate) fn begin(&mut self, depth: usize) {
        self.depth = depth;
        let connections = self.groups.iter().map(|group| group.members.len());
        self.capacity = depth * connections.sum::<usize>();
        for group in &mut self.groups {
            group.preferred = None;
        }
    }

    /// Requests one connection may have outstanding.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Open loop: the connection that the schedule chooses, whatever it is doing.
    #[inline]
    pub(crate) fn choose(&mut self, group: GroupId, arrivals: ArrivalKind) -> ConnectionId {
        let group = &mut self.groups[group.0];
        match arrivals {
            ArrivalKind::Poisson => {
                let count = group.members.len() as u32;
                group.members[self.rng.random_range(0..count) as usize]
            }
            ArrivalKind::Uniform => group.turn(),
        }
    }

    /// Closed loop: prefers this connection as long as it has room, if all connections can be full at once. Where fewer
    /// requests may be outstanding, connections take turns; otherwise only the first connections would get requests.
    #[inline]
    pub(crate) fn prefer(&mut self, group: GroupId, id: ConnectionId, in_flight_max: usize) {
        if in_flight_max >= self.capacity {
            self.groups[group.0].preferred = Some(id);
        }
    }

    /// Closed loop: a connection with room.
    #[inline]
    pub(crate) fn pick(
        &mut self,
        group: GroupId,
        connections: &[Connection],
    ) -> Option<ConnectionId> {
        let depth = self.depth;
        let group = &mut self.groups[group.0];
        let has_room = |id: ConnectionId| connections[id.index()].has_room(depth);
        if let Some(preferred) = group.preferred {
            if has_room(preferred) {
                return Some(preferred);
            }
            group.preferred = None;
        }
        for _ in 0..group.members.len() {
            let id = group.turn();
            if has_room(id) {
                return Some(id);
            }
        }
        None
    }

    /// Notes that a connection of a group has closed.
    pub(crate) fn note_down(&mut self, group: GroupId, now: u64) {
        let group = &mut self.groups[group.0];
        group.down += 1;
        group.down_since_ns = now;
    }

    /// Notes that a connection of a group is open again.
    pub(crate) fn note_up(&mut self, group: GroupId) {
        self.groups[group.0].down -= 1;
    }

    /// Whether no connection of a group has been open for this long.
    pub(crate) fn is_down_for(&self, group: GroupId, ns: u64, now: u64) -> bool {
        let group = &self.groups[group.0];
        group.down == group.members.len() && group.down_since_ns + ns <= now
    }

    /// Whether no connection of any group has been open for this long.
    pub(crate) fn are_all_down_for(&self, ns: u64, now: u64) -> bool {
        (0..self.groups.len()).all(|index| self.is_down_for(GroupId(index), ns, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::Protocol;
    use crate::worker::connection::Limits;

    const LIMITS: Limits = Limits {
        depth: 1,
        multiget_keys: 1,
        request_bytes_max: 100,
    };

    fn groups(connections: usize) -> Groups {
        let connections: Vec<Connection> = (0..connections)
            .map(|_| Connection::new(GroupId(0), Protocol::Text, &LIMITS))
            .collect();
        Groups::new(&connections, 1, 1, 0, 1)
    }

    fn chosen(arrivals: ArrivalKind, connections: usize, requests: usize) -> Vec<usize> {
        let mut groups = groups(connections);
        let mut counts = vec![0; connections];
        (0..requests).for_each(|_| counts[groups.choose(GroupId(0), arrivals).index()] += 1);
        counts
    }

    #[test]
    fn poisson_schedules_choose_each_connection_as_often_as_chance_does() {
        let counts = chosen(ArrivalKind::Poisson, 50, 100_000);
        let expected = 2_000.0;
        let chi_square: f64 = counts
            .iter()
            .map(|&count| (count as f64 - expected).powi(2) / expected)
            .sum();
        // 0.01% and 99.99% of the chi-square distribution with 49 degrees of freedom.
        assert!((18.0..95.0).contains(&chi_square), "{chi_square}");
    }

    #[test]
    fn uniform_schedules_take_turns() {
        assert_eq!(chosen(ArrivalKind::Uniform, 50, 5_000), vec![100; 50]);
    }
}
