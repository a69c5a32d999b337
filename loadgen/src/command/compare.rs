//! `loadgen compare`: two servers in turns, A B B A, and how sure their difference is.

use super::{Answer, check_answered, check_outputs, cut_short, publish, report, steps_exit};
use crate::cli::commands::CompareCommand;
use crate::error::{Exit, Result};
use crate::fleet::Load;
use crate::live::Live;
use crate::report::build::{add_counts, step};
use crate::report::model::{Body, CompareResult, Comparison, Step};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::slo::Slo;
use crate::stats::bootstrap::{geometric_mean, paired_ratio};
use crate::units::{format_count, format_ns, format_share};
use crate::verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silence between measurements.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn execute(options: &CompareCommand) -> Result<Exit> {
    check_outputs(&options.output, None)?;
    let mut live = Live::new(options.output.quiet);
    let workload = session::workload(&options.workload)?;
    let rate = (!options.rate.closed).then_some(options.rate.rate);
    let load = session::load(&options.pace, rate, options.rate.duration);
    let open = |server: &String, pid| {
        let session = Session::open(
            std::slice::from_ref(server),
            &options.client,
            workload.clone(),
            load.depth,
        )?;
        Ok::<_, crate::error::LoadError>(session.with_server_pid(pid))
    };
    let mut sides = [
        Side::new("A", open(&options.a, options.client.server_pid)?),
        Side::new("B", open(&options.b, options.server_pid_b)?),
    ];
    if !options.workload.no_preload {
        for side in &mut sides {
            side.session.preload(&mut live)?;
        }
    }
    let mut ended = Ok(());
    'rounds: for round in 0..options.rounds {
        for side in [0, 1, 1, 0] {
            let what = format!(
                "round {}/{}, {}",
                round + 1,
                options.rounds,
                sides[side].name
            );
            ended = sides[side].measure(&load, &what, &mut live);
            if ended.is_err() {
                break 'rounds;
            }
        }
    }
    live.clear();
    finish(options, sides, ended)
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

/// A metric that steps are compared by.
struct Metric {
    name: &'static str,
    more_is_better: bool,
    of: fn(&Step) -> f64,
}

const METRICS: [Metric; 5] = [
    Metric {
        name: "requests/s",
        more_is_better: true,
        of: |step| step.achieved,
    },
    Metric {
        name: "response p50",
        more_is_better: false,
        of: |step| step.response.p50_ns.map_or(0.0, |ns| ns as f64),
    },
    Metric {
        name: "response p99",
        more_is_better: false,
        of: |step| step.response.p99_ns.map_or(0.0, |ns| ns as f64),
    },
    Metric {
        name: "response p99.9",
        more_is_better: false,
        of: |step| step.response.p999_ns.map_or(0.0, |ns| ns as f64),
    },
    Metric {
        name: "server CPU ns/request",
        more_is_better: false,
        of: |step| {
            step.server
                .map_or(0.0, |usage| usage.us_per_request() * 1e3)
        },
    },
];

fn compare(metric: &Metric, a: &[Step], b: &[Step]) -> Option<Comparison> {
    let values = |steps: &[Step]| steps.iter().map(metric.of).collect::<Vec<f64>>();
    let (a, b) = (values(a), values(b));
    if a.iter().chain(&b).any(|value| *value <= 0.0) {
        return None;
    }
    // A B B A: the first A with the first B, the second B with the second A.
    let ratio = paired_ratio(&a, &b);
    let b_is_better = if metric.more_is_better {
        ratio.low > 1.0
    } else {
        ratio.high < 1.0
    };
    let a_is_better = if metric.more_is_better {
        ratio.high < 1.0
    } else {
        ratio.low > 1.0
    };
    let answer = match (a_is_better, b_is_better) {
        (true, _) => "A is better",
        (_, true) => "B is better",
        _ => "no difference shown",
    };
    Some(Comparison {
        metric: metric.name.to_owned(),
        a: geometric_mean(&a),
        b: geometric_mean(&b),
        ratio: ratio.ratio,
        interval: (ratio.low, ratio.high),
        more_is_better: metric.more_is_better,
        answer: answer.to_owned(),
    })
}

/// What a side whose requests failed is said to be, before any ratio.
fn failures(side: &Side) -> Option<String> {
    let failed = side.steps.iter().filter(|step| step.kept == Some(false));
    let worst = failed.max_by(|a, b| a.error_share.total_cmp(&b.error_share))?;
    Some(format!(
        "{} failed up to {} of its requests, so its figures are not those of the same work; ",
        side.name,
        format_share(worst.error_share)
    ))
}

fn finish(options: &CompareCommand, sides: [Side; 2], ended: Result<()>) -> Result<Exit> {
    let [mut a, mut b] = sides;
    let failures: String = [&a, &b].into_iter().filter_map(failures).collect();
    // Only pairs of measurements are compared.
    let pairs = a.steps.len().min(b.steps.len());
    a.steps.truncate(pairs);
    b.steps.truncate(pairs);
    let mut violations = a.violations.clone();
    add_counts(&mut violations, &b.violations);
    let exit = steps_exit(&violations, &a.steps).or_else(|| steps_exit(&violations, &b.steps));
    let limited = a
        .steps
        .iter()
        .chain(&b.steps)
        .any(|step| step.client_limited);
    let mut context = a.session.context();
    context.servers.extend(b.session.context().servers);
    let summary = session::summary(&a.session.workload);
    let result = CompareResult {
        mode: if options.rate.closed {
            "closed"
        } else {
            "open"
        }
        .to_owned(),
        metrics: METRICS
            .iter()
            .filter_map(|metric| compare(metric, &a.steps, &b.steps))
            .collect(),
        a: a.steps,
        b: b.steps,
        violations,
    };
    let mut headline = format!("{failures}{}", headline(&result, limited));
    let mut exit = exit.unwrap_or(
        match (failures.is_empty(), options.output.strict && limited) {
            (false, _) => Exit::SloMissed,
            (true, true) => Exit::Strict,
            (true, false) => Exit::Ok,
        },
    );
    if let Err(error) = ended {
        cut_short(error, pairs == 0, &mut headline, &mut exit)?;
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

fn table(report: &crate::report::model::Report, compare: &CompareResult) -> String {
    let mut out = String::new();
    text::context(report, &mut out);
    line!(out);
    line!(
        out,
        "{:<24} {:>10} {:>10} {:>8}  {:<18} answer",
        "",
        "A",
        "B",
        "B/A",
        "95% interval"
    );
    for metric in &compare.metrics {
        line!(
            out,
            "{:<24} {:>10} {:>10} {:>8.3}  {:<18} {}",
            metric.metric,
            format_metric(metric, metric.a),
            format_metric(metric, metric.b),
            metric.ratio,
            format!("{:.3} .. {:.3}", metric.interval.0, metric.interval.1),
            metric.answer
        );
    }
    line!(out);
    line!(out, "{}", report.headline);
    out
}

/// A metric's value with its unit.
#[must_use]
pub fn format_metric(metric: &Comparison, value: f64) -> String {
    if metric.more_is_better {
        format_count(value)
    } else {
        format_ns(value)
    }
}

fn headline(result: &CompareResult, limited: bool) -> String {
    let decided: Vec<String> = result
        .metrics
        .iter()
        .filter(|metric| metric.answer != "no difference shown")
        .map(|metric| format!("{} {:+.1}%", metric.metric, (metric.ratio - 1.0) * 100.0))
        .collect();
    let rest = if decided.len() < result.metrics.len() {
        "; no difference is shown in the rest"
    } else {
        ""
    };
    let difference = match decided.as_slice() {
        [] => "no difference between A and B is shown".to_owned(),
        decided => format!("B against A: {}{rest}", decided.join(", ")),
    };
    let client = if limited {
        "; the client was a limit in some steps, so the true difference may be larger"
    } else {
        ""
    };
    format!("{difference}{client}")
}
