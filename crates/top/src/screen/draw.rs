//! The whole screen, from the top:
//!
//! ```text
//!   corecached top                                     every 1s
//!   SERVER   STATE   REQ/S   HIT  ...      only with several servers
//!   name, version, age                     of the chosen server
//!   requests   gets    sets                its figures, in as many columns as fit
//!   ▁▂▅▇▅▃▂                                requests of the last looks
//!   LATENCY    p50 p90 p99 p99.9           if the server measures them
//!   SHARD ...             HOT KEY ...      side by side, or one below the other where it is narrow
//!   q ends
//! ```
//!
//! Parts that do not fit are left out, those below first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::app::{App, Link, Server};
use super::panels;
use crate::units::{age, or_dash};
use crate::view::View;

/// Below this width, tables stand one below the other.
const WIDE_MIN: u16 = 64;
/// Lines of the graph of requests.
const GRAPH_LINES: u16 = 3;
/// Below this height there is no graph.
const GRAPH_HEIGHT_MIN: u16 = 20;

/// Draws everything.
pub(super) fn all(frame: &mut Frame<'_>, app: &App) {
    let [title, rest, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(frame, title, app);
    draw_footer(frame, footer, app);
    let mut rest = rest;
    if app.servers.len() > 1 {
        // The details keep at least half of the screen.
        let lines = (app.servers.len() as u16 + 1).min(rest.height / 2);
        panels::servers(frame, cut(&mut rest, lines), app);
        cut(&mut rest, 1);
    }
    if let Some(server) = app.servers.get(app.chosen) {
        draw_server(frame, rest, server);
    }
}

/// Takes the first `lines` lines of an area, or as many as it has.
fn cut(area: &mut Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    let taken = Rect {
        height: lines,
        ..*area
    };
    area.y += lines;
    area.height -= lines;
    taken
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let up = app.servers.iter().filter(|it| it.view().is_some()).count();
    let right = format!(
        "{up} of {} up, every {}s ",
        app.servers.len(),
        app.interval.as_secs_f64()
    );
    let style = Style::new().reversed();
    frame.render_widget(Line::from(" corecached top").style(style.bold()), area);
    frame.render_widget(Line::from(right).style(style).right_aligned(), area);
    frame.buffer_mut().set_style(area, style);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let text = if app.servers.len() > 1 {
        " q ends   up, down: another server"
    } else {
        " q ends"
    };
    frame.render_widget(Line::from(text).dim(), area);
}

fn draw_server(frame: &mut Frame<'_>, area: Rect, server: &Server) {
    let mut area = area;
    let heading = cut(&mut area, 1);
    let name = Span::from(server.name.as_str()).bold();
    match &server.link {
        Link::Waiting => {
            frame.render_widget(Line::from(vec![name, "  no answer yet".into()]), heading);
        }
        Link::Gone { looks, why } => {
            frame.render_widget(
                Line::from(vec![name, "  gone".fg(Color::Red).bold()]),
                heading,
            );
            let text = format!("{why}\nIt was asked {looks} times since, and is asked again.");
            let text = Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true });
            frame.render_widget(text, area);
        }
        Link::Up(view) => {
            let age = or_dash(view.uptime_s, age);
            let about = format!("  {}  up {age}", view.version);
            frame.render_widget(Line::from(vec![name, about.into()]), heading);
            draw_view(frame, area, server, view);
        }
    }
}

fn draw_view(frame: &mut Frame<'_>, area: Rect, server: &Server, view: &View) {
    let mut area = area;
    // Where it is narrow, the figures have a column and more lines; a third of the screen is left to the tables.
    let figures_max = (area.height * 2 / 3).max(1);
    let lines = panels::figure_lines(area.width).min(figures_max);
    panels::figures(frame, cut(&mut area, lines), view);
    if frame.area().height >= GRAPH_HEIGHT_MIN {
        draw_graph(frame, cut(&mut area, GRAPH_LINES), server);
    }
    if !view.latency.is_empty() {
        let lines = (view.latency.len() as u16 + 1).min(area.height * 2 / 3);
        panels::latency(frame, cut(&mut area, lines), view);
    }
    draw_tables(frame, area, view);
}

fn draw_graph(frame: &mut Frame<'_>, area: Rect, server: &Server) {
    let shown = usize::from(area.width).min(server.history.len());
    let newest = server.history.iter().skip(server.history.len() - shown);
    let graph = Sparkline::default()
        .data(newest.copied().collect::<Vec<u64>>())
        .style(Style::new().fg(Color::Cyan));
    frame.render_widget(graph, area);
}

/// Shards and hot keys, each if there are any.
fn draw_tables(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let shards = |frame: &mut Frame<'_>, area| panels::shards(frame, area, view);
    let hot_keys = |frame: &mut Frame<'_>, area| panels::hot_keys(frame, area, view);
    match (view.shards.is_empty(), view.hot_keys.is_empty()) {
        (true, true) => {}
        (false, true) => shards(frame, area),
        (true, false) => hot_keys(frame, area),
        (false, false) => {
            let halves = Layout::default().spacing(1);
            let [first, second] = if area.width >= WIDE_MIN {
                halves
                    .direction(ratatui::layout::Direction::Horizontal)
                    .constraints([Constraint::Fill(3), Constraint::Fill(2)])
                    .areas(area)
            } else {
                halves
                    .direction(ratatui::layout::Direction::Vertical)
                    .constraints([
                        Constraint::Max(view.shards.len() as u16 + 1),
                        Constraint::Min(area.height / 2),
                    ])
                    .areas(area)
            };
            shards(frame, first);
            hot_keys(frame, second);
        }
    }
}
