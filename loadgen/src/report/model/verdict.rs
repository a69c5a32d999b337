//! The judgement of a measurement.

use crate::record::NoReply;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The judgement of a measurement, worst first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// How much of each percentile can be the client's.
    pub client: ClientVerdict,
    /// The client was a limit: why. Empty with the better grades.
    pub client_limited: Vec<String>,
    /// Requests without a reply by reason: `lost`, `unconnected`, `overdue` and `unsent`.
    pub no_reply: BTreeMap<String, u64>,
    /// Connections that closed or were opened anew.
    pub incidents: Vec<IncidentReport>,
    /// The load was not sustained: why.
    pub overloaded: Option<String>,
    /// Violations by class.
    pub violations: BTreeMap<String, u64>,
    /// The first violations in words.
    pub violation_examples: Vec<String>,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// Texts the server sent.
    pub error_examples: Vec<String>,
    /// Failed, unanswered and never sent requests as a share of those due.
    pub error_share: f64,
    /// The objective, if one was given.
    pub slo: Option<String>,
    /// The conditions of the objective that did not hold.
    pub slo_missed: Vec<String>,
    /// Things worth knowing that are no verdict.
    pub notes: Vec<String>,
}

/// Grades of the client's part of the shown figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientGrade {
    /// The client's part is too small to matter.
    #[default]
    Ok,
    /// The client's part is worth knowing.
    Shows,
    /// The client's part is most of a figure, or the client was busy all the time: the figures describe the client.
    Limited,
}

/// The judgement of the client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClientVerdict {
    /// The grade.
    pub grade: ClientGrade,
    /// The client's part of each percentile; empty if there was no reply.
    pub shares: Vec<ClientShare>,
    /// The causes, and their remedies.
    pub causes: Vec<String>,
}

/// The client's part of a percentile.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClientShare {
    /// The percentile as a share of 1; 1 is the maximum.
    pub quantile: f64,
    /// The shown percentile, in nanoseconds.
    pub shown_ns: u64,
    /// At most this much of the percentile is the client's part, in nanoseconds.
    pub ours_ns: u64,
}

impl Verdict {
    /// Violations of all classes.
    #[must_use]
    pub fn violations_total(&self) -> u64 {
        self.violations.values().sum()
    }

    /// Requests whose reply was lost, or that had no connection to be sent on.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        let count = |reason: NoReply| self.no_reply.get(reason.name()).copied().unwrap_or(0);
        count(NoReply::Lost) + count(NoReply::Unconnected)
    }

    /// Whether replies or connections were lost.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        self.lost_total() > 0 || !self.incidents.is_empty()
    }

    /// Whether the numbers can be relied on.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.client_limited.is_empty()
            && self.no_reply.is_empty()
            && self.incidents.is_empty()
            && self.overloaded.is_none()
            && self.violations_total() == 0
            && self.errors.is_empty()
            && self.slo_missed.is_empty()
    }
}

/// Connections to a server or shard to which the same thing happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentReport {
    /// The server or shard.
    pub server: String,
    /// `closed`, `failed`, `malformed reply`, `shifted replies` or `not open`.
    pub kind: String,
    /// The first time in words.
    pub example: String,
    /// When the first of these incidents happened, in seconds since measuring began.
    pub first_s: f64,
    /// When the last of them happened.
    pub last_s: f64,
    /// The number of incidents.
    pub count: u64,
    /// Requests on these connections that had no reply.
    pub requests: u64,
    /// How many of the connections were opened again.
    pub reopened: u64,
    /// The longest time until a connection was open again.
    pub reopened_s_max: Option<f64>,
}
