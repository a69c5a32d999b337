//! The summary on the terminal: verdict first, then a table that needs no manual.

use super::model::{
    ClassResult, ClientGrade, ClientUsage, ClientVerdict, ConnectionShares, IncidentReport,
    Latency, Report, RunResult, ServerStats, Step, Verdict,
};
use crate::record::NoReply;
use crate::server_process::ProcessUsage;
use crate::units::{format_bytes, format_count, format_latency, format_ns, format_share};
use std::fmt::Write as _;

/// Adds a line. Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($argument:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($argument)*);
    }};
}
pub(crate) use line;

/// The circumstances.
pub fn context(report: &Report, out: &mut String) {
    let context = &report.context;
    let servers: Vec<String> = context
        .servers
        .iter()
        .map(|server| format!("{} ({})", server.address, server.version))
        .collect();
    line!(out, "server     {}", servers.join(", "));
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
    for ns in [
        latency.p50_ns,
        latency.p90_ns,
        latency.p99_ns,
        latency.p999_ns,
        latency.p9999_ns,
        latency.max_ns,
    ] {
        let _ = write!(out, " {:>9}", format_latency(ns));
    }
    line!(out);
}

fn costs(result: &RunResult, out: &mut String) {
    let client = &result.client;
    line!(
        out,
        "client     {:.2} us CPU per request (spinning left out), busiest worker {} busy; {:.0} B out, {:.0} B in per request",
        client.cpu_us_per_request,
        format_share(client.busiest_worker),
        client.sent_bytes_per_request,
        client.received_bytes_per_request
    );
    line!(out, "           {}", own_waits(client));
    connections(&result.connections, out);
    if let Some(server) = &result.server {
        server_costs(server, out);
    }
    result
        .server_stats
        .iter()
        .for_each(|stats| server_stats(stats, out));
    if let Some(preload) = &result.preload {
        line!(
            out,
            "preload    {} keys in {:.1} s, {} refused",
            format_count(preload.keys as f64),
            preload.seconds,
            preload.errors
        );
    }
}

/// How long the workers were kept from running, as far as the kernel says.
fn own_waits(client: &ClientUsage) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), format_share);
    format!(
        "waiting for a CPU {}, stolen by the hypervisor {}, of the workers' time",
        share(client.delayed_share),
        share(client.stolen_share)
    )
}

/// Servers or shards listed one by one; more are summed up.
const GROUPS_LISTED: usize = 8;

fn connections(shares: &[ConnectionShares], out: &mut String) {
    let each = |lowest: u64, highest: u64| {
        format!("{lowest} (lowest) to {highest} (highest) requests on each")
    };
    if let [only] = shares {
        let counts = each(only.lowest, only.highest);
        line!(out, "connections {}: {counts}", only.connections);
    } else if shares.len() <= GROUPS_LISTED {
        for share in shares {
            let counts = each(share.lowest, share.highest);
            line!(
                out,
                "connections {} to {}: {counts}",
                share.connections,
                share.server
            );
        }
    } else {
        let lowest = shares.iter().map(|share| share.lowest).min().unwrap_or(0);
        let highest = shares.iter().map(|share| share.highest).max().unwrap_or(0);
        let count: usize = shares.iter().map(|share| share.connections).sum();
        let counts = each(lowest, highest);
        line!(
            out,
            "connections {count} to {} servers or shards: {counts}",
            shares.len()
        );
    }
}

fn server_costs(server: &ProcessUsage, out: &mut String) {
    let split = match (server.user_us_per_request, server.system_us_per_request) {
        (Some(user), Some(system)) => format!("{user:.2} user, {system:.2} system"),
        _ => "too little to tell user from system".to_owned(),
    };
    let delay = server.delayed_us_per_request.map_or_else(
        || "unknown".to_owned(),
        |us| format!("{us:.2} us per request"),
    );
    line!(
        out,
        "server     {:.2} us CPU per request ({split}), {:.2} of {} CPUs busy, waiting for a CPU {delay}, {} resident",
        server.us_per_request(),
        server.cpus_busy,
        server.cpus_allowed,
        format_bytes(server.resident_bytes as f64)
    );
}

fn server_stats(stats: &ServerStats, out: &mut String) {
    let changes: Vec<String> = stats
        .changes
        .iter()
        .map(|(name, change)| format!("{name} {change:+}"))
        .collect();
    let hit = stats.hit_share.map_or(String::new(), |share| {
        format!("hit rate {}", format_share(share))
    });
    let items = match (stats.items, stats.item_bytes, stats.limit_bytes) {
        (Some(items), Some(bytes), Some(limit)) => format!(
            "{} items in {} of {}",
            format_count(items as f64),
            format_bytes(bytes as f64),
            format_bytes(limit as f64)
        ),
        _ => String::new(),
    };
    let parts: Vec<String> = [hit, items, changes.join(", ")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    // A server that says nothing of itself has no line.
    if !parts.is_empty() {
        line!(out, "stats      {}", parts.join("; "));
    }
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
