//! `loadgen compare`: two servers in turns, A B B A, and the confidence of their difference.

use super::endings::{check_answered, cut_short, steps_exit};
use super::outputs::{Answer, check_outputs, publish};
use crate::cli::commands::CompareCommand;
use crate::cli::options::Strictness;
use crate::error::{Exit, LoadError, Result};
use crate::live::Live;
use crate::load::Load;
use crate::report::build::{add_counts, report, step};
use crate::report::format::{format_metric, format_ratio_interval, preload_notes};
use crate::report::model::{Body, CompareResult, Comparison, Difference, Step};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::settings::{self, Target};
use crate::slo::Slo;
use crate::stats::ratio::{geometric_mean, joint_confidence, paired_ratio};
use crate::units::format_share;
use crate::verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silence between measurements.
const PAUSE: Duration = Duration::from_millis(200);
/// A percentile with fewer requests above it than this is the luck of a few requests, and is not compared.
const REQUESTS_ABOVE_MIN: f64 = 10.0;

/// Runs the command.
pub fn execute(options: &CompareCommand) -> Result<Exit> {
    check_outputs(&options.output, None)?;
    let mut live = Live::new(options.output.quiet);
    let workload = settings::workload(&options.workload)?;
    let rate = (!options.rate.closed).then_some(options.rate.rate);
    let load = settings::load(&options.pace, rate, options.rate.duration)?;
    let target = |server| Target::new(std::slice::from_ref(server), &options.client, &workload);
    // Both are checked before the first one is connected to.
    let a = target(&options.a)?;
    let b = target(&options.b)?.with_server_pid("--server-pid-b", options.server_pid_b)?;
    let open = |target| Session::open(target, workload.clone(), load.depth);
    let mut sides = [Side::new("A", open(a)?), Side::new("B", open(b)?)];
    let mut notes = Vec::new();
    for side in &mut sides {
        let preload = side
            .session
            .preload_if_wanted(&options.workload, &mut live)?;
        let of_side = preload_notes(preload.as_ref()).into_iter();
        notes.extend(of_side.map(|note| format!("{}: {note}", side.name)));
    }
    let ended_by = rounds(options, &load, &mut sides, &mut live).err();
    live.clear();
    if sides.iter().any(|side| side.steps.is_empty())
        && let Some(error) = ended_by
    {
        return Err(error);
    }
    finish(options, sides, notes, ended_by)
}

fn rounds(
    options: &CompareCommand,
    load: &Load,
    sides: &mut [Side; 2],
    live: &mut Live,
) -> Result<()> {
    for round in 0..options.rounds {
        for side in [0, 1, 1, 0] {
            let what = format!(
                "round {}/{}, {}",
                round + 1,
                options.rounds,
                sides[side].name
            );
            sides[side].measure(load, &what, live)?;
        }
    }
    Ok(())
}

/// One of the two servers.
struct Side {
    name: &'static str,
    session: Session,
    steps: Vec<Step>,
    violations: BTreeMap<String, u64>,
}

impl Side {
    fn new(name: &'static str, session: Session) -> Self {
        Self {
            name,
            session,
            steps: Vec::new(),
            violations: BTreeMap::new(),
        }
    }

    fn measure(&mut self, load: &Load, what: &str, live: &mut Live) -> Result<()> {
        std::thread::sleep(PAUSE);
        live.stage_for(what, load.duration.as_secs_f64());
        let measured = self.session.measure(load, live)?;
        let verdict = verdict::judge(&measured.measurement, Some(&Slo::errors_only()));
        add_counts(&mut self.violations, &verdict.violations);
        let step = step(&measured.measurement, &verdict, measured.server);
        live.step(&format!("{} {}", self.name, step_line(&step)));
        self.steps.push(step);
        self.session.check_interrupt()?;
        check_answered(&self.steps)
    }
}

/// The sentence about a side whose requests failed, which comes before any ratio.
fn failures(side: &Side) -> Option<String> {
    let failed = side.steps.iter().filter(|step| step.kept == Some(false));
    let worst = failed.max_by(|a, b| a.error_share.total_cmp(&b.error_share))?;
    Some(format!(
        "{} failed up to {} of its requests, so its figures are not those of the same work; ",
        side.name,
        format_share(worst.error_share)
    ))
}

/// A metric that steps are compared by.
struct Metric {
    name: &'static str,
    more_is_better: bool,
    /// The value, unless the step does not know it or too few requests tell it.
    of: fn(&Step) -> Option<f64>,
}

fn percentile(step: &Step, quantile: f64, ns: Option<u64>) -> Option<f64> {
    let above = step.response.count as f64 * (1.0 - quantile);
    ns.filter(|_| above >= REQUESTS_ABOVE_MIN)
        .map(|ns| ns as f64)
}

/// Requests per second are a result of a closed loop only: an open loop answers what is due.
const RATE: Metric = Metric {
    name: "requests/s",
    more_is_better: true,
    of: |step| Some(step.achieved),
};

const METRICS: [Metric; 4] = [
    Metric {
        name: "response p50",
        more_is_better: false,
        of: |step| percentile(step, 0.5, step.response.p50_ns),
    },
    Metric {
        name: "response p99",
        more_is_better: false,
        of: |step| percentile(step, 0.99, step.response.p99_ns),
    },
    Metric {
        name: "response p99.9",
        more_is_better: false,
        of: |step| percentile(step, 0.999, step.response.p999_ns),
    },
    Metric {
        name: "server CPU ns/request",
        more_is_better: false,
        of: |step| step.server.map(|usage| usage.us_per_request() * 1e3),
    },
];

/// A metric's values, of A and of B, in the order of the pairs: the first A with the first B, the second B with the
/// second A.
struct Row {
    name: &'static str,
    more_is_better: bool,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Row {
    fn of(metric: &Metric, a: &[Step], b: &[Step]) -> Option<Self> {
        let values = |steps: &[Step]| {
            let all = steps.iter().map(metric.of).collect::<Option<Vec<f64>>>()?;
            all.iter().all(|value| *value > 0.0).then_some(all)
        };
        Some(Self {
            name: metric.name,
            more_is_better: metric.more_is_better,
            a: values(a)?,
            b: values(b)?,
        })
    }

    fn compared(&self, confidence: f64) -> Comparison {
        let pairs = self.a.len().min(self.b.len());
        let ratio = paired_ratio(&self.a[..pairs], &self.b[..pairs], confidence);
        let answer = match (ratio.low > 1.0, ratio.high < 1.0) {
            (true, _) if self.more_is_better => Difference::Better,
            (_, true) if !self.more_is_better => Difference::Better,
            (true, _) | (_, true) => Difference::Worse,
            _ => Difference::NotShown,
        };
        Comparison {
            metric: self.name.to_owned(),
            a: geometric_mean(&self.a),
            b: geometric_mean(&self.b),
            ratio: ratio.ratio,
            interval: (ratio.low, Some(ratio.high).filter(|high| high.is_finite())),
            more_is_better: self.more_is_better,
            answer,
        }
    }
}

/// Compares all rows so that their answers together are wrong in at most one report of twenty.
fn compare(rows: &[Row]) -> Vec<Comparison> {
    let confidence = joint_confidence(rows.len());
    rows.iter().map(|row| row.compared(confidence)).collect()
}

fn finish(
    options: &CompareCommand,
    sides: [Side; 2],
    notes: Vec<String>,
    ended_by: Option<LoadError>,
) -> Result<Exit> {
    let failures: String = sides.iter().filter_map(failures).collect();
    let [a, b] = sides;
    let mut violations = a.violations.clone();
    add_counts(&mut violations, &b.violations);
    let metrics = (options.rate.closed.then_some(&RATE).into_iter()).chain(&METRICS);
    let rows: Vec<Row> = metrics
        .filter_map(|metric| Row::of(metric, &a.steps, &b.steps))
        .collect();
    let mut context = a.session.context();
    context.servers.extend(b.session.context().servers);
    let summary = session::summary(&a.session.workload);
    let label = |given: &Option<String>, server: &String| given.as_ref().unwrap_or(server).clone();
    let result = CompareResult {
        mode: if options.rate.closed {
            "closed"
        } else {
            "open"
        }
        .to_owned(),
        labels: (
            label(&options.label_a, &options.a),
            label(&options.label_b, &options.b),
        ),
        notes,
        metrics: compare(&rows),
        a: a.steps,
        b: b.steps,
        violations,
    };
    let mut exit = exit(&result, &failures, options.output.strictness());
    let mut headline = format!("{failures}{}", headline(&result));
    if let Some(error) = ended_by {
        cut_short(&error, &mut headline, &mut exit);
    }
    let report = report(
        context,
        summary,
        headline,
        Body::Compare {
            compare: Box::new(result),
        },
    );
    let Body::Compare { compare } = &report.body else {
        return Ok(Exit::Ok);
    };
    let answer = Answer {
        text: table(&report, compare),
        csv: csv::compare(compare),
        html: html::render(&report)?,
    };
    publish(&report, &answer, &options.output)?;
    Ok(exit)
}

fn exit(result: &CompareResult, failures: &str, strictness: Strictness) -> Exit {
    let exit = steps_exit(&result.violations, &result.a);
    if let Some(exit) = exit.or_else(|| steps_exit(&result.violations, &result.b)) {
        return exit;
    }
    let is_worse = |metric: &Comparison| metric.answer == Difference::Worse;
    match (
        failures.is_empty(),
        strictness == Strictness::Strict && limited(result) > 0,
    ) {
        (false, _) => Exit::SloMissed,
        (true, true) => Exit::Strict,
        (true, false) if result.metrics.iter().any(is_worse) => Exit::Worse,
        (true, false) => Exit::Ok,
    }
}

/// Measurements in which the client was the limit.
fn limited(result: &CompareResult) -> usize {
    let steps = result.a.iter().chain(&result.b);
    steps.filter(|step| step.client_limited).count()
}

fn table(report: &crate::report::model::Report, compare: &CompareResult) -> String {
    let mut out = String::new();
    text::context(report, &mut out);
    line!(out);
    line!(out, "A is {}", compare.labels.0);
    line!(out, "B is {}", compare.labels.1);
    line!(out);
    line!(
        out,
        "{:<24} {:>10} {:>10} {:>8}  {:<18} answer",
        "",
        "A",
        "B",
        "B/A",
        "interval"
    );
    for metric in &compare.metrics {
        line!(
            out,
            "{:<24} {:>10} {:>10} {:>8.3}  {:<18} {}",
            metric.metric,
            format_metric(metric, metric.a),
            format_metric(metric, metric.b),
            metric.ratio,
            format_ratio_interval(metric),
            metric.answer
        );
    }
    line!(
        out,
        "All intervals together hold with 95%: each is wider than it would be alone."
    );
    line!(out);
    line!(out, "{}", report.headline);
    text::notes(&compare.notes, &mut out);
    out
}

fn headline(result: &CompareResult) -> String {
    let decided: Vec<String> = result
        .metrics
        .iter()
        .filter(|metric| metric.answer != Difference::NotShown)
        .map(|metric| format!("{} {:+.1}%", metric.metric, (metric.ratio - 1.0) * 100.0))
        .collect();
    let rest = if decided.len() < result.metrics.len() {
        "; no difference is shown in the rest"
    } else {
        ""
    };
    let (a, b) = &result.labels;
    let difference = match decided.as_slice() {
        [] => format!("no difference between A ({a}) and B ({b}) is shown"),
        decided => format!("B ({b}) against A ({a}): {}{rest}", decided.join(", ")),
    };
    let client = match limited(result) {
        0 => String::new(),
        count => format!(
            "; the client was the limit in {count} of {} measurements, so the true difference may be larger",
            result.a.len() + result.b.len()
        ),
    };
    format!("{difference}{client}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use rand_distr::{Distribution, Normal};

    /// Six pairs of five metrics of two servers of which B is `factor` times A. The machine's drift moves all metrics of
    /// a measurement together, tails scatter most, and some measurements are disturbed.
    fn rows(rng: &mut SmallRng, factor: f64) -> Vec<Row> {
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut rows: Vec<Row> = [("p50", 0.03), ("p99", 0.15), ("p99.9", 0.4), ("cpu", 0.01)]
            .into_iter()
            .map(|(name, _)| Row {
                name,
                more_is_better: false,
                a: Vec::new(),
                b: Vec::new(),
            })
            .collect();
        let scatters = [0.03, 0.15, 0.4, 0.01];
        let mut drift = 0.0;
        for index in 0..12 {
            drift += 0.02 * normal.sample(rng);
            let shared = normal.sample(rng);
            let is_a = matches!(index % 4, 0 | 3);
            for (row, scatter) in rows.iter_mut().zip(scatters) {
                let own: f64 = normal.sample(rng);
                let disturbed = if normal.sample(rng) > 2.0 { 3.0 } else { 1.0 };
                let value = f64::exp(drift + scatter * (0.6 * shared + 0.8 * own * disturbed));
                if is_a {
                    row.a.push(value);
                } else {
                    row.b.push(value * factor);
                }
            }
        }
        rows
    }

    fn claims(factor: f64, reports: usize, answers: &[Difference]) -> usize {
        let mut rng = SmallRng::seed_from_u64(11);
        (0..reports)
            .filter(|_| {
                let comparisons = compare(&rows(&mut rng, factor));
                comparisons.iter().any(|row| answers.contains(&row.answer))
            })
            .count()
    }

    #[test]
    fn a_against_a_shows_no_difference_in_19_of_20_reports() {
        let claimed = claims(1.0, 400, &[Difference::Better, Difference::Worse]);
        assert!(claimed <= 20, "{claimed} of 400");
    }

    #[test]
    fn a_server_that_is_worse_is_found() {
        assert!(claims(1.3, 100, &[Difference::Worse]) > 95);
        assert!(claims(0.7, 100, &[Difference::Better]) > 95);
    }

    #[test]
    fn more_may_be_better_or_worse() {
        let row = |more_is_better| Row {
            name: "requests/s",
            more_is_better,
            a: vec![100.0, 101.0, 99.0, 100.0],
            b: vec![120.0, 121.0, 119.0, 121.0],
        };
        assert_eq!(row(true).compared(0.99).answer, Difference::Better);
        assert_eq!(row(false).compared(0.99).answer, Difference::Worse);
        let once = Row {
            a: vec![1.0],
            b: vec![9.0],
            ..row(true)
        };
        let comparison = once.compared(0.99);
        assert_eq!(comparison.answer, Difference::NotShown);
        assert_eq!(format_ratio_interval(&comparison), "one pair: unknown");
    }
}
