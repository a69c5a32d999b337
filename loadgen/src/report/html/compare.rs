//! The page of `loadgen compare`.

use super::badges::violation_badge;
use super::parts::{Badge, Content, Figure, Row, Table, Tile};
use crate::report::chart::{Axis, Chart, Scale, Series};
use crate::report::format::{format_metric, format_ratio_interval};
use crate::report::model::{CompareResult, Comparison, Step};
use crate::units::{format_count, format_ns};

/// The parts of the page for a comparison.
pub(super) fn content(compare: &CompareResult) -> Content {
    let limited = compare
        .a
        .iter()
        .chain(&compare.b)
        .filter(|step| step.client_limited)
        .count();
    let mut badges = vec![Badge {
        class: if limited > 0 { "bad" } else { "good" },
        name: if limited > 0 {
            "CLIENT LIMITED"
        } else {
            "CLIENT OK"
        },
        text: format!(
            "in {} of {} measurements",
            if limited > 0 {
                limited
            } else {
                compare.a.len() + compare.b.len()
            },
            compare.a.len() + compare.b.len()
        ),
    }];
    badges.extend(violation_badge(&compare.violations));
    Content {
        command: "compare",
        badges,
        tiles: compare.metrics.iter().map(tile).collect(),
        figures: vec![rounds(compare)],
        tables: vec![metrics(compare)],
    }
}

/// Metric names as the tiles need them.
fn static_name(metric: &Comparison) -> &'static str {
    match metric.metric.as_str() {
        "requests/s" => "Requests/s, B/A",
        "response p50" => "p50, B/A",
        "response p99" => "p99, B/A",
        "response p99.9" => "p99.9, B/A",
        _ => "Server CPU, B/A",
    }
}

fn tile(metric: &Comparison) -> Tile {
    Tile {
        name: static_name(metric),
        value: format!("{:.3}", metric.ratio),
        detail: format!("{}: {}", format_ratio_interval(metric), metric.answer),
    }
}

fn rounds(compare: &CompareResult) -> Figure {
    let line = |name: &str, class, steps: &[Step]| Series {
        name: name.to_owned(),
        class,
        points: steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| Some((index as f64 + 1.0, step.response.p99_ns? as f64)))
            .collect(),
        dots: true,
        line: true,
    };
    let chart = Chart {
        x: Axis {
            label: "pair",
            scale: Scale::Linear,
            format: format_count,
        },
        y: Axis {
            label: "response p99",
            scale: Scale::Log,
            format: format_ns,
        },
        series: vec![
            line(&compare.labels.0, "c1", &compare.a),
            line(&compare.labels.1, "c3", &compare.b),
        ],
        marks: Vec::new(),
    };
    Figure {
        title: "p99 of each pair",
        caption: "Measured in the order A B B A; what both do together is the machine, what they do apart is the servers.".to_owned(),
        svg: chart.render(),
    }
}

fn metrics(compare: &CompareResult) -> Table {
    let rows = compare
        .metrics
        .iter()
        .map(|metric| Row {
            class: "",
            cells: vec![
                metric.metric.clone(),
                format_metric(metric, metric.a),
                format_metric(metric, metric.b),
                format!("{:.3}", metric.ratio),
                format_ratio_interval(metric),
                metric.answer.to_string(),
            ],
        })
        .collect();
    Table {
        title: "Metrics",
        caption: format!(
            "A is {}, B is {}. Geometric means; all intervals together hold with 95%, and one that contains 1 shows no difference.",
            compare.labels.0, compare.labels.1
        ),
        head: vec!["", "A", "B", "B/A", "interval", "answer"],
        rows,
    }
}
