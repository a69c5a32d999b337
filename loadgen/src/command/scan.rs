//! `loadgen scan`: the latency-throughput curve.

use super::{Answer, check_answered, check_outputs, cut_short, publish, report, steps_exit};
use crate::cli::commands::ScanCommand;
use crate::error::{Exit, LoadError, Result};
use crate::live::Live;
use crate::report::build::{add_counts, step};
use crate::report::model::{Body, ScanResult, Step};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::slo::Slo;
use crate::stats::knee::{crossing, knee};
use crate::units::{format_count, parse_rate, parse_share};
use crate::verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// Closed-loop depth at which the peak is taken.
const PEAK_DEPTH: usize = 8;
/// Silence between steps.
const PAUSE: Duration = Duration::from_millis(200);

/// A range of rates.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Range {
    /// Shares of the closed-loop peak.
    OfPeak(f64, f64),
    /// Requests per second.
    Rates(f64, f64),
}

impl Range {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("'{text}' is no range: write 10%..110% (of the peak) or 10k..500k");
        let (first, last) = text.split_once("..").ok_or_else(wrong)?;
        let range = if last.trim().ends_with('%') {
            Self::OfPeak(parse_share(first)?, parse_share(last)?)
        } else {
            Self::Rates(parse_rate(first)?, parse_rate(last)?)
        };
        match range {
            Self::OfPeak(low, high) | Self::Rates(low, high) if low > 0.0 && low < high => {
                Ok(range)
            }
            _ => Err(wrong()),
        }
    }
}

/// Runs the command.
pub fn execute(options: &ScanCommand) -> Result<Exit> {
    let range = Range::parse(&options.range).map_err(LoadError::usage)?;
    check_outputs(&options.output, None)?;
    let mut live = Live::new(options.output.quiet);
    let workload = session::workload(&options.workload)?;
    let mut load = session::load(&options.pace, Some(1.0), options.step);
    let mut session = Session::open(
        &options.target.server,
        &options.target.client,
        workload,
        load.depth.max(PEAK_DEPTH),
    )?;
    if !options.workload.no_preload {
        session.preload(&mut live)?;
    }
    let (low, high, peak) = match range {
        Range::Rates(low, high) => (low, high, None),
        Range::OfPeak(low, high) => {
            let peak = peak(&mut session, options, &mut live)?;
            (low * peak, high * peak, Some(peak))
        }
    };
    let mut steps = Vec::new();
    let mut violations = BTreeMap::new();
    let mut ended = Ok(());
    let slo = options.slo.clone().unwrap_or_else(Slo::errors_only);
    for index in 0..options.steps {
        std::thread::sleep(PAUSE);
        let rate = low + (high - low) * f64::from(index) / f64::from(options.steps - 1);
        load.rate = Some(rate);
        live.stage_for(
            &format!(
                "step {}/{} at {}/s",
                index + 1,
                options.steps,
                format_count(rate)
            ),
            options.step.as_secs_f64(),
        );
        let measured = session.measure(&load, &mut live)?;
        let verdict = verdict::judge(&measured.measurement, Some(&slo));
        add_counts(&mut violations, &verdict.violations);
        steps.push(step(&measured.measurement, &verdict, measured.server));
        live.step(&step_line(&steps[steps.len() - 1]));
        ended = session
            .check_interrupt()
            .and_then(|()| check_answered(&steps));
        if ended.is_err() {
            break;
        }
    }
    live.clear();
    let result = result(options, steps, peak, violations);
    finish(options, &session, result, ended)
}

fn peak(session: &mut Session, options: &ScanCommand, live: &mut Live) -> Result<f64> {
    live.stage_for("closed-loop peak", options.step.as_secs_f64());
    let mut load = session::load(&options.pace, None, options.step);
    load.depth = PEAK_DEPTH;
    let peak = session.measure(&load, live)?.measurement.achieved();
    live.message(&format!(
        "closed-loop peak: {}/s ({PEAK_DEPTH} outstanding per connection)",
        format_count(peak)
    ));
    Ok(peak)
}

fn result(
    options: &ScanCommand,
    steps: Vec<Step>,
    peak: Option<f64>,
    violations: BTreeMap<String, u64>,
) -> ScanResult {
    let slo_limit = options
        .slo
        .as_ref()
        .and_then(crate::slo::Slo::latency_limit);
    let p99: Vec<(f64, f64)> = steps
        .iter()
        .filter_map(|step| Some((step.rate, step.response.p99_ns? as f64)))
        .collect();
    let at_limit = |(quantile, limit): (f64, f64)| {
        let curve: Vec<(f64, f64)> = steps
            .iter()
            .filter_map(|step| Some((step.rate, quantile_of(step, quantile)?)))
            .collect();
        crossing(&curve, limit)
    };
    ScanResult {
        slo: options.slo.as_ref().map(ToString::to_string),
        crossing: slo_limit.and_then(at_limit),
        slo_limit,
        peak,
        knee: knee(&p99),
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

fn finish(
    options: &ScanCommand,
    session: &Session,
    result: ScanResult,
    ended: Result<()>,
) -> Result<Exit> {
    let mut exit = steps_exit(&result.violations, &result.steps).unwrap_or(Exit::Ok);
    let limited = result.steps.iter().any(|step| step.client_limited);
    let mut headline = headline(&result);
    if let Err(error) = ended {
        cut_short(error, result.steps.is_empty(), &mut headline, &mut exit)?;
    }
    let report = report(
        session.context(),
        session::summary(&session.workload),
        headline,
        Body::Scan {
            scan: Box::new(result),
        },
    );
    let Body::Scan { scan } = &report.body else {
        return Ok(exit);
    };
    let mut out = String::new();
    text::context(&report, &mut out);
    line!(out);
    text::steps(&scan.steps, &mut out);
    line!(out);
    line!(out, "{}", report.headline);
    let answer = Answer {
        text: out,
        csv: csv::steps(&scan.steps),
        html: html::render(&report)?,
    };
    publish(&report, &answer, &options.output)?;
    Ok(if options.output.strict && limited {
        Exit::Strict
    } else {
        exit
    })
}

fn headline(result: &ScanResult) -> String {
    let knee = match result.knee {
        Some(rate) => format!("p99 bends at about {}/s", format_count(rate)),
        None => "p99 does not bend in this range".to_owned(),
    };
    let crossing = match (&result.slo, result.crossing) {
        (Some(slo), Some(rate)) => format!("; it crosses {slo} at about {}/s", format_count(rate)),
        (Some(slo), None) => format!("; it does not cross {slo} within the range"),
        _ => String::new(),
    };
    let limited = result
        .steps
        .iter()
        .filter(|step| step.client_limited)
        .count();
    let client = match limited {
        0 => String::new(),
        count => format!(
            "; the client was a limit in {count} of {} steps",
            result.steps.len()
        ),
    };
    format!("{knee}{crossing}{client}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_parse() {
        assert_eq!(Range::parse("10%..110%"), Ok(Range::OfPeak(0.1, 1.1)));
        assert_eq!(
            Range::parse("10k..500k"),
            Ok(Range::Rates(10_000.0, 500_000.0))
        );
        for text in ["10", "500k..10k", "0%..10%", "a..b"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
