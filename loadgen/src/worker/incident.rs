//! Connections that closed, failed or had to be opened anew: how often, when, and what it cost.

use crate::target::GroupId;

/// The kinds of incidents of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentKind {
    /// The server closed the connection.
    Closed,
    /// The kernel reported an error.
    Failed,
    /// The server sent bytes that are no reply of the protocol.
    Malformed,
    /// A reply was lost or came twice, so that all later ones were taken for other requests' replies.
    Shifted,
    /// The connection was not open when the phase began.
    Down,
}

impl IncidentKind {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Malformed => "malformed reply",
            Self::Shifted => "shifted replies",
            Self::Down => "not open",
        }
    }
}

/// Connections to one server or shard to which the same thing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Which server or shard.
    pub group: GroupId,
    /// The kind of incident.
    pub kind: IncidentKind,
    /// The first time in words.
    pub example: String,
    /// When the first of these incidents happened.
    pub first_ns: u64,
    /// When the last of them happened.
    pub last_ns: u64,
    /// The number of incidents.
    pub count: u64,
    /// Requests on these connections that had no reply.
    pub requests: u64,
    /// How many of the connections were opened again.
    pub reopened: u64,
    /// The longest time until a connection was open again.
    pub reopened_ns_max: u64,
}

impl Incident {
    /// A single incident.
    #[must_use]
    pub fn new(
        group: GroupId,
        kind: IncidentKind,
        example: String,
        at_ns: u64,
        requests: u64,
    ) -> Self {
        Self {
            group,
            kind,
            example,
            first_ns: at_ns,
            last_ns: at_ns,
            count: 1,
            requests,
            reopened: 0,
            reopened_ns_max: 0,
        }
    }

    /// Adds one to a list in which each group and kind stands once.
    pub fn add_to(list: &mut Vec<Self>, other: Self) {
        let same = list
            .iter_mut()
            .find(|mine| (mine.group, mine.kind) == (other.group, other.kind));
        let Some(mine) = same else {
            list.push(other);
            return;
        };
        if other.first_ns < mine.first_ns {
            mine.first_ns = other.first_ns;
            mine.example = other.example;
        }
        mine.last_ns = mine.last_ns.max(other.last_ns);
        mine.count += other.count;
        mine.requests += other.requests;
        mine.reopened += other.reopened;
        mine.reopened_ns_max = mine.reopened_ns_max.max(other.reopened_ns_max);
    }

    /// Notes that a connection of `group` that was lost for `kind` is open again after `ns`.
    pub fn reopened(list: &mut [Self], group: GroupId, kind: IncidentKind, ns: u64) {
        let found = list
            .iter_mut()
            .find(|incident| (incident.group, incident.kind) == (group, kind));
        if let Some(incident) = found {
            incident.reopened += 1;
            incident.reopened_ns_max = incident.reopened_ns_max.max(ns);
        }
    }
}
