//! The HTML report: one self-contained page, made from the same data as the JSON.

mod compare;
mod curve;
mod run;

use super::model::{Body, ClientGrade, Report, Verdict};
use super::text::{client_line, grade_name, incident_line, lost};
use crate::error::{Exit, LoadError, Result};
use crate::units::format_count;
use askama::Template;
use std::collections::BTreeMap;

/// A verdict, as a coloured label and a sentence.
struct Badge {
    class: &'static str,
    name: &'static str,
    text: String,
}

/// A key figure.
struct Tile {
    name: &'static str,
    value: String,
    detail: String,
}

struct Figure {
    title: &'static str,
    caption: String,
    svg: String,
}

struct Row {
    class: &'static str,
    cells: Vec<String>,
}

struct Table {
    title: &'static str,
    caption: String,
    head: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    command: &'static str,
    headline: &'a str,
    when: String,
    badges: Vec<Badge>,
    tiles: Vec<Tile>,
    figures: Vec<Figure>,
    tables: Vec<Table>,
    facts: Vec<Fact>,
}

/// The parts of the page that depend on the command.
struct Content {
    command: &'static str,
    badges: Vec<Badge>,
    tiles: Vec<Tile>,
    figures: Vec<Figure>,
    tables: Vec<Table>,
}

/// The page of a report.
pub fn render(report: &Report) -> Result<String> {
    let content = match &report.body {
        Body::Run { run } => run::content(run),
        Body::Search { search } => curve::search(search),
        Body::Scan { scan } => curve::scan(scan),
        Body::Compare { compare } => compare::content(compare),
    };
    let page = Page {
        command: content.command,
        headline: &report.headline,
        when: utc(report.context.started_unix_s),
        badges: content.badges,
        tiles: content.tiles,
        figures: content.figures,
        tables: content.tables,
        facts: facts(report),
    };
    page.render().map_err(|error| {
        LoadError::new(Exit::Failed, format!("rendering the HTML report: {error}"))
    })
}

fn facts(report: &Report) -> Vec<Fact> {
    let (context, workload) = (&report.context, &report.workload);
    let fact = |name, value| Fact { name, value };
    let servers: Vec<String> = context
        .servers
        .iter()
        .map(|server| format!("{} ({})", server.address, server.version))
        .collect();
    let cpus: Vec<String> = context
        .worker_cpus
        .iter()
        .map(ToString::to_string)
        .collect();
    vec![
        fact("Command", context.command_line.clone()),
        fact("Servers", servers.join(", ")),
        fact(
            "Workload",
            format!(
                "{}; {} keys of {} B, {}",
                workload.mix,
                format_count(workload.keys as f64),
                workload.key_bytes,
                workload.key_distribution
            ),
        ),
        fact(
            "Values",
            format!(
                "{} (mean {:.0} B), {}{}{}",
                workload.value_size,
                workload.value_bytes_mean,
                if workload.ttl == "0" {
                    "items live forever".to_owned()
                } else {
                    format!("ttl {}", workload.ttl)
                },
                if workload.look_aside {
                    ", look-aside"
                } else {
                    ""
                },
                if workload.verify {
                    ", every value verified"
                } else {
                    ", not verified"
                }
            ),
        ),
        fact(
            "Client",
            format!(
                "loadgen {}, {} connections, {} protocol, {} routing, workers on CPU {} ({} wait)",
                context.version,
                context.connections,
                context.protocol,
                context.routing,
                cpus.join(", "),
                context.wait
            ),
        ),
        fact(
            "Machine of the client",
            format!("{}; {}", context.cpu, context.kernel),
        ),
    ]
}

/// The labels of one measurement's verdict.
fn verdict_badges(verdict: &Verdict, busiest: f64) -> Vec<Badge> {
    let badge = |class, name, text| Badge { class, name, text };
    let mut badges: Vec<Badge> = Vec::new();
    let class = match verdict.client.grade {
        ClientGrade::Ok => "good",
        ClientGrade::Shows => "note",
        ClientGrade::Limited => "bad",
    };
    let name = grade_name(verdict.client.grade);
    let line = client_line(&verdict.client, busiest);
    badges.push(badge(class, name, line));
    let causes = verdict.client.causes.iter();
    badges.extend(causes.map(|why| badge(class, name, why.clone())));
    if verdict.lost_total() > 0 {
        badges.push(badge("bad", "LOST", lost(verdict)));
    }
    badges.extend(
        verdict
            .incidents
            .iter()
            .map(|incident| badge("bad", "CONNECTION LOST", incident_line(incident))),
    );
    badges.extend(
        verdict
            .overloaded
            .iter()
            .map(|why| badge("bad", "OVERLOADED", why.clone())),
    );
    badges.extend(violation_badge(&verdict.violations));
    if !verdict.errors.is_empty() {
        badges.push(badge("bad", "ERRORS", counts(&verdict.errors)));
    }
    match (&verdict.slo, verdict.slo_missed.is_empty()) {
        (Some(slo), true) => badges.push(badge("good", "OBJECTIVE KEPT", slo.clone())),
        (Some(_), false) => badges.push(badge(
            "bad",
            "OBJECTIVE MISSED",
            verdict.slo_missed.join("; "),
        )),
        (None, _) => {}
    }
    badges.extend(
        verdict
            .notes
            .iter()
            .map(|note| badge("note", "NOTE", note.clone())),
    );
    badges
}

fn violation_badge(violations: &BTreeMap<String, u64>) -> Option<Badge> {
    let badge = Badge {
        class: "bad",
        name: "WRONG DATA",
        text: counts(violations),
    };
    Some(badge).filter(|_| violations.values().sum::<u64>() > 0)
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} x {name}"))
        .collect();
    parts.join(", ")
}

/// Seconds since 1970 as a UTC date and time (Howard Hinnant's `civil_from_days`).
fn utc(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60
    )
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_right() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_795_240_860), "2026-11-21 06:01 UTC");
    }
}
