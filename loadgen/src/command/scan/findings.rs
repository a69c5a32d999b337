//! What the steps of a scan say: knee, crossing, what voids them, and the exit code.

use crate::cli::commands::ScanCommand;
use crate::cli::options::Strictness;
use crate::command::endings::steps_exit;
use crate::error::Exit;
use crate::report::model::{ScanResult, Step};
use crate::stats::knee::{crossing, knee};
use crate::units::{format_count, format_share};
use crate::workload::Workload;
use crate::workload::verb::{KeySpace, Verb};
use std::collections::BTreeMap;

/// More steps than this must count for a bend to be looked for: three points make a line and one beside it.
const COUNTING_MIN: usize = 4;
/// A step that answers this share less than was due has not sustained its load.
const UNSUSTAINED_SHARE: f64 = 0.05;
/// With a larger share of failed requests than this in a step, the server does something else than serve the load.
const ERRORS_MAX: f64 = 0.5;
/// Requests that arrive by chance are this many standard deviations more than on average only once in some hundreds of
/// steps.
const CHANCE_DEVIATIONS: f64 = 3.0;

/// The reason why steps answered more requests than were due; `None` if they did not.
pub(super) fn excess_note(steps: &[Step], workload: &Workload) -> Option<String> {
    let excess = |step: &&Step| step.achieved / step.rate - 1.0;
    let most = steps
        .iter()
        .max_by(|a, b| excess(a).total_cmp(&excess(b)))
        .filter(|step| excess(step) > 0.01)?;
    let spec = &workload.spec;
    let has_follow_ups = spec.look_aside
        || spec
            .mix
            .any(|verb| verb == Verb::Cas || verb.key_space() != KeySpace::Values);
    let chance = CHANCE_DEVIATIONS / (most.rate * most.seconds).max(1.0).sqrt();
    let why = if has_follow_ups {
        "sets after misses, the second halves of cas and lost counters made anew are answered without having been due"
    } else if excess(&most) <= chance {
        "arrivals are random, and in so short a step so many more were due by chance"
    } else {
        "replies to requests of the warm-up came within the step: the server had fallen behind"
    };
    Some(format!(
        "up to {} more requests were answered than offered (at {}/s): {why}",
        format_share(excess(&most)),
        format_count(most.rate)
    ))
}

/// Whether a step says something about the server.
fn counts(step: &&Step) -> bool {
    !step.client_limited
}

pub(super) fn result(
    options: &ScanCommand,
    steps: Vec<Step>,
    peak: Option<f64>,
    violations: BTreeMap<String, u64>,
    notes: Vec<String>,
) -> ScanResult {
    let slo_limit = options
        .slo
        .as_ref()
        .and_then(crate::slo::Slo::latency_limit);
    let curve = |of: &dyn Fn(&Step) -> Option<f64>| -> Vec<(f64, f64)> {
        let counting = steps.iter().filter(counts);
        counting
            .filter_map(|step| Some((step.rate, of(step)?)))
            .collect()
    };
    let p99 = curve(&|step| step.response.p99_ns.map(|ns| ns as f64));
    let at_limit = |(quantile, limit): (f64, f64)| {
        crossing(&curve(&|step| quantile_of(step, quantile)), limit)
    };
    ScanResult {
        slo: options.slo.as_ref().map(ToString::to_string),
        crossing: slo_limit.and_then(at_limit),
        slo_limit,
        peak,
        knee: (p99.len() >= COUNTING_MIN).then(|| knee(&p99)).flatten(),
        notes,
        steps,
        violations,
    }
}

/// A quantile of a step's response times, from its curve.
fn quantile_of(step: &Step, quantile: f64) -> Option<f64> {
    let response = &step.response;
    let at = response
        .curve
        .iter()
        .find(|(reached, _)| *reached >= quantile - 1e-9);
    at.map(|(_, ns)| *ns)
        .or(response.max_ns)
        .map(|ns| ns as f64)
}

pub(super) fn exit(result: &ScanResult, strictness: Strictness) -> Exit {
    let any = |test: &dyn Fn(&Step) -> bool| result.steps.iter().any(test);
    if let Some(exit) = steps_exit(&result.violations, &result.steps) {
        return exit;
    }
    let failed = strictness == Strictness::Strict
        && any(&|step| step.client_limited || step.error_share > 0.0);
    if failed || any(&|step| step.error_share > ERRORS_MAX) {
        return Exit::Strict;
    }
    if result.slo.is_some() && !any(&|step| step.kept == Some(true)) {
        return Exit::SloMissed;
    }
    Exit::Ok
}

/// The curve in a sentence: facts that make the figures void come first.
pub(super) fn headline(result: &ScanResult) -> String {
    let parts = [
        client_part(result),
        objective_part(result),
        Some(bend_part(result)),
        unsustained_part(result),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn client_part(result: &ScanResult) -> Option<String> {
    let limited = result.steps.iter().filter(|step| !counts(step)).count();
    (limited > 0).then(|| {
        format!(
            "the client was the limit in {limited} of {} steps, which do not count",
            result.steps.len()
        )
    })
}

fn objective_part(result: &ScanResult) -> Option<String> {
    let slo = result.slo.as_ref()?;
    let counting: Vec<&Step> = result.steps.iter().filter(counts).collect();
    let (first, last) = (counting.first()?, counting.last()?);
    let kept = counting
        .iter()
        .filter(|step| step.kept == Some(true))
        .count();
    Some(if kept == 0 {
        format!(
            "no step keeps {slo}, not even {}/s: scan lower rates",
            format_count(first.rate)
        )
    } else if kept == counting.len() {
        format!(
            "every step keeps {slo}, up to {}/s: scan higher rates",
            format_count(last.rate)
        )
    } else if let Some(rate) = result.crossing {
        format!("it crosses {slo} at about {}/s", format_count(rate))
    } else {
        format!("{kept} of {} steps keep {slo}", counting.len())
    })
}

fn bend_part(result: &ScanResult) -> String {
    let counting = result.steps.iter().filter(counts).count();
    match result.knee {
        Some(rate) => format!("p99 bends at about {}/s", format_count(rate)),
        None if counting < COUNTING_MIN => {
            format!("{counting} steps that count are too few to see a bend of p99")
        }
        None => "p99 does not bend in this range".to_owned(),
    }
}

fn unsustained_part(result: &ScanResult) -> Option<String> {
    let first =
        result.steps.iter().filter(counts).find(|step| {
            step.overloaded || step.achieved < (1.0 - UNSUSTAINED_SHARE) * step.rate
        })?;
    Some(format!(
        "from {}/s on the server does not keep up",
        format_count(first.rate)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Latency;

    /// A step whose p99 is above or below an objective of 1 ms.
    fn step(rate: f64, p99_us: u64, client_limited: bool) -> Step {
        let json = serde_json::json!({
            "rate": rate, "achieved": rate, "seconds": 3.0, "overloaded": false,
            "response": Latency { p99_ns: Some(p99_us * 1000), ..Latency::default() },
            "service_p50_ns": 1, "service_p99_ns": 1, "error_share": 0.0, "kept": p99_us < 1000,
            "reasons": [], "client_limited": client_limited, "client_busy": 0.1,
            "client_cpu_us_per_request": 1.0, "server": null, "lost": 0, "incidents": [],
        });
        serde_json::from_value(json).unwrap()
    }

    fn headline_of(steps: Vec<Step>) -> (String, Exit) {
        let arguments = ["loadgen", "scan", "--slo", "p99<1ms"];
        let cli = <crate::cli::Cli as clap::Parser>::parse_from(arguments);
        let crate::cli::commands::Command::Scan(options) = cli.command else {
            panic!("not a scan");
        };
        let result = result(&options, steps, None, BTreeMap::new(), Vec::new());
        (headline(&result), exit(&result, Strictness::Lenient))
    }

    fn steps(p99_us: [u64; 6], limited_from: usize) -> Vec<Step> {
        let numbered = p99_us.into_iter().enumerate();
        numbered
            .map(|(index, p99)| step(1000.0 * (index + 1) as f64, p99, index >= limited_from))
            .collect()
    }

    #[test]
    fn what_voids_the_curve_is_said_first() {
        let (all_above, exit) = headline_of(steps([3000; 6], 9));
        assert!(
            all_above.starts_with("no step keeps p99 < 1.00 ms"),
            "{all_above}"
        );
        assert_eq!(exit, Exit::SloMissed);
        let (all_below, exit) = headline_of(steps([300; 6], 9));
        assert!(all_below.starts_with("every step keeps"), "{all_below}");
        assert_eq!(exit, Exit::Ok);
    }

    #[test]
    fn steps_in_which_the_client_was_the_limit_do_not_bend_the_curve() {
        let curve = [100, 110, 120, 130, 9_000, 90_000];
        let (bent, _) = headline_of(steps(curve, 9));
        assert!(bent.contains("bends at about 4000/s"), "{bent}");
        let (flat, _) = headline_of(steps(curve, 4));
        assert!(
            flat.starts_with("the client was the limit in 2 of 6"),
            "{flat}"
        );
        assert!(flat.contains("p99 does not bend"), "{flat}");
        let (few, _) = headline_of(steps(curve, 2));
        assert!(few.contains("too few to see a bend"), "{few}");
    }

    #[test]
    fn more_answered_than_offered_is_explained() {
        let mut more = step(100.0, 1, false);
        more.achieved = 110.0;
        let why = |spec: crate::workload::WorkloadSpec| {
            excess_note(&[more.clone()], &Workload::new(spec).unwrap()).unwrap()
        };
        let plain = crate::workload::WorkloadSpec::default();
        assert!(why(plain.clone()).contains("by chance"));
        let look_aside = crate::workload::WorkloadSpec {
            look_aside: true,
            ..plain.clone()
        };
        assert!(why(look_aside).contains("sets after misses"));
        let level = step(100.0, 1, false);
        assert_eq!(excess_note(&[level], &Workload::new(plain).unwrap()), None);
    }
}
