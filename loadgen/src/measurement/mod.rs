//! The result of a phase: the added records of all workers, and the time series.

mod series;

use crate::load::Load;
use crate::record::{ClassRecord, Counts, Interval, Stage, Totals, latency_histogram};
use crate::worker::phase::PhaseEnd;
use hdrhistogram::Histogram;
use series::Series;

pub use series::Point;

/// A worker that is busy for more than this share of its time is a limit: replies lie unread while it works.
pub const BUSY_SHARE_MAX: f64 = 0.85;

/// One window of the time series as it ends, all workers and verbs together, for the status line. The result's windows
/// ([`Measurement::points`]) are made when all replies are in.
#[derive(Debug, Clone)]
pub struct Window {
    /// The window's part of the phase: warm-up, measured time, or drain.
    pub stage: Stage,
    /// The window's beginning, in seconds since measuring began (negative in the warm-up).
    pub start_s: f64,
    /// The window's length in seconds.
    pub length_s: f64,
    /// Outcomes.
    pub counts: Counts,
    /// Totals of the workers.
    pub totals: Totals,
    /// Response times of all verbs. Requests that had no reply at the window's end are included with the time they had
    /// waited.
    pub response: Histogram<u64>,
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
        }
    }

    fn add(&mut self, interval: &Interval, all: &ClassRecord) {
        self.length_s = self.length_s.max(interval.totals.wall_ns as f64 / 1e9);
        self.totals.add(&interval.totals);
        self.counts.add(&all.counts);
        for histogram in [&all.response, &interval.waiting] {
            self.response
                .add(histogram)
                .expect("all latency histograms have the same bounds");
        }
    }

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

    /// The workers' CPU time without spinning, as a share of wall time.
    #[must_use]
    pub fn client_busy(&self) -> f64 {
        self.totals.busy_ns() as f64 / self.totals.wall_ns.max(1) as f64
    }
}

/// A phase's result.
#[derive(Debug)]
pub struct Measurement {
    /// Requests per second asked for; `None` for a closed loop.
    pub rate: Option<f64>,
    /// Seconds measured.
    pub seconds: f64,
    /// Records of all requests due in the measured time.
    pub total: Interval,
    /// Totals of the measured time alone (without warm-up and drain).
    pub measured: Totals,
    /// Violations, incidents, error texts.
    pub end: PhaseEnd,
    /// The server or shard of each group of connections.
    pub groups: Vec<String>,
    /// When measuring began.
    pub start_ns: u64,
    /// How long the schedule was behind when the measured time ended.
    pub lag_ns: u64,
    /// Time that the hypervisor took from the workers' CPUs, warm-up and drain included; `None` if the kernel does not
    /// say.
    pub stolen_ns: Option<u64>,
    series: Series,
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
        let interval_ns = u64::try_from(load.interval.as_nanos()).unwrap_or(u64::MAX);
        Self {
            rate: load.rate,
            seconds: 0.0,
            total: Interval::new(&[]),
            measured: Totals::default(),
            end: PhaseEnd::default(),
            groups: Vec::new(),
            start_ns,
            lag_ns: 0,
            stolen_ns: None,
            series: Series::new(start_ns, interval_ns.max(1)),
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
        let all = interval.all_verbs();
        if interval.stage == Stage::Measure {
            self.lag_ns = interval.totals.lag_ns;
            self.measured.add(&interval.totals);
            self.per_worker[worker].add(&interval.totals);
            let walls = self.per_worker.iter().map(|totals| totals.wall_ns);
            self.seconds = walls.max().unwrap_or(0) as f64 / 1e9;
        }
        if interval.stage != Stage::WarmUp {
            self.series.add(interval, &all);
        }
        if interval.stage == Stage::Drain || interval.totals.wall_ns == 0 {
            return None;
        }
        self.merge_window(interval, &all)
    }

    fn merge_window(&mut self, interval: &Interval, all: &ClassRecord) -> Option<Window> {
        let slot = (interval.stage, interval.slot);
        let index = match self.open.iter().position(|open| open.slot == slot) {
            Some(index) => index,
            None => {
                let since_ns = interval.start_ns as i64 - self.start_ns as i64;
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
        open.window.add(interval, all);
        let is_complete = open.parts >= self.per_worker.len();
        is_complete.then(|| self.open.swap_remove(index).window)
    }

    /// Notes the time that the hypervisor took, from readings before and after.
    pub fn note_stolen(&mut self, before_ns: Option<u64>, after_ns: Option<u64>) {
        self.stolen_ns = before_ns
            .zip(after_ns)
            .map(|(before, after)| after.saturating_sub(before));
    }

    /// The time series: each request counts in the window in which it was due, however late its reply came, and those
    /// without a reply with the time they waited. Together the windows hold what `total` holds.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        self.series.points(self.end.measured_end_ns)
    }

    /// The response times of each window, in the order of [`Measurement::points`].
    pub fn histograms(&self) -> impl Iterator<Item = Histogram<u64>> {
        self.series.histograms()
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

    /// The share of their time that the workers waited for their CPUs while other threads had them, if the kernel says.
    #[must_use]
    pub fn delayed(&self) -> Option<f64> {
        let delay_ns = self.measured.run_delay_ns()?;
        Some(delay_ns as f64 / self.measured.wall_ns.max(1) as f64)
    }

    /// CPU time of the workers per reply, spinning left out.
    #[must_use]
    pub fn client_cpu_ns(&self) -> f64 {
        self.measured.busy_ns() as f64 / self.measured.completed.max(1) as f64
    }
}
