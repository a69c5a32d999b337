//! `loadgen search`: the highest rate that keeps an objective.

use super::endings::{check_answered, cut_short, steps_exit};
use super::outputs::{Answer, check_outputs, publish};
use crate::cli::commands::SearchCommand;
use crate::cli::options::Strictness;
use crate::client;
use crate::error::{Exit, LoadError, Result};
use crate::live::Live;
use crate::load::Load;
use crate::measurement::BUSY_SHARE_MAX;
use crate::report::build::{add_counts, report, step};
use crate::report::format::{format_capacity_interval, preload_notes};
use crate::report::model::{Body, LimitedBy, SearchResult, ServerStats, Step, Verdict};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::settings::{self, Target};
use crate::slo::Slo;
use crate::stats::search::{Found, Length, Outcome, Plan, search};
use crate::units::{format_count, format_share};
use crate::verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silence between probes, beyond the drain: queues of an overloaded server must not reach into the next probe.
const PAUSE: Duration = Duration::from_millis(200);
/// No probe is made longer than this, however rare the objective's percentile is.
const PROBE_MAX: Duration = Duration::from_secs(60);
/// A probe may have missed because other threads had the workers' CPUs if they had them for more than this part of the
/// share that the objective's percentile leaves out.
const DELAY_PART_NOTED: f64 = 0.5;

/// Runs the command.
pub fn execute(options: &SearchCommand) -> Result<Exit> {
    check_outputs(&options.output, None)?;
    options.target.client.tls.check(&options.target.server)?;
    let mut live = Live::new(options.output.quiet);
    let workload = settings::workload(&options.workload)?;
    let slo = options.slo.clone().with_errors_bounded();
    let plan = plan(options)?;
    let load = settings::load(&options.pace, Some(options.start), options.probe)?;
    let target = Target::new(&options.target.server, &options.target.client, &workload)?;
    let mut session = Session::open(target, workload, load.depth)?;
    let preload = session.preload_if_wanted(&options.workload, &mut live)?;
    let mut notes = preload_notes(preload.as_ref());
    notes.extend(session.notes());
    let mut probing = Probing {
        session,
        slo,
        load,
        probe: options.probe,
        notes,
        cut_short: 0,
        disturbed: 0,
        probes: Vec::new(),
        violations: BTreeMap::new(),
        bytes: (0.0, 0.0),
        stats: Vec::new(),
    };
    let searched = search(&plan, |rate, length| probing.probe(rate, length, &mut live));
    live.clear();
    match searched {
        Ok(found) => finish(options, &probing, &found, None),
        // Earlier measurements are reported all the same.
        Err(error) if !probing.probes.is_empty() => {
            finish(options, &probing, &Found::nothing(), Some(error))
        }
        Err(error) => Err(error),
    }
}

fn plan(options: &SearchCommand) -> Result<Plan> {
    if options.start > options.rate_max {
        return Err(LoadError::usage(format!(
            "--start {} is above --rate-max {}",
            format_count(options.start),
            format_count(options.rate_max)
        )));
    }
    let least = options.repeats as usize;
    Ok(Plan {
        start: options.start,
        rate_max: options.rate_max,
        precision: options.precision,
        edge_probes_min: least,
        edge_probes_max: least.max(options.repeats_max as usize),
    })
}

fn finish(
    options: &SearchCommand,
    probing: &Probing,
    found: &Found,
    ended_by: Option<LoadError>,
) -> Result<Exit> {
    let mut result = probing.result(found);
    if ended_by.is_some() {
        "what limits the server is not known: the search did not come to its end"
            .clone_into(&mut result.limit);
    }
    let mut headline = headline(&result, options.precision);
    let mut exit = exit(&result, options.output.strictness());
    if let Some(error) = ended_by {
        cut_short(&error, &mut headline, &mut exit);
    }
    let report = report(
        probing.session.context(),
        session::summary(&probing.session.workload),
        headline,
        Body::Search {
            search: Box::new(result),
        },
    );
    let Body::Search { search } = &report.body else {
        return Ok(exit);
    };
    let mut out = String::new();
    text::context(&report, &mut out);
    line!(out);
    text::steps(&search.probes, &mut out);
    line!(out);
    line!(out, "{}", report.headline);
    text::notes(&search.notes, &mut out);
    let answer = Answer {
        text: out,
        csv: csv::steps(&search.probes),
        html: html::render(&report)?,
    };
    publish(&report, &answer, &options.output)?;
    Ok(exit)
}

/// A search under way.
struct Probing {
    session: Session,
    slo: Slo,
    load: Load,
    /// The length of a probe at least.
    probe: Duration,
    notes: Vec<String>,
    /// Probes that could not be as long as the objective's percentile needs.
    cut_short: usize,
    /// Probes that missed while others had the workers' CPUs.
    disturbed: usize,
    probes: Vec<Step>,
    violations: BTreeMap<String, u64>,
    bytes: (f64, f64),
    stats: Vec<ServerStats>,
}

impl Probing {
    fn probe(&mut self, rate: f64, length: Length, live: &mut Live) -> Result<Outcome> {
        std::thread::sleep(PAUSE);
        self.load.rate = Some(rate);
        self.load.duration = match length {
            Length::Short => self.probe,
            Length::Full => self.full_length(rate),
        };
        live.stage_for(
            &format!(
                "probe {} at {}/s",
                self.probes.len() + 1,
                format_count(rate)
            ),
            self.load.duration.as_secs_f64(),
        );
        let measured = self.session.measure(&self.load, live)?;
        let measurement = &measured.measurement;
        let verdict = verdict::judge(measurement, Some(&self.slo));
        add_counts(&mut self.violations, &verdict.violations);
        let totals = &measurement.measured;
        let per_request = |bytes: u64| bytes as f64 / totals.completed.max(1) as f64;
        self.bytes = (
            per_request(totals.bytes_sent),
            per_request(totals.bytes_received),
        );
        let mut step = step(measurement, &verdict, measured.server);
        self.stats = measured.stats;
        let excess = client::excess(measurement, &verdict, &self.slo);
        let outcome = Outcome {
            excess,
            client_limited: excess > 1.0 && client::explains(measurement, &verdict, &self.slo),
        };
        // The step's own judgement and the search's are one.
        step.kept = Some(outcome.kept());
        step.client_limited = outcome.client_limited;
        step.reasons = reasons(&verdict, outcome);
        live.step(&step_line(&step));
        let left_out = self
            .slo
            .latency_limit()
            .map_or(1.0, |(quantile, _)| 1.0 - quantile);
        let is_disturbed = measurement.delayed().unwrap_or(0.0) > DELAY_PART_NOTED * left_out;
        self.disturbed += usize::from(!outcome.kept() && is_disturbed);
        self.probes.push(step);
        self.session.check_interrupt()?;
        check_answered(&self.probes)?;
        Ok(outcome)
    }

    /// As long as the objective's percentile needs at this rate.
    fn full_length(&mut self, rate: f64) -> Duration {
        let needed_s = self.slo.requests_needed() / rate;
        self.cut_short += usize::from(needed_s > PROBE_MAX.max(self.probe).as_secs_f64());
        let needed = Duration::from_secs_f64(needed_s.min(PROBE_MAX.as_secs_f64()));
        self.probe.max(needed)
    }

    fn result(&self, found: &Found) -> SearchResult {
        let best = found.capacity.and_then(|capacity| {
            self.probes
                .iter()
                .rev()
                .filter(|step| step.kept == Some(true))
                .min_by(|a, b| {
                    (a.rate - capacity)
                        .abs()
                        .total_cmp(&(b.rate - capacity).abs())
                })
                .cloned()
        });
        let items: u64 = self.stats.iter().filter_map(|stats| stats.items).sum();
        let bytes: u64 = self.stats.iter().filter_map(|stats| stats.item_bytes).sum();
        let (limited_by, limit) = self.limit(found, best.as_ref());
        let known = |rate: f64| rate.is_finite().then_some(rate);
        SearchResult {
            slo: self.slo.to_string(),
            capacity: found.capacity,
            capacity_low: found.capacity.and(known(found.interval.0)),
            capacity_high: found.capacity.and(known(found.interval.1)),
            settled: found.settled,
            limited_by,
            limit,
            notes: self.notes(),
            probes: self.probes.clone(),
            best,
            bytes_per_request: self.bytes,
            items: (items > 0).then_some(items),
            item_bytes: (items > 0).then(|| bytes as f64 / items as f64),
            resident_bytes_per_item: self
                .probes
                .last()
                .and_then(|step| step.server)
                .filter(|_| items > 0)
                .map(|usage| usage.resident_bytes as f64 / items as f64),
            violations: self.violations.clone(),
        }
    }

    /// The limit of the capacity, as a kind and in words.
    fn limit(&self, found: &Found, best: Option<&Step>) -> (LimitedBy, String) {
        if found.client_limited {
            let busy = self
                .probes
                .iter()
                .filter(|step| step.client_limited && step.client_busy > BUSY_SHARE_MAX);
            let remedy = if busy.count() > 0 {
                "give loadgen more --cpus"
            } else {
                "it was late and not busy: keep its CPUs free, or give it others with --cpus"
            };
            return (
                LimitedBy::Client,
                format!("the client was the limit and the server may do more ({remedy})"),
            );
        }
        if found.capacity.is_some() && found.interval.1.is_infinite() && !self.any_missed() {
            let why = "no rate missed the objective: raise --rate-max".to_owned();
            return (LimitedBy::Nothing, why);
        }
        let usage = self
            .probes
            .iter()
            .rev()
            .find(|step| step.kept == Some(false))
            .or(best)
            .and_then(|step| step.server);
        match usage {
            Some(usage) if usage.is_out_of_cpu() => (
                LimitedBy::ServerCpu,
                format!(
                    "the limit is server CPU ({:.2} of {} CPUs busy at the last rate that missed)",
                    usage.cpus_busy, usage.cpus_usable
                ),
            ),
            Some(usage) => (
                LimitedBy::Server,
                format!(
                    "the server was not out of CPU ({:.2} CPUs busy): look at its threads, its network or its neighbours",
                    usage.cpus_busy
                ),
            ),
            None => (
                LimitedBy::Unknown,
                "what limits the server is not known (--server-pid tells whether it is CPU)"
                    .to_owned(),
            ),
        }
    }

    fn any_missed(&self) -> bool {
        self.probes.iter().any(|step| step.kept == Some(false))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        if self.cut_short > 0 {
            notes.push(format!(
                "{} probes of {PROBE_MAX:?} had fewer than the {} requests that {} needs: the interval may be too narrow",
                self.cut_short,
                format_count(self.slo.requests_needed()),
                self.slo
            ));
        }
        if self.disturbed > 0 {
            notes.push(format!(
                "others had the client's CPUs during {} of the probes that missed: on a quieter machine the server may do more",
                self.disturbed
            ));
        }
        notes
    }
}

/// The reasons why a probe missed, or does not count.
fn reasons(verdict: &Verdict, outcome: Outcome) -> Vec<String> {
    let missed = verdict.overloaded.iter().chain(&verdict.slo_missed);
    match (outcome.kept(), outcome.client_limited) {
        (true, _) => Vec::new(),
        (false, true) => verdict
            .client
            .causes
            .iter()
            .chain(missed)
            .cloned()
            .collect(),
        (false, false) => missed.cloned().collect(),
    }
}

fn headline(result: &SearchResult, precision: f64) -> String {
    let Some(capacity) = result.capacity else {
        return format!("no rate kept {}; {}", result.slo, result.limit);
    };
    let headroom = result.best.as_ref().map_or(1.0, Step::client_headroom);
    let unsettled = if result.settled || result.limited_by == LimitedBy::Nothing {
        String::new()
    } else {
        format!(
            " (wider than the {} asked for: longer probes or more of them narrow it, --probe and --repeats-max)",
            format_share(precision)
        )
    };
    format!(
        "the server keeps {} up to {} requests/s with this mix, {}{unsettled}; {}; the client had {} headroom",
        result.slo,
        format_count(capacity),
        format_capacity_interval(result),
        result.limit,
        format_share(headroom)
    )
}

fn exit(result: &SearchResult, strictness: Strictness) -> Exit {
    let client_was_limit = result.limited_by == LimitedBy::Client;
    match (
        steps_exit(&result.violations, &result.probes),
        result.capacity,
    ) {
        (Some(exit), _) => exit,
        (None, None) => Exit::SloMissed,
        (None, Some(_)) if strictness == Strictness::Strict && client_was_limit => Exit::Strict,
        (None, Some(_)) => Exit::Ok,
    }
}
