//! The pages of `loadgen search` and `loadgen scan`: the latency-throughput curve.

use super::badges::violation_badge;
use super::parts::{Badge, Content, Figure, Row, Table, Tile};
use crate::measurement::BUSY_SHARE_MAX;
use crate::report::chart::{Axis, Chart, Mark, Scale, Series};
use crate::report::format::format_capacity_interval;
use crate::report::model::{LimitedBy, ScanResult, SearchResult, Step};
use crate::report::text::step_figures;
use crate::units::{format_count, format_latency, format_ns, format_share};

/// The parts of the page for a search.
pub(super) fn search(search: &SearchResult) -> Content {
    let mut marks = Vec::new();
    marks.extend(
        search
            .capacity
            .map(|rate| vertical(rate, format!("capacity {}/s", format_count(rate)), "c2")),
    );
    marks.extend(limit_of(&search.slo));
    let client_limited = search.limited_by == LimitedBy::Client;
    let mut badges = vec![Badge {
        class: if client_limited { "bad" } else { "good" },
        name: if client_limited {
            "CLIENT LIMITED"
        } else {
            "CLIENT OK"
        },
        text: search.limit.clone(),
    }];
    badges.extend(violation_badge(&search.violations));
    Content {
        command: "search",
        badges,
        tiles: search_tiles(search),
        figures: figures(
            &sorted(&search.probes),
            marks,
            "Each point is a probe; the search climbs, then closes in on the edge.",
        ),
        tables: vec![table("Probes in order", &search.probes)],
    }
}

/// The parts of the page for a scan.
pub(super) fn scan(scan: &ScanResult) -> Content {
    let mut marks = Vec::new();
    marks.extend(scan.slo_limit.map(|(quantile, ns)| {
        horizontal(
            ns,
            format!("objective: p{} < {}", quantile * 100.0, format_ns(ns)),
        )
    }));
    marks.extend(
        scan.knee
            .map(|rate| vertical(rate, format!("knee {}/s", format_count(rate)), "c5")),
    );
    marks.extend(
        scan.crossing
            .map(|rate| vertical(rate, format!("crosses at {}/s", format_count(rate)), "c4")),
    );
    let limited = scan.steps.iter().filter(|step| step.client_limited).count();
    let mut badges = vec![Badge {
        class: if limited > 0 { "bad" } else { "good" },
        name: if limited > 0 {
            "CLIENT LIMITED"
        } else {
            "CLIENT OK"
        },
        text: match limited {
            0 => "in every step".to_owned(),
            count => format!("in {count} of {} steps (marked below)", scan.steps.len()),
        },
    }];
    badges.extend(violation_badge(&scan.violations));
    Content {
        command: "scan",
        badges,
        tiles: scan_tiles(scan),
        figures: figures(
            &scan.steps,
            marks,
            "Response time by offered rate; each point is one step.",
        ),
        tables: vec![table("Steps", &scan.steps)],
    }
}

fn search_tiles(search: &SearchResult) -> Vec<Tile> {
    let Some(best) = &search.best else {
        return Vec::new();
    };
    let mut tiles = vec![
        tile(
            "Capacity",
            search.capacity.map_or("none".to_owned(), |rate| {
                format!("{}/s", format_count(rate))
            }),
            format_capacity_interval(search),
        ),
        tile(
            "p99 there",
            format_latency(best.response.p99_ns),
            format!("p50 {}", format_latency(best.response.p50_ns)),
        ),
        tile(
            "p99.9 there",
            format_latency(best.response.p999_ns),
            format!("max {}", format_latency(best.response.max_ns)),
        ),
        tile(
            "Client headroom",
            format_share(best.client_headroom()),
            format!("{:.2} us per request", best.client_cpu_us_per_request),
        ),
    ];
    if let Some(server) = best.server {
        tiles.push(tile(
            "Server CPU",
            format!("{:.2} us", server.us_per_request()),
            format!("per request; {:.2} CPUs busy", server.cpus_busy),
        ));
    }
    tiles
}

fn scan_tiles(scan: &ScanResult) -> Vec<Tile> {
    let rate = |rate: f64| format!("{}/s", format_count(rate));
    let mut tiles = Vec::new();
    tiles.extend(
        scan.peak
            .map(|peak| tile("Closed-loop peak", rate(peak), "not a capacity".to_owned())),
    );
    tiles.extend(scan.knee.map(|knee| {
        tile(
            "Knee of p99",
            rate(knee),
            "where the curve bends".to_owned(),
        )
    }));
    tiles.extend(scan.crossing.map(|crossing| {
        tile(
            "Crosses objective",
            rate(crossing),
            scan.slo.clone().unwrap_or_default(),
        )
    }));
    tiles
}

fn tile(name: &'static str, value: String, detail: String) -> Tile {
    Tile {
        name,
        value,
        detail,
    }
}

fn vertical(at: f64, label: String, class: &'static str) -> Mark {
    Mark {
        at,
        horizontal: false,
        label,
        class,
    }
}

fn horizontal(at: f64, label: String) -> Mark {
    Mark {
        at,
        horizontal: true,
        label,
        class: "c4",
    }
}

/// The objective's latency line.
fn limit_of(slo: &str) -> Option<Mark> {
    let parsed: crate::slo::Slo = slo.replace(" < ", "<").replace(' ', "").parse().ok()?;
    let (_, ns) = parsed.latency_limit()?;
    Some(horizontal(ns, format!("objective: {slo}")))
}

fn sorted(steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    steps.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    steps
}

fn rate_axis() -> Axis {
    Axis {
        label: "offered requests/s",
        scale: Scale::Linear,
        format: format_count,
    }
}

fn figures(steps: &[Step], marks: Vec<Mark>, caption: &str) -> Vec<Figure> {
    let line = |name: &str, class, value: fn(&Step) -> Option<u64>| Series {
        name: name.to_owned(),
        class,
        points: steps
            .iter()
            .filter_map(|step| Some((step.rate, value(step)? as f64)))
            .collect(),
        dots: true,
        line: true,
    };
    let curve = Chart {
        x: rate_axis(),
        y: Axis {
            label: "response time",
            scale: Scale::Log,
            format: format_ns,
        },
        series: vec![
            line("p50", "c1", |step| step.response.p50_ns),
            line("p99", "c3", |step| step.response.p99_ns),
            line("p99.9", "c4", |step| step.response.p999_ns),
        ],
        marks,
    };
    vec![
        Figure {
            title: "Latency by throughput",
            caption: caption.to_owned(),
            svg: curve.render(),
        },
        busy(steps),
    ]
}

fn busy(steps: &[Step]) -> Figure {
    let mut series = vec![Series {
        name: "busiest client worker".to_owned(),
        class: "c5",
        points: steps
            .iter()
            .map(|step| (step.rate, step.client_busy))
            .collect(),
        dots: true,
        line: true,
    }];
    if steps.iter().any(|step| step.server.is_some()) {
        series.push(Series {
            name: "server CPUs".to_owned(),
            class: "c2",
            points: steps
                .iter()
                .filter_map(|step| Some((step.rate, step.server?.cpus_busy)))
                .collect(),
            dots: true,
            line: true,
        });
    }
    let chart = Chart {
        x: rate_axis(),
        y: Axis {
            label: "CPUs busy",
            scale: Scale::Linear,
            format: |share| format!("{}", (share * 100.0).round() / 100.0),
        },
        series,
        marks: vec![Mark {
            at: BUSY_SHARE_MAX,
            horizontal: true,
            label: "above this the client is a limit".to_owned(),
            class: "c5",
        }],
    };
    Figure {
        title: "Who was busy",
        caption: "A client close to its limit measures itself.".to_owned(),
        svg: chart.render(),
    }
}

fn table(title: &'static str, steps: &[Step]) -> Table {
    let rows = steps
        .iter()
        .map(|step| Row {
            class: if step.client_limited || step.kept == Some(false) {
                "bad"
            } else {
                ""
            },
            cells: step_figures(step)
                .into_iter()
                .chain([
                    step.server.map_or("-".to_owned(), |server| {
                        format!("{:.2} us", server.us_per_request())
                    }),
                    judgement(step),
                ])
                .collect(),
        })
        .collect();
    Table {
        title,
        caption: String::new(),
        head: vec![
            "offered/s",
            "answered/s",
            "p50",
            "p99",
            "p99.9",
            "max",
            "errors",
            "client",
            "server/request",
            "",
        ],
        rows,
    }
}

fn judgement(step: &Step) -> String {
    match (step.client_limited, step.kept) {
        (true, _) => "client limited",
        (_, Some(true)) => "kept",
        (_, Some(false)) => "missed",
        _ => "",
    }
    .to_owned()
}
