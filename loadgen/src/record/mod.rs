//! The records of requests: histograms and counters per verb, in intervals.
//!
//! A worker records into one [`Interval`] at a time and hands it over whole at each boundary; the collector adds the
//! intervals of all workers. Percentiles are only ever taken from added counts, never averaged.

mod interval;

pub use interval::{Interval, Late};

use crate::wire::reply::ErrorKind;
use hdrhistogram::Histogram;

/// Significant digits of every histogram.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// The longest latency told apart, in nanoseconds; longer ones count as this.
pub const LATENCY_NS_MAX: u64 = 100_000_000_000;

/// An empty latency histogram, in nanoseconds.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
        .expect("the bounds are constants that suit each other")
}

/// The reason why a request that was due has no reply. Each such request counts in the response times as at least as
/// long as it has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NoReply {
    /// The request was sent, or waited behind a request that was sent, and no reply came: the connection closed, or the
    /// server fell silent.
    Lost,
    /// The connection it was for had closed and was not open again.
    Unconnected,
    /// The server was still answering other requests when the phase gave up waiting.
    Overdue,
    /// The connection was full until the phase gave up, while the server was answering.
    Unsent,
}

impl NoReply {
    /// The number of reasons.
    pub const COUNT: usize = 4;

    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Lost, Self::Unconnected, Self::Overdue, Self::Unsent];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Unconnected => "unconnected",
            Self::Overdue => "overdue",
            Self::Unsent => "unsent",
        }
    }
}

/// The three latencies of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// Reply minus the time the request was due.
    pub response_ns: u64,
    /// Reply minus the time its bytes were handed to the kernel.
    pub service_ns: u64,
    /// The time the request was sent minus the time it was due and a connection was free: the client's own lateness.
    pub slip_ns: u64,
}

/// Counters of one verb.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Replies, of whatever kind.
    pub completed: u64,
    /// Keys found.
    pub hits: u64,
    /// Keys not found.
    pub misses: u64,
    /// Writes that were answered `NOT_STORED`, `EXISTS` or `NOT_FOUND`: legal, and nothing changed.
    pub refused: u64,
    /// Errors by [`ErrorKind`].
    pub errors: [u64; ErrorKind::COUNT],
    /// Requests without a reply by [`NoReply`].
    pub no_reply: [u64; NoReply::COUNT],
}

impl Counts {
    /// Errors of all kinds.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Requests without a reply, for whatever reason.
    #[must_use]
    pub fn no_reply_total(&self) -> u64 {
        self.no_reply.iter().sum()
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.hits += other.hits;
        self.misses += other.misses;
        self.refused += other.refused;
        for (mine, theirs) in self.errors.iter_mut().zip(other.errors) {
            *mine += theirs;
        }
        for (mine, theirs) in self.no_reply.iter_mut().zip(other.no_reply) {
            *mine += theirs;
        }
    }
}

/// Everything recorded about one verb.
#[derive(Debug, Clone)]
pub struct ClassRecord {
    /// See [`Latencies::response_ns`].
    pub response: Histogram<u64>,
    /// See [`Latencies::service_ns`].
    pub service: Histogram<u64>,
    /// See [`Latencies::slip_ns`].
    pub slip: Histogram<u64>,
    /// Outcomes.
    pub counts: Counts,
}

impl Default for ClassRecord {
    fn default() -> Self {
        Self {
            response: latency_histogram(),
            service: latency_histogram(),
            slip: latency_histogram(),
            counts: Counts::default(),
        }
    }
}

impl ClassRecord {
    /// Records the latencies of one request.
    #[inline]
    pub fn record(&mut self, latencies: &Latencies) {
        self.response
            .saturating_record(latencies.response_ns.max(1));
        self.service.saturating_record(latencies.service_ns.max(1));
        self.slip.saturating_record(latencies.slip_ns.max(1));
    }

    /// Records `count` requests without a reply that have waited this long since they were due, and since they were
    /// sent if they were.
    pub fn record_no_reply(
        &mut self,
        reason: NoReply,
        waited_ns: u64,
        since_sent_ns: Option<u64>,
        count: u64,
    ) {
        self.counts.no_reply[reason as usize] += count;
        self.response.saturating_record_n(waited_ns.max(1), count);
        if let Some(since_sent_ns) = since_sent_ns {
            self.service
                .saturating_record_n(since_sent_ns.max(1), count);
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
            (&mut self.slip, &other.slip),
        ] {
            mine.add(theirs)
                .expect("all latency histograms have the same bounds");
        }
        self.counts.add(&other.counts);
    }

    fn clear(&mut self) {
        self.response.reset();
        self.service.reset();
        self.slip.reset();
        self.counts = Counts::default();
    }
}

/// Totals of an interval that do not belong to a verb.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Wall time covered, summed over workers.
    pub wall_ns: u64,
    /// CPU time of the workers.
    pub cpu_ns: u64,
    /// CPU time that the workers spent spinning until a request was due.
    pub spin_ns: u64,
    /// Wall time taken from a spinning worker: by interrupts, other threads or the hypervisor.
    pub taken_ns: u64,
    /// Time the workers waited for their CPU while other threads had it; see `delay_unknown`.
    pub delay_ns: u64,
    /// Whether the kernel does not say how long a worker waited for its CPU.
    pub delay_unknown: bool,
    /// Requests that became due (open loop) or were started (closed loop).
    pub due: u64,
    /// Requests handed to the kernel, follow-ups included.
    pub sent: u64,
    /// Replies within the interval.
    pub completed: u64,
    /// Requests that were due and had to wait, for room on their connection or among all that may be outstanding. Each
    /// counts once, when it is started.
    pub held: u64,
    /// Bytes of requests.
    pub bytes_sent: u64,
    /// Bytes of replies.
    pub bytes_received: u64,
    /// Requests without a reply at the end of the interval.
    pub in_flight: u64,
    /// How long the oldest request that is due has not been sent, at the end of the interval.
    pub lag_ns: u64,
}

impl Totals {
    /// Adds `other`, which is another worker's or a later interval.
    pub fn add(&mut self, other: &Self) {
        self.wall_ns += other.wall_ns;
        self.cpu_ns += other.cpu_ns;
        self.spin_ns += other.spin_ns;
        self.taken_ns += other.taken_ns;
        self.delay_ns += other.delay_ns;
        self.delay_unknown |= other.delay_unknown;
        self.due += other.due;
        self.sent += other.sent;
        self.completed += other.completed;
        self.held += other.held;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.in_flight += other.in_flight;
        self.lag_ns = self.lag_ns.max(other.lag_ns);
    }

    /// How long the workers waited for their CPUs while other threads had them; `None` if the kernel does not say.
    #[must_use]
    pub fn run_delay_ns(&self) -> Option<u64> {
        (!self.delay_unknown).then_some(self.delay_ns)
    }

    /// CPU time without spinning.
    #[must_use]
    pub fn busy_ns(&self) -> u64 {
        self.cpu_ns.saturating_sub(self.spin_ns)
    }
}

/// The parts of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Before measuring: nothing counts.
    #[default]
    WarmUp,
    /// Within the measured time: everything counts.
    Measure,
    /// After the last request was due: replies still count, their rate does not.
    Drain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_beyond_the_range_count_at_its_end() {
        let mut class = ClassRecord::default();
        class.record(&Latencies {
            response_ns: u64::MAX,
            service_ns: 0,
            slip_ns: 0,
        });
        assert_eq!(class.response.len(), 1);
        assert!(class.response.max() >= LATENCY_NS_MAX);
    }
}
