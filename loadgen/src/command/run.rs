//! `loadgen run`: one measurement at one rate.

use super::endings::exit_code;
use super::outputs::{Answer, all_written, check_outputs, publish, write_file};
use crate::cli::commands::RunCommand;
use crate::error::{Exit, Result};
use crate::interrupt;
use crate::live::Live;
use crate::report::build::{Surroundings, report, run_result};
use crate::report::format::preload_notes;
use crate::report::model::{Body, Report, RunResult};
use crate::report::text::{self, line};
use crate::report::{csv, hdr_log, html};
use crate::session::{self, Session};
use crate::settings::{self, Target};
use crate::units::{format_count, format_latency};
use crate::verdict;
use std::time::SystemTime;

/// Runs the command.
pub fn execute(options: &RunCommand) -> Result<Exit> {
    check_outputs(&options.output, options.hdr.as_deref())?;
    options.target.client.tls.check(&options.target.server)?;
    let mut live = Live::new(options.output.quiet);
    let workload = settings::workload(&options.workload)?;
    let rate = (!options.rate.closed).then_some(options.rate.rate);
    let load = settings::load(&options.pace, rate, options.rate.duration)?;
    let target = Target::new(&options.target.server, &options.target.client, &workload)?;
    let mut session = Session::open(target, workload, load.depth)?;
    let preload = session.preload_if_wanted(&options.workload, &mut live)?;
    live.stage_for("measuring", load.duration.as_secs_f64());
    let started = SystemTime::now() + load.warm_up;
    let measured = session.measure(&load, &mut live)?;
    live.clear();
    let mut verdict = verdict::judge(&measured.measurement, options.slo.as_ref());
    verdict.notes.extend(measured.notes);
    verdict.notes.extend(preload_notes(preload.as_ref()));
    verdict.notes.extend(session.notes());
    if session.fleet.interrupted() {
        let seconds = measured.measurement.seconds;
        verdict.notes.push(format!(
            "interrupted: {seconds:.1} s were measured of {:.1} s",
            load.duration.as_secs_f64()
        ));
    }
    let around = Surroundings {
        verdict,
        arrivals: load.arrivals,
        server: measured.server,
        server_stats: measured.stats,
        preload,
    };
    let mut exit = exit_code(&around.verdict, options.output.strictness());
    if exit == Exit::Ok && interrupt::is_terminated() {
        exit = Exit::Terminated;
    }
    let result = run_result(&measured.measurement, around);
    let headline = headline(&result);
    let run = Box::new(result);
    let report = report(
        session.context(),
        session::summary(&session.workload),
        headline,
        Body::Run { run },
    );
    let Body::Run { run } = &report.body else {
        return Ok(exit);
    };
    let hdr = options.hdr.as_ref().map_or(Ok(()), |path| {
        write_file(path, hdr_log::render(&measured.measurement, started)?)
    });
    let answer = Answer {
        text: text(&report, run),
        csv: csv::series(run),
        html: html::render(&report)?,
    };
    all_written(vec![publish(&report, &answer, &options.output), hdr])?;
    Ok(exit)
}

fn text(report: &Report, run: &RunResult) -> String {
    let mut out = String::new();
    text::context(report, &mut out);
    line!(out);
    text::run(run, &mut out);
    line!(out);
    line!(out, "{}", report.headline);
    out
}

fn headline(result: &RunResult) -> String {
    let response = &result.all.response;
    let mode = match result.rate {
        Some(rate) => format!("at {}/s", format_count(rate)),
        None => format!("closed loop at {}/s", format_count(result.achieved)),
    };
    format!(
        "{mode}: response p50 {}, p99 {}, p99.9 {}{}",
        format_latency(response.p50_ns),
        format_latency(response.p99_ns),
        format_latency(response.p999_ns),
        if result.verdict.is_clean() {
            ""
        } else {
            " (see the verdict first)"
        }
    )
}
