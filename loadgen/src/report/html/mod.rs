//! The HTML report: one self-contained page, made from the same data as the JSON.

mod badges;
mod compare;
mod curve;
mod parts;
mod run;

use super::model::{Body, Context, Report};
use crate::error::{Exit, LoadError, Result};
use crate::units::format_count;
use askama::Template;
use parts::{Badge, Figure, Table, Tile};

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
    let mut facts = vec![
        fact("Command", context.command_line.clone()),
        fact("Servers", servers.join(", ")),
    ];
    facts.extend(tls(context));
    facts.extend([
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
    ]);
    facts
}

/// The TLS of all servers it was spoken with.
fn tls(context: &Context) -> Option<Fact> {
    let secured: Vec<String> = context
        .servers
        .iter()
        .filter_map(|server| Some((server, server.tls.as_ref()?)))
        .map(|(server, tls)| format!("{}: {}", server.address, tls.sentence()))
        .collect();
    (!secured.is_empty()).then(|| Fact {
        name: "TLS",
        value: secured.join("; "),
    })
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
