//! `--once`: one snapshot as text, for scripts. A line for each figure: the server, the name, the figure, which is the
//! rest of the line.
//!
//! ```text
//!   127.0.0.1:11211 state up
//!   127.0.0.1:11211 gets_per_second 512.0
//!   127.0.0.1:11211 hit_percent -
//!   127.0.0.1:11211 shard.0.items 12
//!   10.0.0.9:11211 state gone: the connection failed: Connection refused (os error 111)
//! ```
//!
//! A rate needs two looks: they are one interval apart.

use std::fmt::Write;
use std::thread;

use crate::args::Options;
use crate::escape::printable;
use crate::station::{Look, Station};
use crate::units::DASH;
use crate::view::{HotKeyView, LatencyView, ShardView, View};

/// The text, and whether every server has answered.
pub(crate) fn run(options: &Options) -> (String, bool) {
    let looks: Vec<Look> = thread::scope(|scope| {
        let look = |address: &corecached_client::Address| {
            let mut station = Station::new(address.clone(), options);
            scope.spawn(move || {
                station.look()?;
                thread::sleep(options.interval);
                station.look()
            })
        };
        let looking: Vec<_> = options.servers.iter().map(look).collect();
        let ended = |thread: thread::ScopedJoinHandle<'_, Look>| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a fault of corecached top".to_owned()))
        };
        looking.into_iter().map(ended).collect()
    });
    let mut text = String::new();
    for (address, look) in options.servers.iter().zip(&looks) {
        render(&mut text, &printable(&address.to_string()), look);
    }
    (text, looks.iter().all(Result::is_ok))
}

/// Writes the lines of one server.
struct Lines<'a> {
    out: &'a mut String,
    server: &'a str,
}

impl Lines<'_> {
    fn text(&mut self, name: &str, text: &str) {
        let text = if text.is_empty() { DASH } else { text };
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{} {name} {text}", self.server);
    }

    fn whole(&mut self, name: &str, figure: Option<f64>) {
        self.text(name, &figure.map_or(String::new(), |it| format!("{it:.0}")));
    }

    fn rate(&mut self, name: &str, figure: Option<f64>) {
        self.text(name, &figure.map_or(String::new(), |it| format!("{it:.1}")));
    }

    fn exact(&mut self, name: &str, figure: Option<f64>) {
        self.text(name, &figure.map_or(String::new(), |it| format!("{it:.2}")));
    }
}

fn render(out: &mut String, server: &str, look: &Look) {
    let mut lines = Lines { out, server };
    match look {
        Ok(view) => {
            lines.text("state", "up");
            general(&mut lines, view);
            for (number, shard) in view.shards.iter().enumerate() {
                shard_lines(&mut lines, number, shard);
            }
            for row in &view.latency {
                latency(&mut lines, row);
            }
            for (rank, key) in (1..).zip(&view.hot_keys) {
                hot_key(&mut lines, rank, key);
            }
        }
        Err(why) => lines.text("state", &format!("gone: {why}")),
    }
}

fn general(lines: &mut Lines<'_>, view: &View) {
    lines.text("version", &view.version);
    lines.whole(
        "uptime_seconds",
        view.uptime_s.map(|seconds| seconds as f64),
    );
    lines.rate("cpu_percent", view.cpu_percent);
    lines.rate("gets_per_second", view.gets);
    lines.rate("sets_per_second", view.sets);
    lines.rate("others_per_second", view.others);
    lines.exact("hit_percent", view.hit_percent);
    lines.exact("hit_percent_since_start", view.hit_percent_ever);
    lines.whole("bytes_in_per_second", view.bytes_in);
    lines.whole("bytes_out_per_second", view.bytes_out);
    lines.rate("evictions_per_second", view.evictions);
    lines.rate("expired_per_second", view.expired);
    lines.whole("items", view.items);
    lines.whole("memory_bytes", view.bytes);
    lines.whole("memory_bytes_max", view.bytes_max);
    lines.whole("connections", view.connections);
    lines.whole("connections_max", view.connections_max);
    lines.rate("accepted_per_second", view.accepted);
}

fn shard_lines(lines: &mut Lines<'_>, number: usize, shard: &ShardView) {
    let name = |figure: &str| format!("shard.{number}.{figure}");
    lines.rate(&name("gets_per_second"), shard.gets);
    lines.rate(&name("sets_per_second"), shard.sets);
    lines.exact(&name("hit_percent"), shard.hit_percent);
    lines.whole(&name("items"), shard.items);
    lines.whole(&name("memory_bytes"), shard.bytes);
    lines.whole(&name("connections"), shard.connections);
    lines.rate(&name("remote_per_second"), shard.remote);
}

fn latency(lines: &mut Lines<'_>, row: &LatencyView) {
    let kind = row.kind.replace(' ', "_");
    for (figure, us) in [
        ("p50_us", row.p50_us),
        ("p90_us", row.p90_us),
        ("p99_us", row.p99_us),
        ("p99.9_us", row.p999_us),
    ] {
        lines.rate(&format!("latency.{kind}.{figure}"), us);
    }
}

fn hot_key(lines: &mut Lines<'_>, rank: usize, key: &HotKeyView) {
    lines.text(&format!("hotkey.{rank}.key"), &key.key);
    lines.exact(&format!("hotkey.{rank}.percent"), key.percent);
    lines.whole(&format!("hotkey.{rank}.shard"), key.shard);
}
