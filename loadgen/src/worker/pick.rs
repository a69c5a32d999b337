//! Which connection of a group takes the next request: round robin over those with room.

use super::connection::Connection;
use crate::net::ring::ConnectionId;
use crate::target::GroupId;

/// The connections of each group, and where the round robin stands.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    depth: usize,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<ConnectionId>,
    next: usize,
    preferred: Option<ConnectionId>,
}

impl Groups {
    /// Groups of `connections`, each taking up to `depth` requests.
    pub(crate) fn new(connections: &[Connection], groups: usize, depth: usize) -> Self {
        let mut all: Vec<Group> = (0..groups).map(|_| Group::default()).collect();
        for (index, connection) in connections.iter().enumerate() {
            all[connection.group.0]
                .members
                .push(ConnectionId(index as u32));
        }
        Self { groups: all, depth }
    }

    /// Requests one connection may have outstanding.
    pub(crate) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// Asks for this connection as long as it has room.
    #[inline]
    pub(crate) fn prefer(&mut self, group: GroupId, id: ConnectionId) {
        self.groups[group.0].preferred = Some(id);
    }

    /// A connection with room.
    #[inline]
    pub(crate) fn pick(
        &mut self,
        group: GroupId,
        connections: &[Connection],
    ) -> Option<ConnectionId> {
        let depth = self.depth;
        let group = &mut self.groups[group.0];
        if let Some(preferred) = group.preferred {
            if connections[preferred.index()].outbox.has_room(depth) {
                return Some(preferred);
            }
            group.preferred = None;
        }
        for _ in 0..group.members.len() {
            let id = group.members[group.next];
            group.next = if group.next + 1 == group.members.len() {
                0
            } else {
                group.next + 1
            };
            if connections[id.index()].outbox.has_room(depth) {
                return Some(id);
            }
        }
        None
    }
}
