//! The time series of a measurement. A request belongs to the window in which it was due, so the window of a stall
//! shows it even if no reply came during it, and the replies after the last window count in those they were due in.
//!
//! Windows are kept as lists of cells (a value and how often it occurred) with positive and negative counts: the
//! records of an interval count in its own window, and late requests are moved to the window in which they were due.

use crate::record::{ClassRecord, Interval, LATENCY_NS_MAX, Late, Stage, latency_histogram};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// One row of the time series.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// Seconds since measuring began.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// Requests due per second.
    pub offered: f64,
    /// Replies that came in the window, per second.
    pub achieved: f64,
    /// Requests due in the window with a response time: answered, or without a reply.
    pub responses: u64,
    /// Requests among them without a reply.
    pub no_reply: u64,
    /// Median response time; `None` if there is no response time.
    pub p50_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// Maximum.
    pub max_ns: Option<u64>,
    /// Keys found.
    pub hits: u64,
    /// Keys not found.
    pub misses: u64,
    /// Errors of all kinds.
    pub errors: u64,
    /// Requests without a reply at the end.
    pub in_flight: u64,
    /// The workers' CPU time without spinning, as a share of wall time.
    pub client_busy: f64,
}

/// The sums of a window, apart from its response times.
#[derive(Debug, Default, Clone)]
struct Slot {
    /// Response times and how many requests have each.
    cells: Vec<(u64, i64)>,
    due: i64,
    hits: i64,
    misses: i64,
    errors: i64,
    no_reply: i64,
    completed: u64,
    in_flight: u64,
    wall_ns: u64,
    busy_ns: u64,
    /// The longest time that a worker spent in it.
    length_ns: u64,
}

impl Slot {
    fn count(&mut self, late: &Late, sign: i64) {
        let count = |number: u64| sign * number as i64;
        if late.response_ns > 0 {
            let response_ns = late.response_ns.min(LATENCY_NS_MAX);
            self.cells.push((response_ns, count(late.count)));
        }
        self.due += count(late.started);
        self.hits += count(late.hits);
        self.misses += count(late.misses);
        self.errors += count(late.errors);
        self.no_reply += count(late.no_reply);
    }
}

/// Windows by number.
#[derive(Debug)]
pub(super) struct Series {
    start_ns: u64,
    interval_ns: u64,
    slots: Vec<Slot>,
    /// Windows of the measured time; what was due later can only be rounding.
    measured: usize,
}

impl Series {
    pub(super) fn new(start_ns: u64, interval_ns: u64) -> Self {
        Self {
            start_ns,
            interval_ns,
            slots: Vec::new(),
            measured: 0,
        }
    }

    fn slot(&mut self, number: i64) -> &mut Slot {
        let index = usize::try_from(number).unwrap_or(0);
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Slot::default());
        }
        &mut self.slots[index]
    }

    /// Adds what a worker recorded in an interval of the measured time or the drain.
    pub(super) fn add(&mut self, interval: &Interval, all: &ClassRecord) {
        let own = self.slot(interval.slot);
        for value in all.response.iter_recorded() {
            let count = value.count_at_value() as i64;
            own.cells.push((value.value_iterated_to(), count));
        }
        own.due += interval.totals.due as i64;
        own.hits += all.counts.hits as i64;
        own.misses += all.counts.misses as i64;
        own.errors += all.counts.errors_total() as i64;
        own.no_reply += all.counts.no_reply_total() as i64;
        if interval.stage == Stage::Measure && interval.totals.wall_ns > 0 {
            own.completed += interval.totals.completed;
            own.in_flight += interval.totals.in_flight;
            own.wall_ns += interval.totals.wall_ns;
            own.busy_ns += interval.totals.busy_ns();
            own.length_ns = own.length_ns.max(interval.totals.wall_ns);
            let index = usize::try_from(interval.slot).unwrap_or(0);
            self.measured = self.measured.max(index + 1);
        }
        for late in &interval.late {
            self.slot(interval.slot).count(late, -1);
            let since_ns = late.due_ns.saturating_sub(self.start_ns);
            let number = (since_ns / self.interval_ns) as i64;
            self.slot(number).count(late, 1);
        }
    }

    /// The windows of the measured time. Anything beyond counts in the last.
    fn windows(&self) -> Vec<Slot> {
        let mut windows = self.slots.clone();
        windows.resize(windows.len().max(self.measured), Slot::default());
        let beyond = windows.split_off(self.measured.clamp(1.min(windows.len()), windows.len()));
        if let Some(last) = windows.last_mut() {
            for slot in beyond {
                last.cells.extend(slot.cells);
                last.due += slot.due;
                last.hits += slot.hits;
                last.misses += slot.misses;
                last.errors += slot.errors;
                last.no_reply += slot.no_reply;
            }
        }
        windows
    }

    pub(super) fn histograms(&self) -> impl Iterator<Item = Histogram<u64>> {
        self.windows()
            .into_iter()
            .map(|window| histogram(&window.cells))
    }

    /// The rows, if measuring ended at `end_ns`.
    pub(super) fn points(&self, end_ns: u64) -> Vec<Point> {
        let windows = self.windows();
        windows
            .iter()
            .enumerate()
            .map(|(index, window)| self.point(index, window, end_ns))
            .collect()
    }

    fn point(&self, index: usize, window: &Slot, end_ns: u64) -> Point {
        let response = histogram(&window.cells);
        let at = |quantile| (!response.is_empty()).then(|| response.value_at_quantile(quantile));
        let since_ns = index as u64 * self.interval_ns;
        let left_ns = end_ns
            .saturating_sub(self.start_ns)
            .saturating_sub(since_ns);
        let length_s = self.interval_ns.min(left_ns) as f64 / 1e9;
        // Workers end their intervals a little later than at the boundary.
        let counted_s = window.length_ns as f64 / 1e9;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Point {
            start_s: since_ns as f64 / 1e9,
            length_s,
            offered: window.due as f64 / length_s.max(1e-9),
            achieved: window.completed as f64 / counted_s.max(1e-9),
            responses: response.len(),
            no_reply: count(window.no_reply),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: (!response.is_empty()).then(|| response.max()),
            hits: count(window.hits),
            misses: count(window.misses),
            errors: count(window.errors),
            in_flight: window.in_flight,
            client_busy: window.busy_ns as f64 / window.wall_ns.max(1) as f64,
        }
    }
}

/// The histogram of cells.
fn histogram(cells: &[(u64, i64)]) -> Histogram<u64> {
    let mut histogram = latency_histogram();
    let mut counts: BTreeMap<u64, i64> = BTreeMap::new();
    for (value, count) in cells {
        *counts
            .entry(histogram.highest_equivalent(*value))
            .or_default() += count;
    }
    for (value, count) in counts {
        // Even a count of zero would move the maximum.
        if count > 0 {
            histogram.saturating_record_n(value, count.unsigned_abs());
        }
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Latencies, NoReply};
    use crate::workload::verb::Verb;

    const WINDOW_NS: u64 = 1_000_000;

    fn latencies(response_ns: u64) -> Latencies {
        Latencies {
            response_ns,
            service_ns: 1,
            slip_ns: 1,
        }
    }

    /// An interval of window `slot` in which one request of each window from `first_due` on was answered.
    fn interval(slot: i64, first_due: u64, stage: Stage) -> Interval {
        let mut interval = Interval::new(&[Verb::Get]);
        interval.slot = slot;
        interval.stage = stage;
        interval.totals.wall_ns = WINDOW_NS;
        for window in first_due..=slot as u64 {
            let due_ns = window * WINDOW_NS;
            let response_ns = (slot as u64 + 1) * WINDOW_NS - due_ns;
            let class = interval.class(Verb::Get);
            class.record(&latencies(response_ns));
            class.counts.hits += 1;
            if (window as i64) < slot {
                interval.late.push(Late {
                    due_ns,
                    response_ns,
                    count: 1,
                    hits: 1,
                    ..Late::default()
                });
            }
        }
        interval
    }

    #[test]
    fn late_replies_count_where_they_were_due() {
        let mut series = Series::new(0, WINDOW_NS);
        let mut total = Interval::new(&[]);
        for interval in [
            interval(0, 0, Stage::Measure),
            interval(3, 1, Stage::Measure),
        ] {
            series.add(&interval, &interval.all_verbs());
            total.add(&interval);
        }
        let points = series.points(4 * WINDOW_NS);
        let responses: Vec<u64> = points.iter().map(|point| point.responses).collect();
        assert_eq!(responses, [1, 1, 1, 1]);
        assert!(points.iter().all(|point| point.hits == 1));
        assert!(points[1].p99_ns > points[2].p99_ns, "it waited longer");
        let mut sum = latency_histogram();
        series
            .histograms()
            .for_each(|histogram| sum.add(histogram).unwrap());
        assert_eq!(sum, total.all_verbs().response);
    }

    #[test]
    fn requests_without_a_reply_count_where_they_were_due() {
        let mut series = Series::new(0, WINDOW_NS);
        let measured = interval(1, 1, Stage::Measure);
        series.add(&measured, &measured.all_verbs());
        let mut end = Interval::new(&[Verb::Get]);
        (end.slot, end.stage) = (9, Stage::Drain);
        let waited_ns = 9 * WINDOW_NS;
        end.class(Verb::Get)
            .record_no_reply(NoReply::Lost, waited_ns, None, 5);
        end.late.push(Late {
            response_ns: waited_ns,
            count: 5,
            no_reply: 5,
            ..Late::default()
        });
        series.add(&end, &end.all_verbs());
        let points = series.points(4 * WINDOW_NS);
        assert_eq!(points.len(), 2);
        assert_eq!((points[0].responses, points[0].no_reply), (5, 5));
        assert!(points[0].p50_ns.unwrap() >= waited_ns);
        assert_eq!((points[1].responses, points[1].no_reply), (1, 0));
    }
}
