//! The page of `loadgen run`.

use super::badges::verdict_badges;
use super::parts::{Content, Figure, Row, Table, Tile};
use crate::report::chart::{Axis, Chart, Scale, Series};
use crate::report::model::{ClassResult, Latency, RunResult};
use crate::units::{format_bytes, format_count, format_latency, format_ns, format_share};

/// The parts of the page for a run.
pub(super) fn content(run: &RunResult) -> Content {
    Content {
        command: "run",
        badges: verdict_badges(&run.verdict, run.client.busiest_worker),
        tiles: tiles(run),
        figures: vec![percentiles(run), latency_series(run), rate_series(run)],
        tables: vec![classes(run), incidents(run), connections(run), stats(run)]
            .into_iter()
            .filter(|table| !table.rows.is_empty())
            .collect(),
    }
}

fn tiles(run: &RunResult) -> Vec<Tile> {
    let response = &run.all.response;
    let tile = |name, value, detail| Tile {
        name,
        value,
        detail,
    };
    let offered = run.rate.map_or("closed loop".to_owned(), |rate| {
        format!("of {}/s due", format_count(rate))
    });
    let mut tiles = vec![
        tile(
            "Answered",
            format!("{}/s", format_count(run.achieved)),
            offered,
        ),
        tile(
            "Response p50",
            format_latency(response.p50_ns),
            format!(
                "mean {}",
                response.mean_ns.map_or("-".to_owned(), format_ns)
            ),
        ),
        tile(
            "Response p99",
            format_latency(response.p99_ns),
            format!("service {}", format_latency(run.all.service.p99_ns)),
        ),
        tile(
            "Response p99.9",
            format_latency(response.p999_ns),
            format!("max {}", format_latency(response.max_ns)),
        ),
    ];
    if let Some(hit) = run.all.hit_share() {
        tiles.push(tile(
            "Hit rate",
            format_share(hit),
            format!(
                "{} keys asked for",
                format_count((run.all.hits + run.all.misses) as f64)
            ),
        ));
    }
    tiles.push(tile(
        "Client CPU",
        format!("{:.2} us", run.client.cpu_us_per_request),
        format!(
            "per request; {} busy",
            format_share(run.client.busiest_worker)
        ),
    ));
    if let Some(server) = &run.server {
        tiles.push(tile(
            "Server CPU",
            format!("{:.2} us", server.us_per_request()),
            format!(
                "per request; {} resident",
                format_bytes(server.resident_bytes as f64)
            ),
        ));
    }
    tiles
}

fn format_quantile(quantile: f64) -> String {
    match quantile {
        q if q <= 0.0 => "min".to_owned(),
        q => format!("p{}", (q * 1e8).round() / 1e6),
    }
}

fn percentiles(run: &RunResult) -> Figure {
    let line = |name: &str, class, latency: &Latency| Series {
        name: name.to_owned(),
        class,
        points: latency
            .curve
            .iter()
            .filter(|(quantile, _)| *quantile < 1.0)
            .map(|(quantile, ns)| (*quantile, *ns as f64))
            .collect(),
        dots: false,
        line: true,
    };
    let chart = Chart {
        x: Axis {
            label: "percentile",
            scale: Scale::Nines,
            format: format_quantile,
        },
        y: Axis {
            label: "latency",
            scale: Scale::Log,
            format: format_ns,
        },
        series: vec![
            line("response", "c1", &run.all.response),
            line("service", "c2", &run.all.service),
            line("slip", "c5", &run.all.slip),
        ],
        marks: Vec::new(),
    };
    Figure {
        title: "Latency by percentile",
        caption: "Response counts from the time a request was due, service from the time it was sent; slip is the client's own lateness.".to_owned(),
        svg: chart.render(),
    }
}

fn seconds_axis() -> Axis {
    Axis {
        label: "seconds",
        scale: Scale::Linear,
        format: |second| format!("{}", (second * 100.0).round() / 100.0),
    }
}

fn series_of(
    run: &RunResult,
    name: &str,
    class: &'static str,
    value: impl Fn(&crate::measurement::Point) -> Option<f64>,
) -> Series {
    Series {
        name: name.to_owned(),
        class,
        points: run
            .series
            .iter()
            .filter_map(|point| Some((point.start_s + point.length_s, value(point)?)))
            .collect(),
        dots: false,
        line: true,
    }
}

fn latency_series(run: &RunResult) -> Figure {
    let ns = |ns: Option<u64>| ns.map(|ns| ns as f64);
    let chart = Chart {
        x: seconds_axis(),
        y: Axis {
            label: "response time",
            scale: Scale::Log,
            format: format_ns,
        },
        series: vec![
            series_of(run, "p50", "c1", |point| ns(point.p50_ns)),
            series_of(run, "p99", "c3", |point| ns(point.p99_ns)),
            series_of(run, "max", "c4", |point| ns(point.max_ns)),
        ],
        marks: Vec::new(),
    };
    Figure {
        title: "Response time over time",
        caption: format!(
            "One point for each {:.1} s. A request counts where it was due; one without a reply with the time it waited.",
            run.series.first().map_or(0.0, |point| point.length_s)
        ),
        svg: chart.render(),
    }
}

fn rate_series(run: &RunResult) -> Figure {
    let chart = Chart {
        x: seconds_axis(),
        y: Axis {
            label: "requests/s",
            scale: Scale::Linear,
            format: format_count,
        },
        series: vec![
            series_of(run, "due", "c5", |point| Some(point.offered)),
            series_of(run, "answered", "c2", |point| Some(point.achieved)),
        ],
        marks: Vec::new(),
    };
    Figure {
        title: "Rate over time",
        caption: "Where answered falls below due, requests queue; sets after misses and the second halves of cas are answered without having been due.".to_owned(),
        svg: chart.render(),
    }
}

fn classes(run: &RunResult) -> Table {
    let mut rows = vec![class_row("all", "strong", &run.all, &run.all.response)];
    rows.extend(
        run.classes
            .iter()
            .map(|class| class_row(&class.verb, "", class, &class.response)),
    );
    rows.push(latency_row("service, all", &run.all.service));
    rows.push(latency_row("slip, all", &run.all.slip));
    Table {
        title: "Operations",
        caption: "Response times; below them the service time and slip of all operations."
            .to_owned(),
        head: vec![
            "", "rate/s", "hit", "errors", "no reply", "p50", "p90", "p99", "p99.9", "p99.99",
            "max",
        ],
        rows,
    }
}

fn latency_cells(latency: &Latency) -> impl Iterator<Item = String> {
    latency.columns().into_iter().map(format_latency)
}

fn class_row(name: &str, class: &'static str, result: &ClassResult, latency: &Latency) -> Row {
    let hit = result.hit_share().map_or("-".to_owned(), format_share);
    let first = [
        name.to_owned(),
        format_count(result.rate),
        hit,
        result.errors.to_string(),
        result.no_reply.to_string(),
    ];
    Row {
        class,
        cells: first.into_iter().chain(latency_cells(latency)).collect(),
    }
}

fn latency_row(name: &str, latency: &Latency) -> Row {
    let first = [
        name.to_owned(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ];
    Row {
        class: "soft",
        cells: first.into_iter().chain(latency_cells(latency)).collect(),
    }
}

fn incidents(run: &RunResult) -> Table {
    let rows = run.verdict.incidents.iter().map(|incident| Row {
        class: "",
        cells: vec![
            incident.server.clone(),
            incident.kind.clone(),
            incident.count.to_string(),
            format!("{:.2}", incident.first_s),
            incident.requests.to_string(),
            incident.reopened.to_string(),
            incident.example.clone(),
        ],
    });
    Table {
        title: "Connections lost",
        caption: "When it happened first, in seconds since measuring began; requests given up; connections opened again; the first in words.".to_owned(),
        head: vec![
            "server", "what", "times", "first", "requests", "reopened", "example",
        ],
        rows: rows.collect(),
    }
}

fn connections(run: &RunResult) -> Table {
    let rows = run.connections.iter().map(|share| Row {
        class: "",
        cells: vec![
            share.server.clone(),
            share.connections.to_string(),
            share.lowest.to_string(),
            format!("{:.1}", share.mean),
            share.highest.to_string(),
        ],
    });
    Table {
        title: "Requests per connection",
        caption: "What the schedule sent on each, follow-ups left out.".to_owned(),
        head: vec!["server", "connections", "lowest", "mean", "highest"],
        rows: rows.collect(),
    }
}

fn stats(run: &RunResult) -> Table {
    let rows = run
        .server_stats
        .iter()
        .flat_map(|server| {
            server.changes.iter().map(|(name, change)| Row {
                class: "",
                cells: vec![format!("{} {name}", server.address), format!("{change:+}")],
            })
        })
        .collect();
    Table {
        title: "Server statistics",
        caption: "What changed in the answer of `stats`, warm-up included.".to_owned(),
        head: vec!["counter", "change"],
        rows,
    }
}
