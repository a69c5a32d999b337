//! `loadgen compare`: two servers in turns, A B B A, and the confidence of their difference.

mod metrics;

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
use crate::units::format_share;
use crate::verdict;
use metrics::compare_steps;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silence between measurements.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn execute(options: &CompareCommand) -> Result<Exit> {
    check_outputs(&options.output, None)?;
    let servers = [options.a.clone(), options.b.clone()];
    options.client.tls.check(&servers)?;
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
        let of_side = of_side.chain(side.session.notes());
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
        metrics: compare_steps(options.rate.closed, &a.steps, &b.steps),
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
