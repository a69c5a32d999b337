//! The summary on the terminal: verdict first, then a table that needs no manual.

use super::model::{ClassResult, Latency, Report, RunResult, ServerStats, Step, Verdict};
use crate::units::{format_bytes, format_count, format_ns, format_share};
use crate::verdict::headroom;
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
    match verdict.client_limited.as_slice() {
        [] => line!(
            out,
            "CLIENT OK        its busiest worker had {} headroom",
            format_share(headroom(busiest))
        ),
        reasons => reasons
            .iter()
            .for_each(|reason| line!(out, "CLIENT LIMITED   {reason}")),
    }
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
    verdict
        .notes
        .iter()
        .for_each(|note| line!(out, "NOTE             {note}"));
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
        let _ = write!(out, " {:>9}", format_ns(ns as f64));
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
    if let Some(server) = &result.server {
        line!(
            out,
            "server     {:.2} us CPU per request ({:.2} user, {:.2} system), {:.2} CPUs busy, {} resident",
            server.us_per_request(),
            server.user_us_per_request,
            server.system_us_per_request,
            server.cpus_busy,
            format_bytes(server.resident_bytes as f64)
        );
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

fn server_stats(stats: &ServerStats, out: &mut String) {
    let changes: Vec<String> = stats
        .changes
        .iter()
        .map(|(name, change)| format!("{name} {change:+}"))
        .collect();
    let hit = stats.hit_share.map_or(String::new(), |share| {
        format!("hit rate {}, ", format_share(share))
    });
    let items = match (stats.items, stats.item_bytes, stats.limit_bytes) {
        (Some(items), Some(bytes), Some(limit)) => format!(
            "{} items in {} of {}; ",
            format_count(items as f64),
            format_bytes(bytes as f64),
            format_bytes(limit as f64)
        ),
        _ => String::new(),
    };
    line!(out, "stats      {hit}{items}{}", changes.join(", "));
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

/// One step in a line.
#[must_use]
pub fn step_line(step: &Step) -> String {
    let judgement = match (step.client_limited, step.kept) {
        (true, _) => "client limited",
        (_, Some(true)) => "kept",
        (_, Some(false)) => "missed",
        _ => "",
    };
    format!(
        "{:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}  {judgement}{}{}",
        format_count(step.rate),
        format_count(step.achieved),
        format_ns(step.response.p50_ns as f64),
        format_ns(step.response.p99_ns as f64),
        format_ns(step.response.p999_ns as f64),
        format_ns(step.response.max_ns as f64),
        format_share(step.error_share),
        format_share(step.client_busy),
        if step.reasons.is_empty() { "" } else { ": " },
        step.reasons.first().map_or("", String::as_str)
    )
}
