//! The summary on the terminal: verdict first, then a table that needs no manual.

mod costs;
mod line;

pub(crate) use line::line;

use super::model::{
    ClassResult, ClientGrade, ClientVerdict, IncidentReport, Latency, Report, RunResult, Step,
    Verdict,
};
use crate::record::NoReply;
use crate::units::{format_count, format_latency, format_ns, format_share};
use costs::costs;
use std::fmt::Write as _;

/// The circumstances.
pub fn context(report: &Report, out: &mut String) {
    let context = &report.context;
    let servers: Vec<String> = context
        .servers
        .iter()
        .map(|server| format!("{} ({})", server.address, server.version))
        .collect();
    line!(out, "server     {}", servers.join(", "));
    for server in &context.servers {
        if let Some(tls) = &server.tls {
            let whose = match servers.len() {
                1 => String::new(),
                _ => format!("{}: ", server.address),
            };
            line!(out, "tls        {whose}{}", tls.sentence());
        }
    }
    let cpus: Vec<String> = context
        .worker_cpus
        .iter()
        .map(ToString::to_string)
        .collect();
    line!(
        out,
        "client     loadgen {}, {} connections, {}, worker CPU {}, {}",
        context.version,
        context.connections,
        context.protocol,
        cpus.join(" "),
        context.kernel
    );
    let workload = &report.workload;
    line!(
        out,
        "workload   {}; {} keys {}, {} B keys, values {} (mean {:.0} B){}{}",
        workload.mix,
        format_count(workload.keys as f64),
        workload.key_distribution,
        workload.key_bytes,
        workload.value_size,
        workload.value_bytes_mean,
        if workload.look_aside {
            ", look-aside"
        } else {
            ""
        },
        if workload.verify { ", verified" } else { "" },
    );
}

/// The judgement of a measurement.
pub fn verdict(verdict: &Verdict, busiest: f64, out: &mut String) {
    line!(
        out,
        "{:<16} {}",
        grade_name(verdict.client.grade),
        client_line(&verdict.client, busiest)
    );
    for cause in &verdict.client.causes {
        line!(out, "                 {cause}");
    }
    losses(verdict, out);
    if let Some(why) = &verdict.overloaded {
        line!(out, "OVERLOADED       {why}");
    }
    violations(verdict, out);
    if !verdict.errors.is_empty() {
        let kinds: Vec<String> = verdict
            .errors
            .iter()
            .map(|(kind, count)| format!("{count} x {kind}"))
            .collect();
        line!(out, "ERRORS           {}", kinds.join(", "));
        verdict
            .error_examples
            .iter()
            .for_each(|text| line!(out, "                 the server said: {text}"));
    }
    if let Some(slo) = &verdict.slo {
        match verdict.slo_missed.as_slice() {
            [] => line!(out, "OBJECTIVE KEPT   {slo}"),
            missed => line!(out, "OBJECTIVE MISSED {}", missed.join("; ")),
        }
    }
    notes(&verdict.notes, out);
}

/// Things worth knowing that are no verdict.
pub fn notes(notes: &[String], out: &mut String) {
    for note in notes {
        line!(out, "NOTE             {note}");
    }
}

/// Replies and connections that were lost.
fn losses(verdict: &Verdict, out: &mut String) {
    if verdict.lost_total() > 0 {
        line!(out, "LOST             {}", lost(verdict));
    }
    for incident in &verdict.incidents {
        line!(out, "CONNECTION LOST  {}", incident_line(incident));
    }
}

/// The requests without a reply, in words.
#[must_use]
pub fn lost(verdict: &Verdict) -> String {
    let unconnected = verdict.no_reply.get(NoReply::Unconnected.name());
    let of_which = unconnected.map_or_else(String::new, |count| {
        format!(" ({count} of them had no connection to be sent on)")
    });
    format!(
        "{} requests had no reply{of_which}: each counts as at least as long as it waited",
        verdict.lost_total()
    )
}

/// The incidents of connections, in words.
#[must_use]
pub fn incident_line(incident: &IncidentReport) -> String {
    let IncidentReport {
        server,
        kind,
        example,
        count,
        requests,
        reopened,
        ..
    } = incident;
    let when = if *count == 1 {
        format!("at {:.2} s", incident.first_s)
    } else {
        format!(
            "{count} times, {:.2} to {:.2} s",
            incident.first_s, incident.last_s
        )
    };
    let again = match incident.reopened_s_max {
        None => "not open again".to_owned(),
        Some(s) if reopened == count => format!("open again after {}", format_ns(s * 1e9)),
        Some(s) => format!(
            "{reopened} open again, after {} at most",
            format_ns(s * 1e9)
        ),
    };
    format!("{server}: {kind} {when} ({example}); {requests} requests given up; {again}")
}

fn violations(verdict: &Verdict, out: &mut String) {
    if verdict.violations_total() == 0 {
        return;
    }
    let kinds: Vec<String> = verdict
        .violations
        .iter()
        .map(|(kind, count)| format!("{count} x {kind}"))
        .collect();
    line!(out, "WRONG DATA       {}", kinds.join(", "));
    verdict
        .violation_examples
        .iter()
        .for_each(|example| line!(out, "                 {example}"));
}

const COLUMNS: &str =
    "             rate/s      hit      p50       p90       p99     p99.9    p99.99       max";

/// A grade as the reports call it.
#[must_use]
pub fn grade_name(grade: ClientGrade) -> &'static str {
    match grade {
        ClientGrade::Ok => "CLIENT OK",
        ClientGrade::Shows => "CLIENT SHOWS",
        ClientGrade::Limited => "CLIENT LIMITED",
    }
}

/// How much of the percentiles that matter can be the client's.
#[must_use]
pub fn client_line(client: &ClientVerdict, busiest: f64) -> String {
    let mut parts: Vec<String> = [(0.5, "p50"), (0.99, "p99")]
        .iter()
        .filter_map(|(quantile, name)| {
            let share = client
                .shares
                .iter()
                .find(|share| (share.quantile - quantile).abs() < 1e-9)?;
            Some(format!(
                "{name} {}, at most {} of it ours",
                format_ns(share.shown_ns as f64),
                format_ns(share.ours_ns as f64)
            ))
        })
        .collect();
    parts.push(format!("busiest worker {} busy", format_share(busiest)));
    parts.join("; ")
}

fn ours_row(client: &ClientVerdict, out: &mut String) {
    if client.shares.is_empty() {
        return;
    }
    let _ = write!(out, "  {:<26}", "ours, at most");
    for share in &client.shares {
        let _ = write!(out, " {:>9}", format_ns(share.ours_ns as f64));
    }
    line!(out);
}

/// The table of a measurement.
pub fn run(result: &RunResult, out: &mut String) {
    verdict(&result.verdict, result.client.busiest_worker, out);
    line!(out);
    match result.rate {
        Some(rate) => line!(
            out,
            "open loop, {} arrivals: {}/s due, {}/s answered, {:.1} s",
            result.arrivals,
            format_count(rate),
            format_count(result.achieved),
            result.seconds
        ),
        None => line!(
            out,
            "CLOSED LOOP: {}/s answered, {:.1} s",
            format_count(result.achieved),
            result.seconds
        ),
    }
    line!(out);
    line!(out, "{COLUMNS}");
    if result.classes.len() != 1 {
        row("all", &result.all, &result.all.response, out);
    }
    result
        .classes
        .iter()
        .for_each(|class| row(&class.verb, class, &class.response, out));
    line!(out, "of which, all requests:");
    plain_row("service", &result.all.service, out);
    plain_row("slip", &result.all.slip, out);
    ours_row(&result.verdict.client, out);
    line!(out);
    costs(result, out);
}

fn row(name: &str, class: &ClassResult, latency: &Latency, out: &mut String) {
    let hit = class
        .hit_share()
        .map_or_else(|| "-".to_owned(), format_share);
    let _ = write!(out, "{name:<10} {:>8} {hit:>8}", format_count(class.rate));
    latency_cells(latency, out);
}

fn plain_row(name: &str, latency: &Latency, out: &mut String) {
    let _ = write!(out, "  {name:<26}");
    latency_cells(latency, out);
}

fn latency_cells(latency: &Latency, out: &mut String) {
    for ns in latency.columns() {
        let _ = write!(out, " {:>9}", format_latency(ns));
    }
    line!(out);
}

/// A table of steps.
pub fn steps(steps: &[Step], out: &mut String) {
    line!(
        out,
        "   offered  answered       p50       p99     p99.9       max    errors  client  verdict"
    );
    steps
        .iter()
        .for_each(|step| line!(out, "{}", step_line(step)));
}

/// The figures of a step: load asked for, load served, response times, errors, how busy the client was.
#[must_use]
pub fn step_figures(step: &Step) -> [String; 8] {
    [
        format_count(step.rate),
        format_count(step.achieved),
        format_latency(step.response.p50_ns),
        format_latency(step.response.p99_ns),
        format_latency(step.response.p999_ns),
        format_latency(step.response.max_ns),
        format_share(step.error_share),
        format_share(step.client_busy),
    ]
}

/// One step in a line.
#[must_use]
pub fn step_line(step: &Step) -> String {
    let judgement = match (step.client_limited, step.kept) {
        (true, _) => "client limited",
        (_, Some(true)) => "kept",
        (_, Some(false)) => "missed",
        _ => "",
    };
    let [rate, achieved, p50, p99, p999, max, errors, busy] = step_figures(step);
    format!(
        "{rate:>10} {achieved:>9} {p50:>9} {p99:>9} {p999:>9} {max:>9} {errors:>9} {busy:>7}  {judgement}{}{}",
        if step.reasons.is_empty() { "" } else { ": " },
        step.reasons.first().map_or("", String::as_str)
    )
}
