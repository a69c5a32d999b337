//! One worker's records of one interval of time.

use super::{ClassRecord, Stage, Totals, latency_histogram};
use crate::workload::verb::Verb;
use hdrhistogram::Histogram;

/// Outcomes of requests after the window in which they were due had ended: the time series counts them in that window.
/// The interval's records contain these outcomes, too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Late {
    /// When the request was due.
    pub due_ns: u64,
    /// The request's response time, if it has one (never 0).
    pub response_ns: u64,
    /// The number of such requests; response times only count where there is one.
    pub count: u64,
    /// Requests that were sent too late, or never, and so were not counted as due in time.
    pub started: u64,
    /// Keys found.
    pub hits: u64,
    /// Keys not found.
    pub misses: u64,
    /// Whether the answer was an error.
    pub errors: u64,
    /// Whether there was no reply.
    pub no_reply: u64,
}

/// Late requests an interval can hold before it allocates: those in flight at a boundary, unless the server is
/// overloaded.
const LATE_USUAL: usize = 4096;

/// One worker's records of one interval.
#[derive(Debug)]
pub struct Interval {
    /// The part of the phase in which the interval lies.
    pub stage: Stage,
    /// The interval's window in the time series, counted from the start of measuring (negative in the warm-up).
    pub slot: i64,
    /// When the interval began.
    pub start_ns: u64,
    /// When the interval ended.
    pub end_ns: u64,
    /// Records by [`Verb::index`]; only the verbs of the workload have one.
    pub classes: Vec<Option<Box<ClassRecord>>>,
    /// The requests that were due in an earlier window.
    pub late: Vec<Late>,
    /// How long the requests without a reply at the end of the interval had waited by then. This is for the status line
    /// and enters no result.
    pub waiting: Histogram<u64>,
    /// Response times without what is known to be the client's own part of each (its slip, and how long the reply may
    /// have lain in the ring while the worker was busy or off its CPU), all verbs together. A percentile of the
    /// response times is the client's own doing by at most its difference from the same percentile of these.
    pub net: Histogram<u64>,
    /// Totals that do not belong to a verb.
    pub totals: Totals,
}

impl Interval {
    /// An empty interval with records for `verbs`.
    #[must_use]
    pub fn new(verbs: &[Verb]) -> Self {
        let mut classes: Vec<Option<Box<ClassRecord>>> = vec![None; Verb::COUNT];
        for verb in verbs {
            classes[verb.index()] = Some(Box::default());
        }
        Self {
            stage: Stage::WarmUp,
            slot: 0,
            start_ns: 0,
            end_ns: 0,
            classes,
            late: Vec::with_capacity(LATE_USUAL),
            waiting: latency_histogram(),
            net: latency_histogram(),
            totals: Totals::default(),
        }
    }

    /// Empties the interval for reuse.
    pub fn clear(&mut self) {
        self.classes
            .iter_mut()
            .flatten()
            .for_each(|class| class.clear());
        self.late.clear();
        self.waiting.reset();
        self.net.reset();
        self.totals = Totals::default();
    }

    /// Adds the records of another interval.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => mine.add(theirs),
                (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
                (_, None) => {}
            }
        }
        self.net
            .add(&other.net)
            .expect("all latency histograms have the same bounds");
        self.totals.add(&other.totals);
    }

    /// The record of a verb of the workload.
    #[inline]
    pub fn class(&mut self, verb: Verb) -> &mut ClassRecord {
        self.classes[verb.index()].get_or_insert_default()
    }

    /// All verbs together.
    #[must_use]
    pub fn all_verbs(&self) -> ClassRecord {
        let mut all = ClassRecord::default();
        self.classes
            .iter()
            .flatten()
            .for_each(|class| all.add(class));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Latencies;

    #[test]
    fn merged_histograms_equal_one() {
        let latencies = |seed: u64| Latencies {
            response_ns: seed.wrapping_mul(0x9e37_79b9) % 10_000_000,
            service_ns: seed.wrapping_mul(0x85eb_ca6b) % 1_000_000,
            slip_ns: seed % 5_000,
        };
        let mut one = Interval::new(&[Verb::Get, Verb::Set]);
        let mut parts: Vec<Interval> = (0..4)
            .map(|_| Interval::new(&[Verb::Get, Verb::Set]))
            .collect();
        for seed in 0..20_000u64 {
            let verb = if seed % 3 == 0 { Verb::Set } else { Verb::Get };
            one.class(verb).record(&latencies(seed));
            parts[(seed % 4) as usize]
                .class(verb)
                .record(&latencies(seed));
        }
        let mut merged = Interval::new(&[Verb::Get]);
        parts.iter().for_each(|part| merged.add(part));
        for verb in [Verb::Get, Verb::Set] {
            assert_eq!(merged.class(verb).response, one.class(verb).response);
            assert_eq!(merged.class(verb).service, one.class(verb).service);
            assert_eq!(merged.class(verb).slip, one.class(verb).slip);
        }
        assert_eq!(merged.all_verbs().response, one.all_verbs().response);
        assert_eq!(merged.all_verbs().response.len(), 20_000);
    }
}
