//! The last hour of a server's figures: a ring of points, each with the same series.

use std::collections::VecDeque;
use std::time::Duration;

use super::json::Json;
use crate::view::View;

/// Time between two points, and so between two looks at a server.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// Points of the ring: an hour.
const POINTS_MAX: usize = 3600 / INTERVAL.as_secs() as usize;

/// A series: its name in JSON, and what it is made of.
type Series = (&'static str, fn(&View) -> Option<f64>);

const SERIES: [Series; 15] = [
    ("gets", |view| view.gets),
    ("sets", |view| view.sets),
    ("others", |view| view.others),
    ("hit_percent", |view| view.hit_percent),
    ("p50_us", |view| view.main_latency()?.p50_us),
    ("p99_us", |view| view.main_latency()?.p99_us),
    ("p999_us", |view| view.main_latency()?.p999_us),
    ("bytes", |view| view.bytes),
    ("bytes_max", |view| view.bytes_max),
    ("evictions", |view| view.evictions),
    ("expired", |view| view.expired),
    ("bytes_in", |view| view.bytes_in),
    ("bytes_out", |view| view.bytes_out),
    ("connections", |view| view.connections),
    ("cpu_percent", |view| view.cpu_percent),
];

/// One moment.
#[derive(Debug)]
struct Point {
    unix_seconds: u64,
    values: [Option<f64>; SERIES.len()],
}

/// The points, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Point>);

impl History {
    /// Adds a point; the oldest makes room.
    pub(super) fn push(&mut self, unix_seconds: u64, view: &View) {
        if self.0.len() == POINTS_MAX {
            self.0.pop_front();
        }
        let values = SERIES.map(|(_, value)| value(view).map(rounded));
        self.0.push_back(Point {
            unix_seconds,
            values,
        });
    }

    /// Writes the times and the series of values at these times.
    pub(super) fn write(&self, json: &mut Json) {
        let points = &self.0;
        json.name("times")
            .array(|json| points.iter().for_each(|it| json.whole(it.unix_seconds)));
        json.name("series").object(|json| {
            for (at, (name, _)) in SERIES.iter().enumerate() {
                json.name(name)
                    .array(|json| points.iter().for_each(|it| json.number(it.values[at])));
            }
        });
    }
}

/// The value with four digits: more are not seen in a graph, and would be sent each time.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if digits <= 0 {
        return value.round();
    }
    let scale = 10_f64.powi(digits.min(6));
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_four_digits() {
        for (value, kept) in [
            (0.0, 0.0),
            (123_456.7, 123_457.0),
            (12.345_67, 12.35),
            (0.000_123_456, 0.000_123),
            (99.42, 99.42),
        ] {
            assert!((rounded(value) - kept).abs() < 1e-9, "{value}");
        }
    }
}
