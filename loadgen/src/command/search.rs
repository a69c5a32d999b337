//! `loadgen search`: the highest rate that keeps an objective.

use super::{Answer, check_answered, check_outputs, cut_short, publish, report, steps_exit};
use crate::cli::commands::SearchCommand;
use crate::error::{Exit, Result};
use crate::live::Live;
use crate::report::build::{add_counts, step};
use crate::report::model::{Body, SearchResult, ServerStats, Step};
use crate::report::text::{self, line, step_line};
use crate::report::{csv, html};
use crate::session::{self, Session};
use crate::slo::Slo;
use crate::stats::search::{Found, Outcome, Plan, search};
use crate::units::{format_count, format_share};
use crate::verdict::{self, headroom};
use std::collections::BTreeMap;
use std::time::Duration;

/// Silence between probes, beyond the drain: queues of an overloaded server must not reach into the next probe.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn execute(options: &SearchCommand) -> Result<Exit> {
    check_outputs(&options.output, None)?;
    let mut live = Live::new(options.output.quiet);
    let workload = session::workload(&options.workload)?;
    let slo = options.slo.clone().with_errors_bounded();
    let load = session::load(&options.pace, Some(options.start), options.probe);
    let mut session = Session::open(
        &options.target.server,
        &options.target.client,
        workload,
        load.depth,
    )?;
    if !options.workload.no_preload {
        session.preload(&mut live)?;
    }
    let plan = Plan {
        start: options.start,
        rate_max: options.rate_max,
        precision: options.precision,
        pass: options.pass,
        repeats: options.repeats.max(options.pass),
    };
    let mut probing = Probing {
        session,
        slo,
        load,
        probes: Vec::new(),
        violations: BTreeMap::new(),
        bytes: (0.0, 0.0),
        stats: Vec::new(),
    };
    let mut found = Found::default();
    let ended = search(&plan, &mut found, |rate| probing.probe(rate, &mut live));
    live.clear();
    let mut result = probing.result(&found);
    if ended.is_err() {
        "what limits the server is not known: the search did not come to its end"
            .clone_into(&mut result.limit);
    }
    let mut headline = headline(&result, options.precision);
    let mut exit = exit(&result, options.output.strict);
    if let Err(error) = ended {
        cut_short(error, result.probes.is_empty(), &mut headline, &mut exit)?;
    }
    let context = probing.session.context();
    let report = report(
        context,
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
    load: crate::fleet::Load,
    probes: Vec<Step>,
    violations: BTreeMap<String, u64>,
    bytes: (f64, f64),
    stats: Vec<ServerStats>,
}

impl Probing {
    fn probe(&mut self, rate: f64, live: &mut Live) -> Result<Outcome> {
        std::thread::sleep(PAUSE);
        self.load.rate = Some(rate);
        live.stage_for(
            &format!(
                "probe {} at {}/s",
                self.probes.len() + 1,
                format_count(rate)
            ),
            self.load.duration.as_secs_f64(),
        );
        let measured = self.session.measure(&self.load, live)?;
        let verdict = verdict::judge(&measured.measurement, Some(&self.slo));
        add_counts(&mut self.violations, &verdict.violations);
        let totals = &measured.measurement.measured;
        let per_request = |bytes: u64| bytes as f64 / totals.completed.max(1) as f64;
        self.bytes = (
            per_request(totals.bytes_sent),
            per_request(totals.bytes_received),
        );
        let step = step(&measured.measurement, &verdict, measured.server);
        self.stats = measured.stats;
        live.step(&step_line(&step));
        let outcome = match (step.kept, step.client_limited) {
            (Some(true), _) => Outcome::Kept,
            (_, true) => Outcome::ClientLimited,
            _ => Outcome::Missed,
        };
        self.probes.push(step);
        self.session.check_interrupt()?;
        check_answered(&self.probes)?;
        Ok(outcome)
    }

    fn result(&self, found: &Found) -> SearchResult {
        let best = found.kept.and_then(|kept| {
            let at_best = self
                .probes
                .iter()
                .rev()
                .filter(|step| step.kept == Some(true));
            at_best
                .min_by(|a, b| (a.rate - kept).abs().total_cmp(&(b.rate - kept).abs()))
                .cloned()
        });
        let items: u64 = self.stats.iter().filter_map(|stats| stats.items).sum();
        let bytes: u64 = self.stats.iter().filter_map(|stats| stats.item_bytes).sum();
        SearchResult {
            slo: self.slo.to_string(),
            capacity: found.kept,
            missed_at: found.missed,
            limit: self.limit(found, best.as_ref()),
            probes: self.probes.clone(),
            best,
            bytes_per_request: self.bytes,
            item_bytes: (items > 0).then(|| bytes as f64 / items as f64),
            violations: self.violations.clone(),
        }
    }

    /// What the capacity is limited by.
    fn limit(&self, found: &Found, best: Option<&Step>) -> String {
        if found.client_limited {
            return "the client was the limit and the server may do more (give loadgen more --cpus)"
                .to_owned();
        }
        if found.missed.is_none() {
            return "no rate missed the objective: raise --rate-max".to_owned();
        }
        let usage = self
            .probes
            .iter()
            .rev()
            .find(|step| step.kept == Some(false))
            .or(best)
            .and_then(|step| step.server);
        match usage {
            Some(usage) if usage.is_out_of_cpu() => format!(
                "the limit is server CPU ({:.2} of {} CPUs busy at the first rate that missed)",
                usage.cpus_busy, usage.cpus_usable
            ),
            Some(usage) => format!(
                "the server was not out of CPU ({:.2} CPUs busy): look at its threads, its network or its neighbours",
                usage.cpus_busy
            ),
            None => "what limits the server is not known (--server-pid tells whether it is CPU)"
                .to_owned(),
        }
    }
}

fn headline(result: &SearchResult, precision: f64) -> String {
    let Some(capacity) = result.capacity else {
        return format!("no rate kept {}", result.slo);
    };
    let spread = result
        .missed_at
        .map_or(capacity * precision, |missed| (missed - capacity) / 2.0);
    let busy = result.best.as_ref().map_or(0.0, |step| step.client_busy);
    format!(
        "the server keeps {} up to {} +- {} requests/s with this mix; {}; the client had {} headroom",
        result.slo,
        format_count(capacity),
        format_count(spread),
        result.limit,
        format_share(headroom(busy))
    )
}

fn exit(result: &SearchResult, strict: bool) -> Exit {
    let client_was_limit = result.limit.starts_with("the client");
    match (
        steps_exit(&result.violations, &result.probes),
        result.capacity,
    ) {
        (Some(exit), _) => exit,
        (None, None) => Exit::SloMissed,
        (None, Some(_)) if strict && client_was_limit => Exit::Strict,
        (None, Some(_)) => Exit::Ok,
    }
}
