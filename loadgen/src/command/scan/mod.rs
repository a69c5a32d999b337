//! `loadgen scan`: the latency-throughput curve.

mod findings;

use super::endings::{check_answered, cut_short};
use super::outputs::{Answer, check_outputs, publish};
use crate::cli::commands::ScanCommand;
use crate::error::{Exit, LoadError, Result};
use crate::live::Live;
use crate::load::Load;
use crate::report::build::{add_counts, report, step};
use crate::report::format::preload_notes;
use crate::report::model::{Body, ScanResult, Step};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::settings::{self, Target};
use crate::slo::Slo;
use crate::units::{format_count, parse_load_rate, parse_share};
use crate::verdict;
use findings::{excess_note, exit, headline, result};
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
        let wrong = || {
            format!(
                "'{text}' is no range: write the lower end first, as in 10%..110% (of the peak) or 10k..500k"
            )
        };
        let (first, last) = text.split_once("..").ok_or_else(wrong)?;
        let range = if last.trim().ends_with('%') {
            Self::OfPeak(parse_share(first)?, parse_share(last)?)
        } else {
            Self::Rates(parse_load_rate(first)?, parse_load_rate(last)?)
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
    options.target.client.tls.check(&options.target.server)?;
    let mut live = Live::new(options.output.quiet);
    let workload = settings::workload(&options.workload)?;
    let load = settings::load(&options.pace, Some(1.0), options.step)?;
    let target = Target::new(&options.target.server, &options.target.client, &workload)?;
    let mut session = Session::open(target, workload, load.depth.max(PEAK_DEPTH))?;
    let preload = session.preload_if_wanted(&options.workload, &mut live)?;
    let mut notes = preload_notes(preload.as_ref());
    notes.extend(session.notes());
    let (low, high, peak) = match range {
        Range::Rates(low, high) => (low, high, None),
        Range::OfPeak(low, high) => {
            let peak = peak(&mut session, options, &mut live)?;
            (low * peak, high * peak, Some(peak))
        }
    };
    let mut scan = Scan {
        options,
        steps: Vec::new(),
        violations: BTreeMap::new(),
    };
    let ended_by = scan.measure(&mut session, low..high, load, &mut live).err();
    live.clear();
    if scan.steps.is_empty()
        && let Some(error) = ended_by
    {
        return Err(error);
    }
    notes.extend(excess_note(&scan.steps, &session.workload));
    let result = result(options, scan.steps, peak, scan.violations, notes);
    finish(options, &session, result, ended_by)
}

/// A scan under way.
struct Scan<'a> {
    options: &'a ScanCommand,
    steps: Vec<Step>,
    violations: BTreeMap<String, u64>,
}

impl Scan<'_> {
    fn measure(
        &mut self,
        session: &mut Session,
        rates: std::ops::Range<f64>,
        mut load: Load,
        live: &mut Live,
    ) -> Result<()> {
        let options = self.options;
        let slo = options.slo.clone().unwrap_or_else(Slo::errors_only);
        for index in 0..options.steps {
            std::thread::sleep(PAUSE);
            let part = f64::from(index) / f64::from(options.steps - 1);
            let rate = rates.start + (rates.end - rates.start) * part;
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
            let measured = session.measure(&load, live)?;
            let verdict = verdict::judge(&measured.measurement, Some(&slo));
            add_counts(&mut self.violations, &verdict.violations);
            self.steps
                .push(step(&measured.measurement, &verdict, measured.server));
            live.step(&step_line(&self.steps[self.steps.len() - 1]));
            session.check_interrupt()?;
            check_answered(&self.steps)?;
        }
        Ok(())
    }
}

fn peak(session: &mut Session, options: &ScanCommand, live: &mut Live) -> Result<f64> {
    live.stage_for("closed-loop peak", options.step.as_secs_f64());
    let mut load = settings::load(&options.pace, None, options.step)?;
    load.depth = PEAK_DEPTH;
    let peak = session.measure(&load, live)?.measurement.achieved();
    session.check_interrupt()?;
    if peak <= 0.0 {
        return Err(LoadError::new(
            Exit::ServerLost,
            "the closed loop that measures the peak got no reply",
        ));
    }
    live.message(&format!(
        "closed-loop peak: {}/s ({PEAK_DEPTH} outstanding per connection)",
        format_count(peak)
    ));
    Ok(peak)
}

fn finish(
    options: &ScanCommand,
    session: &Session,
    result: ScanResult,
    ended_by: Option<LoadError>,
) -> Result<Exit> {
    let mut exit = exit(&result, options.output.strictness());
    let mut headline = headline(&result);
    if let Some(error) = ended_by {
        cut_short(&error, &mut headline, &mut exit);
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
    text::notes(&scan.notes, &mut out);
    let answer = Answer {
        text: out,
        csv: csv::steps(&scan.steps),
        html: html::render(&report)?,
    };
    publish(&report, &answer, &options.output)?;
    Ok(exit)
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
        assert_eq!(Range::parse("1e4..1e5"), Ok(Range::Rates(1e4, 1e5)));
        for text in ["10", "500k..10k", "0%..10%", "a..b", "0..10k", "1k..1e30"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
