//! What a phase came to: the added records of all workers, and its time series.

use crate::fleet::Load;
use crate::record::{ClassRecord, Counts, Interval, Stage, Totals, latency_histogram};
use crate::worker::phase::PhaseEnd;
use hdrhistogram::Histogram;

/// One point of the time series, all workers and verbs together.
#[derive(Debug, Clone)]
pub struct Window {
    /// Whether it lies in the warm-up, the measured time, or the drain.
    pub stage: Stage,
    /// Its beginning, in seconds since measuring began (negative in the warm-up).
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Outcomes.
    pub counts: Counts,
    /// Totals of the workers.
    pub totals: Totals,
    /// Response times of all verbs; empty in kept windows unless histograms are kept.
    pub response: Histogram<u64>,
    /// The percentiles, where the histogram is gone.
    point: Option<Point>,
}

impl Window {
    /// Replies per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.totals.completed as f64 / self.length_s.max(1e-9)
    }

    /// Requests that became due per second.
    #[must_use]
    pub fn offered(&self) -> f64 {
        self.totals.due as f64 / self.length_s.max(1e-9)
    }

    /// A point without its histogram.
    #[must_use]
    pub fn point(&self) -> Point {
        self.point.unwrap_or_else(|| Point {
            start_s: self.start_s,
            length_s: self.length_s,
            offered: self.offered(),
            achieved: self.rate(),
            p50_ns: self.response.value_at_quantile(0.5),
            p99_ns: self.response.value_at_quantile(0.99),
            p999_ns: self.response.value_at_quantile(0.999),
            max_ns: self.response.max(),
            hits: self.counts.hits,
            misses: self.counts.misses,
            errors: self.counts.errors_total(),
            in_flight: self.totals.in_flight,
            client_busy: self.totals.busy_ns() as f64 / self.totals.wall_ns.max(1) as f64,
        })
    }
}

/// One row of the time series.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// Seconds since measuring began.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// Requests due per second.
    pub offered: f64,
    /// Replies per second.
    pub achieved: f64,
    /// Median response time.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Maximum.
    pub max_ns: u64,
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

/// A phase's result.
#[derive(Debug)]
pub struct Measurement {
    /// Requests per second asked for; nothing for a closed loop.
    pub rate: Option<f64>,
    /// Seconds measured.
    pub seconds: f64,
    /// Records of all requests due in the measured time.
    pub total: Interval,
    /// Totals of the measured time alone (without warm-up and drain).
    pub measured: Totals,
    /// The time series of the measured time.
    pub windows: Vec<Window>,
    /// Violations, unanswered requests, error texts.
    pub end: PhaseEnd,
    keep_histograms: bool,
    start_ns: u64,
    interval_ns: u64,
    /// Windows that not all workers have reported yet.
    open: Vec<OpenWindow>,
    per_worker: Vec<Totals>,
    replies: u64,
}

#[derive(Debug)]
struct OpenWindow {
    slot: (Stage, i64),
    parts: usize,
    window: Window,
}

impl Measurement {
    /// An empty result of a phase of `workers` workers that measures from `start_ns`.
    #[must_use]
    pub fn new(load: &Load, workers: usize, start_ns: u64) -> Self {
        Self {
            rate: load.rate,
            seconds: 0.0,
            total: Interval::new(&[]),
            measured: Totals::default(),
            windows: Vec::new(),
            end: PhaseEnd::default(),
            keep_histograms: load.keep_histograms,
            start_ns,
            interval_ns: load.interval.as_nanos() as u64,
            open: Vec::new(),
            per_worker: vec![Totals::default(); workers],
            replies: 0,
        }
    }

    /// Adds an interval of `worker`; returns the window that it completed, if it did.
    pub fn add(&mut self, worker: usize, interval: &Interval) -> Option<Window> {
        self.replies += interval.totals.completed;
        if interval.stage != Stage::WarmUp {
            self.total.add(interval);
        }
        if interval.stage == Stage::Measure {
            self.measured.add(&interval.totals);
            self.per_worker[worker].add(&interval.totals);
            let walls = self.per_worker.iter().map(|totals| totals.wall_ns);
            self.seconds = walls.max().unwrap_or(0) as f64 / 1e9;
        }
        if interval.stage == Stage::Drain || interval.totals.wall_ns == 0 {
            return None;
        }
        self.merge_window(interval)
    }

    fn merge_window(&mut self, interval: &Interval) -> Option<Window> {
        let since_ns = interval.start_ns as i64 - self.start_ns as i64;
        let slot = (
            interval.stage,
            (since_ns as f64 / self.interval_ns as f64).round() as i64,
        );
        let all = interval.all_verbs();
        let index = match self.open.iter().position(|open| open.slot == slot) {
            Some(index) => index,
            None => {
                self.open.push(OpenWindow {
                    slot,
                    parts: 0,
                    window: Window::new(interval.stage, since_ns as f64 / 1e9),
                });
                self.open.len() - 1
            }
        };
        let open = &mut self.open[index];
        open.parts += 1;
        open.window.add(interval, &all);
        if open.parts < self.per_worker.len() {
            return None;
        }
        let complete = self.open.swap_remove(index).window;
        if complete.stage == Stage::Measure {
            let kept = if self.keep_histograms {
                complete.clone()
            } else {
                complete.summarized()
            };
            self.windows.push(kept);
        }
        Some(complete)
    }

    /// All replies, those of the warm-up and the drain included.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.replies
    }

    /// Replies per second within the measured time.
    #[must_use]
    pub fn achieved(&self) -> f64 {
        self.measured.completed as f64 / self.seconds.max(1e-9)
    }

    /// The share of its time that the busiest worker was busy, spinning left out.
    #[must_use]
    pub fn busiest(&self) -> f64 {
        let shares = self
            .per_worker
            .iter()
            .map(|totals| totals.busy_ns() as f64 / totals.wall_ns.max(1) as f64);
        shares.fold(0.0, f64::max)
    }

    /// The share of their time that the workers waited for their CPUs while other threads had them.
    #[must_use]
    pub fn delayed(&self) -> f64 {
        self.measured.delay_ns as f64 / self.measured.wall_ns.max(1) as f64
    }

    /// CPU time of the workers per reply, spinning left out.
    #[must_use]
    pub fn client_cpu_ns(&self) -> f64 {
        self.measured.busy_ns() as f64 / self.measured.completed.max(1) as f64
    }
}

impl Window {
    fn new(stage: Stage, start_s: f64) -> Self {
        Self {
            stage,
            start_s,
            length_s: 0.0,
            counts: Counts::default(),
            totals: Totals::default(),
            response: latency_histogram(),
            point: None,
        }
    }

    fn add(&mut self, interval: &Interval, all: &ClassRecord) {
        self.length_s = self.length_s.max(interval.totals.wall_ns as f64 / 1e9);
        self.totals.add(&interval.totals);
        self.counts.add(&all.counts);
        self.response
            .add(&all.response)
            .expect("all latency histograms have the same bounds");
    }

    /// The same with its histogram reduced to the point's percentiles.
    fn summarized(&self) -> Self {
        Self {
            point: Some(self.point()),
            response: Histogram::new(1).expect("one digit is valid"),
            ..*self
        }
    }
}
