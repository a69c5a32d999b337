//! What is shown of a server: figures of now, and rates between two looks.
//!
//! ```text
//!   before { cmd_get 100 }   now { cmd_get 350 }   0.5 s apart   -->   gets 500/s
//! ```
//!
//! A counter that has gone back (the server was started again, or somebody has said `stats reset`) has no rate this
//! time. Nothing here reads a clock.

use std::time::Duration;

use crate::escape::printable;
use crate::snapshot::{Figures, Snapshot};

/// The figures of one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// `corecached 0.2.0`, or `memcached 1.6.45`.
    pub(crate) version: String,
    pub(crate) uptime_s: Option<u64>,
    /// Part of a CPU second in each second, all threads together, in percent.
    pub(crate) cpu_percent: Option<f64>,
    /// Requests in a second.
    pub(crate) gets: Option<f64>,
    pub(crate) sets: Option<f64>,
    /// Deletes, touches and arithmetic.
    pub(crate) others: Option<f64>,
    /// Of the gets between the two looks.
    pub(crate) hit_percent: Option<f64>,
    /// Of all gets since the start.
    pub(crate) hit_percent_ever: Option<f64>,
    /// Bytes in a second.
    pub(crate) bytes_in: Option<f64>,
    pub(crate) bytes_out: Option<f64>,
    /// Items in a second that made room for others.
    pub(crate) evictions: Option<f64>,
    /// Items in a second whose time was over.
    pub(crate) expired: Option<f64>,
    pub(crate) items: Option<f64>,
    pub(crate) bytes: Option<f64>,
    pub(crate) bytes_max: Option<f64>,
    pub(crate) connections: Option<f64>,
    pub(crate) connections_max: Option<f64>,
    /// Connections accepted in a second.
    pub(crate) accepted: Option<f64>,
    pub(crate) shards: Vec<ShardView>,
    pub(crate) latency: Vec<LatencyView>,
    pub(crate) hot_keys: Vec<HotKeyView>,
}

/// A shard's part.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardView {
    pub(crate) gets: Option<f64>,
    pub(crate) sets: Option<f64>,
    pub(crate) hit_percent: Option<f64>,
    pub(crate) items: Option<f64>,
    pub(crate) bytes: Option<f64>,
    pub(crate) connections: Option<f64>,
    /// Operations in a second on other shards' keys.
    pub(crate) remote: Option<f64>,
}

/// Percentiles of a kind of command, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatencyView {
    pub(crate) kind: String,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p90_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
}

/// A key that is asked for often.
#[derive(Clone, Debug, Default)]
pub(crate) struct HotKeyView {
    /// Printable.
    pub(crate) key: String,
    /// Of all requests.
    pub(crate) percent: Option<f64>,
    pub(crate) shard: Option<f64>,
}

/// Counters whose sum is `others`.
const OTHERS: [&str; 7] = [
    "cmd_touch",
    "delete_hits",
    "delete_misses",
    "incr_hits",
    "incr_misses",
    "decr_hits",
    "decr_misses",
];

impl View {
    /// What is known after `now`; rates need the look `before`, which was `apart` earlier.
    pub(crate) fn of(now: &Snapshot, before: Option<&Snapshot>, apart: Duration) -> View {
        let general = &now.general;
        let rates = Rates {
            now: general,
            before: before.map(|before| &before.general),
            apart,
        };
        View {
            version: version(now),
            uptime_s: general.number("uptime").map(|seconds| seconds as u64),
            cpu_percent: rates
                .sum(&["rusage_user", "rusage_system"])
                .map(|cpus| 100.0 * cpus),
            gets: rates.of("cmd_get"),
            sets: rates.of("cmd_set"),
            others: rates.sum(&OTHERS),
            hit_percent: rates.hit_percent(),
            hit_percent_ever: share(general.number("get_hits"), general.number("cmd_get")),
            bytes_in: rates.of("bytes_read"),
            bytes_out: rates.of("bytes_written"),
            evictions: rates.of("evictions"),
            expired: rates.of("reclaimed"),
            items: general.number("curr_items"),
            bytes: general.number("bytes"),
            bytes_max: general.number("limit_maxbytes"),
            connections: general.number("curr_connections"),
            connections_max: general.number("max_connections"),
            accepted: rates.of("total_connections"),
            shards: shards(now, before, apart),
            latency: now.latency.iter().map(latency).collect(),
            hot_keys: now.hot_keys.iter().map(hot_key).collect(),
        }
    }

    /// All requests in a second, if any kind is known.
    pub(crate) fn requests(&self) -> Option<f64> {
        let known = [self.gets, self.sets, self.others].into_iter().flatten();
        self.gets.or(self.sets).or(self.others).map(|_| known.sum())
    }

    /// How full the memory is.
    pub(crate) fn memory_percent(&self) -> Option<f64> {
        share(self.bytes, self.bytes_max)
    }

    /// The latencies of gets, or else of the first kind there is.
    pub(crate) fn main_latency(&self) -> Option<&LatencyView> {
        let gets = self.latency.iter().find(|row| row.kind == "get");
        gets.or(self.latency.first())
    }
}

/// Two looks at the same figures.
struct Rates<'a> {
    now: &'a Figures,
    before: Option<&'a Figures>,
    apart: Duration,
}

impl Rates<'_> {
    /// What a counter has grown by.
    fn grown(&self, name: &str) -> Option<f64> {
        let grown = self.now.number(name)? - self.before?.number(name)?;
        (grown >= 0.0).then_some(grown)
    }

    fn of(&self, name: &str) -> Option<f64> {
        self.sum(&[name])
    }

    /// The rate of counters together. One of them that is missing has no part; all missing is unknown.
    fn sum(&self, names: &[&str]) -> Option<f64> {
        let mut known = names.iter().filter_map(|name| self.grown(name)).peekable();
        let seconds = self.apart.as_secs_f64();
        (known.peek().is_some() && seconds > 0.0).then(|| known.sum::<f64>() / seconds)
    }

    fn hit_percent(&self) -> Option<f64> {
        share(self.grown("get_hits"), self.grown("cmd_get"))
    }
}

/// `part` of `whole` in percent, unless the whole is nothing.
fn share(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let whole = whole.filter(|&whole| whole > 0.0)?;
    Some((100.0 * part? / whole).clamp(0.0, 100.0))
}

fn version(now: &Snapshot) -> String {
    match (&now.corecached_version, now.general.text("version")) {
        (Some(version), _) => format!("corecached {}", printable(version)),
        (None, Some(version)) => format!("memcached {}", printable(version)),
        (None, None) => String::new(),
    }
}

fn shards(now: &Snapshot, before: Option<&Snapshot>, apart: Duration) -> Vec<ShardView> {
    let shard = |(at, figures): (usize, &Figures)| {
        let rates = Rates {
            now: figures,
            before: before.and_then(|before| before.shards.get(at)),
            apart,
        };
        ShardView {
            gets: rates.of("cmd_get"),
            sets: rates.of("cmd_set"),
            hit_percent: rates.hit_percent(),
            items: figures.number("curr_items"),
            bytes: figures.number("bytes"),
            connections: figures.number("curr_connections"),
            remote: rates.of("remote_ops"),
        }
    };
    now.shards.iter().enumerate().map(shard).collect()
}

fn latency((kind, figures): &(String, Figures)) -> LatencyView {
    LatencyView {
        kind: printable(kind),
        p50_us: figures.number("p50_us"),
        p90_us: figures.number("p90_us"),
        p99_us: figures.number("p99_us"),
        p999_us: figures.number("p999_us"),
    }
}

fn hot_key(figures: &Figures) -> HotKeyView {
    HotKeyView {
        key: printable(figures.text("key").unwrap_or_default()),
        percent: figures.number("percent"),
        shard: figures.number("shard"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::snapshot::tests::pairs;

    pub(crate) fn snapshot(general: &[(&str, &str)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.take_general(pairs(general));
        snapshot
    }

    #[test]
    fn rates_are_between_two_looks() {
        let before = snapshot(&[("cmd_get", "100"), ("get_hits", "50"), ("delete_hits", "1")]);
        let now = snapshot(&[
            ("cmd_get", "350"),
            ("get_hits", "250"),
            ("delete_hits", "2"),
        ]);
        let view = View::of(&now, Some(&before), Duration::from_millis(500));
        assert_eq!(view.gets, Some(500.0));
        assert_eq!(view.others, Some(2.0));
        assert_eq!(view.hit_percent, Some(80.0));
        assert_eq!(view.sets, None);
        assert_eq!(view.requests(), Some(502.0));
        assert!((view.hit_percent_ever.unwrap() - 71.43).abs() < 0.01);
    }

    #[test]
    fn a_counter_that_went_back_has_no_rate() {
        let before = snapshot(&[("cmd_get", "100"), ("cmd_set", "5")]);
        let now = snapshot(&[("cmd_get", "3"), ("cmd_set", "6")]);
        let view = View::of(&now, Some(&before), Duration::from_secs(1));
        assert_eq!((view.gets, view.sets), (None, Some(1.0)));
        let no_time = View::of(&now, Some(&before), Duration::ZERO);
        assert_eq!(no_time.sets, None);
        assert_eq!(View::of(&now, None, Duration::from_secs(1)).sets, None);
    }

    #[test]
    fn a_version_says_whose_it_is() {
        let mut now = snapshot(&[("version", "1.6.18\x1b[2J")]);
        assert_eq!(
            View::of(&now, None, Duration::ZERO).version,
            "memcached 1.6.18\\u{1b}[2J"
        );
        now.corecached_version = Some("0.2.0".to_owned());
        assert_eq!(
            View::of(&now, None, Duration::ZERO).version,
            "corecached 0.2.0"
        );
    }

    #[test]
    fn keys_of_servers_are_made_printable() {
        let mut now = snapshot(&[]);
        now.take_hot_keys(pairs(&[
            ("1:key", "a\x1b]0;title\x07"),
            ("1:percent", "7.5"),
            ("1:shard", "1"),
        ]));
        let view = View::of(&now, None, Duration::ZERO);
        assert_eq!(view.hot_keys[0].key, "a\\u{1b}]0;title\\u{7}");
        assert_eq!(view.hot_keys[0].percent, Some(7.5));
    }
}
