//! What the screen shows, on a terminal made of memory.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::App;
use super::draw;
use crate::args::Options;
use crate::station::Look;
use crate::view::{HotKeyView, LatencyView, ShardView, View};

fn app(servers: &[&str]) -> App {
    App::new(&Options {
        servers: servers.iter().map(|text| text.parse().unwrap()).collect(),
        interval: Duration::from_secs(2),
        once: false,
        page: None,
        login: None,
    })
}

/// The lines of the screen at a size.
fn shown(app: &App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::all(frame, app)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let rows = buffer.content().chunks(usize::from(width));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>())
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn line_with<'a>(lines: &'a [String], text: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no {text} in\n{}", lines.join("\n")))
}

/// A view with every part.
fn full(shards: usize) -> Look {
    let shard = ShardView {
        gets: Some(12_345.0),
        hit_percent: Some(93.42),
        connections: Some(7.0),
        ..ShardView::default()
    };
    Ok(Box::new(View {
        version: "corecached 0.2.0".to_owned(),
        uptime_s: Some(727),
        gets: Some(24_690.0),
        sets: Some(310.0),
        hit_percent: Some(93.42),
        bytes: Some(1536.0),
        bytes_max: Some(67_108_864.0),
        connections: Some(14.0),
        connections_max: Some(1024.0),
        shards: vec![shard; shards],
        latency: vec![LatencyView {
            kind: "get".to_owned(),
            p50_us: Some(12.0),
            p90_us: Some(20.0),
            p99_us: Some(1234.0),
            p999_us: None,
        }],
        hot_keys: vec![HotKeyView {
            key: "user%3A7".to_owned(),
            percent: Some(12.5),
            shard: Some(1.0),
        }],
        ..View::default()
    }))
}

#[test]
fn every_part_is_seen_on_a_common_terminal() {
    let mut app = app(&["cache1:1"]);
    app.take(0, full(2));
    let lines = shown(&app, 80, 24);
    assert!(lines[0].ends_with("1 of 1 up, every 2s"), "{}", lines[0]);
    assert_eq!(lines[1], "cache1:1  corecached 0.2.0  up 12m 07s");
    assert!(line_with(&lines, "requests").contains("25.0k/s"));
    assert!(line_with(&lines, "hit rate").contains("93.4%"));
    assert!(line_with(&lines, "memory").contains("1.50K of 64.0M"));
    assert!(line_with(&lines, "conns  ").contains("14 of 1024"));
    // What is not known is a dash.
    assert!(line_with(&lines, "evictions").ends_with("evictions -"));
    let latency = line_with(&lines, "get  ");
    for figure in ["12us", "20us", "1.23ms", "-"] {
        assert!(latency.contains(figure), "{latency}");
    }
    let table = line_with(&lines, "SHARD");
    assert!(
        table.contains("GET/S") && table.contains("HOT KEY"),
        "{table}"
    );
    let first = line_with(&lines, "12.3k");
    assert!(
        first.contains("user%3A7") && first.contains("12.5%"),
        "{first}"
    );
    assert_eq!(lines[23], " q ends");
}

#[test]
fn no_size_is_too_small_and_narrow_tables_stand_below_each_other() {
    let mut app = app(&["cache1:1", "cache2:1", "[::1]:5"]);
    app.take(0, full(40));
    app.take(1, Err("it is gone".to_owned()));
    for width in [1, 2, 5, 17, 30, 59, 60, 300] {
        for height in [1, 2, 3, 7, 24, 90] {
            for chosen in 0..3 {
                app.chosen = chosen;
                assert_eq!(shown(&app, width, height).len(), usize::from(height));
            }
        }
    }
    app.chosen = 0;
    let lines = shown(&app, 40, 60);
    assert!(!line_with(&lines, "SHARD  GET/S").contains("HOT KEY"));
    assert!(line_with(&lines, "user%3A7").starts_with(" 12.5%"));
}

#[test]
fn a_server_that_is_gone_is_shown_until_it_is_back() {
    let mut app = app(&["cache1:1", "cache2:1"]);
    let lines = shown(&app, 80, 24);
    assert!(line_with(&lines, "cache1:1").contains("wait"));
    app.take(0, full(1));
    app.take(1, Err("Connection refused".to_owned()));
    app.take(1, Err("Connection refused".to_owned()));
    press(&mut app, KeyCode::Down);
    let lines = shown(&app, 80, 24);
    assert!(lines[0].contains("1 of 2 up"), "{}", lines[0]);
    assert!(line_with(&lines, "cache2:1").contains("gone"));
    assert!(line_with(&lines, "asked 2 times").contains("asked again"));
    line_with(&lines, "Connection refused");
    app.take(1, full(1));
    let lines = shown(&app, 80, 24);
    assert!(lines[0].contains("2 of 2 up"), "{}", lines[0]);
    assert!(!lines.iter().any(|line| line.contains("refused")));
}

#[test]
fn the_chosen_server_is_in_sight_in_a_long_list() {
    let names: Vec<_> = (0..64).map(|number| format!("cache{number}:1")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut app = app(&names);
    press(&mut app, KeyCode::Up);
    assert_eq!(app.chosen, 0);
    press(&mut app, KeyCode::End);
    press(&mut app, KeyCode::Down);
    assert_eq!(app.chosen, 63);
    let lines = shown(&app, 80, 24);
    assert!(
        lines[..12].iter().any(|line| line.starts_with("cache63:1")),
        "{}",
        lines.join("\n")
    );
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.chosen, 0);
}

#[test]
fn q_escape_and_control_c_end_it() {
    for (code, modifiers) in [
        (KeyCode::Char('q'), KeyModifiers::NONE),
        (KeyCode::Esc, KeyModifiers::NONE),
        (KeyCode::Char('c'), KeyModifiers::CONTROL),
    ] {
        let mut app = app(&["cache1:1"]);
        app.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!app.is_ended);
        app.press(KeyEvent::new(code, modifiers));
        assert!(app.is_ended, "{code:?}");
    }
}

#[test]
fn the_history_is_bounded() {
    let mut app = app(&["cache1:1"]);
    for _ in 0..2000 {
        app.take(0, full(1));
    }
    assert_eq!(app.servers[0].history.len(), 512);
    shown(&app, 1000, 24);
}

fn press(app: &mut App, code: KeyCode) {
    app.press(KeyEvent::new(code, KeyModifiers::NONE));
}
