//! Phases, the orders to a worker; and the messages that it sends back.

use super::arrivals::Arrivals;
use super::incident::Incident;
use super::verify::Violation;
use crate::error::LoadError;
use crate::record::Interval;
use crate::target::GroupId;
use crate::workload::Generator;
use crate::workload::keys::KeyId;
use crate::workload::verb::{KeySpace, Verb};
use clap::ValueEnum;

/// How a worker waits for the next due request; the README's table compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitPolicy {
    /// Sleep in the ring until shortly before, then spin.
    Hybrid,
    /// Only sleep: cheapest, some 30 us late.
    Sleep,
    /// Only spin: a whole CPU for each worker, least disturbed; replies are noticed without a wake-up.
    Spin,
}

/// When requests are started.
#[derive(Debug)]
pub(crate) enum Pace {
    /// At their due times.
    Open {
        arrivals: Arrivals,
        in_flight_max: usize,
    },
    /// When another request is answered.
    Closed { in_flight_max: usize },
}

impl Pace {
    /// How long the next request has been due.
    pub(crate) fn lag_ns(&self, now: u64) -> u64 {
        match self {
            Self::Open { arrivals, .. } => now.saturating_sub(arrivals.next_due_ns()),
            Self::Closed { .. } => 0,
        }
    }
}

/// The source of requests.
#[derive(Debug)]
pub(crate) enum Source {
    /// The workload's mix.
    Mix,
    /// One set for each key of the worker's part, space by space.
    Load {
        spaces: Vec<KeySpace>,
        next: u64,
        range: std::ops::Range<u64>,
    },
}

impl Source {
    /// The next request's verb and key.
    #[inline]
    pub(crate) fn next(&mut self, generator: &mut Generator) -> Option<(Verb, KeyId)> {
        match self {
            Self::Mix => {
                let operation = generator.next_operation();
                Some((operation.verb, operation.key))
            }
            Self::Load {
                spaces,
                next,
                range,
            } => {
                spaces.last()?;
                let key = KeyId(*next);
                *next += 1;
                Some((Verb::Set, key)).filter(|_| key.0 < range.end)
            }
        }
    }

    /// The key space of a request with this verb. Loading goes on to the next space when one is complete.
    #[inline]
    pub(crate) fn space(&self, verb: Verb) -> KeySpace {
        match self {
            Self::Mix => verb.key_space(),
            Self::Load { spaces, .. } => spaces.last().copied().unwrap_or(KeySpace::Values),
        }
    }

    /// Whether the source ends by itself.
    pub(crate) fn is_finite(&self) -> bool {
        matches!(self, Self::Load { .. })
    }

    /// Whether nothing is left.
    pub(crate) fn is_exhausted(&mut self) -> bool {
        match self {
            Self::Mix => false,
            Self::Load {
                spaces,
                next,
                range,
            } => {
                if *next >= range.end && spaces.pop().is_some() {
                    *next = range.start;
                }
                spaces.is_empty() || range.is_empty()
            }
        }
    }
}

/// One phase of load, for one worker.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) source: Source,
    pub(crate) pace: Pace,
    pub(crate) depth: usize,
    pub(crate) start_ns: u64,
    pub(crate) warm_up_ns: u64,
    pub(crate) measure_ns: u64,
    /// How long to wait for replies after the last request was due.
    pub(crate) drain_ns: u64,
    pub(crate) interval_ns: u64,
}

/// The requests that one connection was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLoad {
    /// The server or shard it leads to.
    pub group: GroupId,
    /// Measured requests that the schedule sent on it (follow-ups left out).
    pub requests: u64,
}

/// The results of a phase beside its intervals.
#[derive(Debug, Clone, Default)]
pub struct PhaseEnd {
    /// When the measured time ended.
    pub measured_end_ns: u64,
    /// Each connection's share.
    pub connections: Vec<ConnectionLoad>,
    /// Connections that closed or had to be opened anew.
    pub incidents: Vec<Incident>,
    /// Violations by class.
    pub violations: [u64; Violation::COUNT],
    /// The first violations in words.
    pub violation_examples: Vec<String>,
    /// Texts of errors the server sent.
    pub error_examples: Vec<String>,
    /// Requests that were never sent and were so many that they were counted by the rate of the schedule: their numbers
    /// by verb are estimates.
    pub estimated: u64,
}

impl PhaseEnd {
    /// Adds the results of another worker.
    pub fn add(&mut self, other: Self) {
        self.measured_end_ns = self.measured_end_ns.max(other.measured_end_ns);
        self.connections.extend(other.connections);
        for incident in other.incidents {
            Incident::add_to(&mut self.incidents, incident);
        }
        for (mine, theirs) in self.violations.iter_mut().zip(other.violations) {
            *mine += theirs;
        }
        self.estimated += other.estimated;
        self.violation_examples.extend(other.violation_examples);
        for text in other.error_examples {
            if !self.error_examples.contains(&text) {
                self.error_examples.push(text);
            }
        }
    }
}

/// A message from a worker to the collector.
#[derive(Debug)]
pub(crate) enum Message {
    /// The records of an interval, from the worker with this number.
    Interval(usize, Box<Interval>),
    /// The phase is over.
    Done(PhaseEnd),
    /// The run cannot go on.
    Failed(LoadError),
}
