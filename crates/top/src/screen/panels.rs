//! The parts of the screen: tables that leave out the columns, from the right, for which there is no room.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table};

use super::app::{App, Link, Server};
use crate::units::{DASH, bytes, count, micros, or_dash, percent, whole};
use crate::view::{HotKeyView, LatencyView, ShardView, View};

/// A column of a table of `T`.
struct Column<T> {
    title: &'static str,
    width: u16,
    align: Alignment,
    /// It takes what is left of the width.
    is_elastic: bool,
    text: fn(&T) -> String,
}

/// A column of figures.
const fn figure<T>(title: &'static str, width: u16, text: fn(&T) -> String) -> Column<T> {
    Column {
        title,
        width,
        align: Alignment::Right,
        is_elastic: false,
        text,
    }
}

/// A column of words, which takes what is left of the width.
const fn word<T>(title: &'static str, width: u16, text: fn(&T) -> String) -> Column<T> {
    Column {
        title,
        width,
        align: Alignment::Left,
        is_elastic: true,
        text,
    }
}

/// Draws a table, with `style` for each row.
fn table<T>(
    frame: &mut Frame<'_>,
    area: Rect,
    columns: &[Column<T>],
    rows: impl Iterator<Item = T>,
    style: impl Fn(&T) -> Style,
) {
    let mut left = area.width;
    let fits = |column: &&Column<T>| {
        let does_fit = column.width < left;
        left = left.saturating_sub(column.width + 1);
        does_fit
    };
    let columns: Vec<&Column<T>> = columns.iter().take_while(fits).collect();
    let cell =
        |column: &Column<T>, text: String| Cell::from(Line::from(text).alignment(column.align));
    let header = Row::new(columns.iter().map(|it| cell(it, it.title.to_owned())));
    let body = rows.take(usize::from(area.height)).map(|row| {
        let cells: Vec<_> = columns.iter().map(|it| cell(it, (it.text)(&row))).collect();
        Row::new(cells).style(style(&row))
    });
    let widths = columns.iter().map(|column| {
        if column.is_elastic {
            Constraint::Min(column.width)
        } else {
            Constraint::Length(column.width)
        }
    });
    let widths: Vec<_> = widths.collect();
    let body: Vec<_> = body.collect();
    frame.render_widget(Table::new(body, widths).header(header.dim().bold()), area);
}

/// A figure of a server that may not answer.
fn of(server: &Server, figure: impl FnOnce(&View) -> String) -> String {
    server.view().map_or_else(|| DASH.to_owned(), figure)
}

/// A percentile of the latency that stands for the server.
fn main_latency(server: &Server, percentile: fn(&LatencyView) -> Option<f64>) -> String {
    of(server, |view| {
        or_dash(view.main_latency().and_then(percentile), micros)
    })
}

/// All servers, the chosen one marked; the list begins so that it is seen.
pub(super) fn servers(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let columns: [Column<(usize, &Server)>; 10] = [
        word("SERVER", 16, |(_, server)| server.name.clone()),
        figure("STATE", 5, |(_, server)| {
            let state = match server.link {
                Link::Waiting => "wait",
                Link::Up(_) => "up",
                Link::Gone { .. } => "gone",
            };
            state.to_owned()
        }),
        figure("REQ/S", 6, |(_, it)| {
            of(it, |view| or_dash(view.requests(), count))
        }),
        figure("HIT", 6, |(_, it)| {
            of(it, |view| or_dash(view.hit_percent, percent))
        }),
        figure("MEM", 6, |(_, it)| {
            of(it, |view| or_dash(view.memory_percent(), percent))
        }),
        figure("P50", 6, |(_, it)| main_latency(it, |row| row.p50_us)),
        figure("P99", 6, |(_, it)| main_latency(it, |row| row.p99_us)),
        figure("P99.9", 6, |(_, it)| main_latency(it, |row| row.p999_us)),
        figure("CONNS", 6, |(_, it)| {
            of(it, |view| or_dash(view.connections, whole))
        }),
        figure("EVICT/S", 7, |(_, it)| {
            of(it, |view| or_dash(view.evictions, count))
        }),
    ];
    let seen = usize::from(area.height.saturating_sub(1));
    let first = (app.chosen + 1).saturating_sub(seen);
    let rows = app.servers.iter().enumerate().skip(first);
    table(frame, area, &columns, rows, |(number, server)| {
        let style = match server.link {
            Link::Gone { .. } => Style::new().fg(Color::Red),
            _ => Style::new(),
        };
        if *number == app.chosen {
            style.reversed()
        } else {
            style
        }
    });
}

/// Width of a figure with its name.
const FIGURE_WIDTH: u16 = 26;
/// Figures of a server.
const FIGURES: usize = 15;

/// Lines that the figures of a server need at a width.
pub(super) fn figure_lines(width: u16) -> u16 {
    let columns = (width / FIGURE_WIDTH).max(1);
    (FIGURES as u16).div_ceil(columns)
}

/// The figures of a server, the most wanted first, line by line.
pub(super) fn figures(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let columns = usize::from((area.width / FIGURE_WIDTH).max(1));
    let named = named_figures(view);
    for (line, figures) in named
        .chunks(columns)
        .take(usize::from(area.height))
        .enumerate()
    {
        for (column, (name, figure)) in figures.iter().enumerate() {
            let text = Line::from(vec![
                Span::from(format!("{name:<10}")).dim(),
                Span::from(figure.as_str()).bold(),
            ]);
            let place = Rect {
                x: area.x + column as u16 * FIGURE_WIDTH,
                y: area.y + line as u16,
                width: FIGURE_WIDTH - 1,
                height: 1,
            };
            frame.render_widget(text, place.intersection(area));
        }
    }
}

fn named_figures(view: &View) -> [(&'static str, String); FIGURES] {
    let of_max = |now, max, format: fn(f64) -> String| match max {
        Some(max) => format!("{} of {}", or_dash(now, format), format(max)),
        None => or_dash(now, format),
    };
    let rate = |figure| or_dash(figure, |it| format!("{}/s", count(it)));
    let flow = |figure| or_dash(figure, |it| format!("{}/s", bytes(it)));
    [
        ("requests", rate(view.requests())),
        ("hit rate", or_dash(view.hit_percent, percent)),
        ("memory", of_max(view.bytes, view.bytes_max, bytes)),
        ("gets", rate(view.gets)),
        ("hits ever", or_dash(view.hit_percent_ever, percent)),
        ("items", or_dash(view.items, whole)),
        ("sets", rate(view.sets)),
        ("in", flow(view.bytes_in)),
        (
            "conns",
            of_max(view.connections, view.connections_max, whole),
        ),
        ("others", rate(view.others)),
        ("out", flow(view.bytes_out)),
        ("accepted", rate(view.accepted)),
        ("cpu", or_dash(view.cpu_percent, percent)),
        ("expired", rate(view.expired)),
        ("evictions", rate(view.evictions)),
    ]
}

/// Percentiles by kind of command.
pub(super) fn latency(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let columns: [Column<&LatencyView>; 5] = [
        word("LATENCY", 10, |row| row.kind.clone()),
        figure("P50", 7, |row| or_dash(row.p50_us, micros)),
        figure("P99", 7, |row| or_dash(row.p99_us, micros)),
        figure("P99.9", 7, |row| or_dash(row.p999_us, micros)),
        figure("P90", 7, |row| or_dash(row.p90_us, micros)),
    ];
    table(frame, area, &columns, view.latency.iter(), |_| Style::new());
}

/// The shards' parts.
pub(super) fn shards(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let columns: [Column<(usize, &ShardView)>; 8] = [
        figure("SHARD", 5, |(number, _)| number.to_string()),
        figure("GET/S", 6, |(_, shard)| or_dash(shard.gets, count)),
        figure("SET/S", 6, |(_, shard)| or_dash(shard.sets, count)),
        figure("HIT", 6, |(_, shard)| or_dash(shard.hit_percent, percent)),
        figure("MEM", 6, |(_, shard)| or_dash(shard.bytes, bytes)),
        figure("CONNS", 6, |(_, shard)| or_dash(shard.connections, whole)),
        figure("ITEMS", 6, |(_, shard)| or_dash(shard.items, whole)),
        figure("REMOTE/S", 8, |(_, shard)| or_dash(shard.remote, count)),
    ];
    let rows = view.shards.iter().enumerate();
    table(frame, area, &columns, rows, |_| Style::new());
}

/// The keys that are asked for most.
pub(super) fn hot_keys(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let columns: [Column<&HotKeyView>; 3] = [
        figure("SHARE", 6, |row| or_dash(row.percent, percent)),
        figure("SHARD", 5, |row| or_dash(row.shard, whole)),
        word("HOT KEY", 8, |row| row.key.clone()),
    ];
    table(frame, area, &columns, view.hot_keys.iter(), |_| {
        Style::new()
    });
}
