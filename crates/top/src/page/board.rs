//! What the page shows of one server, and how it reads it. Nothing here reads a clock or a socket.

use super::history::{History, INTERVAL};
use super::json::Json;
use crate::station::Look;
use crate::view::{HotKeyView, LatencyView, ShardView, View};

/// The figures of now and of the last hour.
#[derive(Debug, Default)]
pub(super) struct Board {
    view: View,
    /// Why there are no figures, if the server does not answer.
    gone: Option<String>,
    history: History,
}

impl Board {
    /// Takes a look. One that has found nothing leaves a gap in the graphs.
    pub(super) fn take(&mut self, look: Look, unix_seconds: u64) {
        (self.view, self.gone) = match look {
            Ok(view) => (*view, None),
            Err(why) => (View::default(), Some(why)),
        };
        self.history.push(unix_seconds, &self.view);
    }

    /// Everything as JSON, with the names of all servers, of which the page offers the choice.
    pub(super) fn json(&self, servers: &[String]) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.name("servers")
                .array(|json| servers.iter().for_each(|name| json.text(name)));
            json.name("interval_s").whole(INTERVAL.as_secs());
            match &self.gone {
                Some(why) => json.name("gone").text(why),
                None => json.name("gone").number(None),
            }
            json.name("now").object(|json| now(json, &self.view));
            rows(json.name("shards"), &self.view.shards, shard);
            rows(json.name("latency"), &self.view.latency, latency);
            rows(json.name("hot_keys"), &self.view.hot_keys, hot_key);
            self.history.write(json);
        });
        json.into_text()
    }
}

/// An array with an object for each row.
fn rows<T>(json: &mut Json, rows: &[T], write: fn(&mut Json, &T)) {
    json.array(|json| {
        for row in rows {
            json.object(|json| write(json, row));
        }
    });
}

/// Named numbers.
fn numbers<const N: usize>(json: &mut Json, numbers: [(&str, Option<f64>); N]) {
    for (name, number) in numbers {
        json.name(name).number(number);
    }
}

fn now(json: &mut Json, view: &View) {
    let latency = view.main_latency();
    json.name("version").text(&view.version);
    numbers(
        json,
        [
            ("uptime_s", view.uptime_s.map(|seconds| seconds as f64)),
            ("cpu_percent", view.cpu_percent),
            ("requests", view.requests()),
            ("gets", view.gets),
            ("sets", view.sets),
            ("hit_percent", view.hit_percent),
            ("hit_percent_ever", view.hit_percent_ever),
            ("evictions", view.evictions),
            ("items", view.items),
            ("bytes", view.bytes),
            ("bytes_max", view.bytes_max),
            ("memory_percent", view.memory_percent()),
            ("connections", view.connections),
            ("connections_max", view.connections_max),
            ("p50_us", latency.and_then(|row| row.p50_us)),
            ("p99_us", latency.and_then(|row| row.p99_us)),
        ],
    );
}

fn shard(json: &mut Json, shard: &ShardView) {
    numbers(
        json,
        [
            ("gets", shard.gets),
            ("sets", shard.sets),
            ("hit_percent", shard.hit_percent),
            ("items", shard.items),
            ("bytes", shard.bytes),
            ("connections", shard.connections),
            ("remote", shard.remote),
        ],
    );
}

fn latency(json: &mut Json, row: &LatencyView) {
    json.name("kind").text(&row.kind);
    numbers(
        json,
        [
            ("p50_us", row.p50_us),
            ("p90_us", row.p90_us),
            ("p99_us", row.p99_us),
            ("p999_us", row.p999_us),
        ],
    );
}

fn hot_key(json: &mut Json, key: &HotKeyView) {
    json.name("key").text(&key.key);
    numbers(json, [("percent", key.percent), ("shard", key.shard)]);
}

#[cfg(test)]
mod tests {
    use super::super::PAGE;
    use super::*;
    use serde_json::{Value, json};

    fn look(gets: Option<f64>) -> Look {
        let key = HotKeyView {
            key: "</script><b>".to_owned(),
            ..HotKeyView::default()
        };
        Ok(Box::new(View {
            gets,
            hot_keys: vec![key],
            ..View::default()
        }))
    }

    fn parsed(board: &Board) -> Value {
        serde_json::from_str(&board.json(&["cache1:1".to_owned()])).unwrap()
    }

    /// The name that a text begins with.
    fn word(text: &str) -> &str {
        let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
        &text[..end.unwrap_or(text.len())]
    }

    #[test]
    fn the_figures_are_json_with_the_names_that_the_page_reads() {
        let mut board = Board::default();
        board.take(look(None), 1000);
        board.take(look(Some(50.0)), 1005);
        let json = parsed(&board);
        assert_eq!(json["now"]["gets"], 50.0);
        assert_eq!(json["now"]["requests"], 50.0);
        assert_eq!(json["now"]["sets"], Value::Null);
        assert_eq!(json["times"], json!([1000, 1005]));
        assert_eq!(json["series"]["gets"], json!([null, 50]));
        assert_eq!(json["hot_keys"][0]["key"], "</script><b>");
        assert_eq!(json["servers"], json!(["cache1:1"]));
        let tiles = PAGE.split("(v.").skip(1).map(word);
        let tiles: Vec<_> = tiles.collect();
        assert!(tiles.len() > 10, "{tiles:?}");
        for name in tiles {
            assert!(json["now"].get(name).is_some(), "{name}");
        }
        let graphs = PAGE.lines().filter(|line| line.contains(", [[\""));
        let graphs = graphs.flat_map(|line| line.split("[\"").skip(2).map(word));
        let graphs: Vec<_> = graphs.collect();
        assert!(graphs.len() > 10, "{graphs:?}");
        for name in graphs {
            assert!(json["series"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_server_that_is_gone_leaves_a_gap() {
        let mut board = Board::default();
        board.take(look(Some(1.0)), 0);
        board.take(Err("refused".to_owned()), 5);
        let json = parsed(&board);
        assert_eq!(json["gone"], "refused");
        assert_eq!(json["now"]["gets"], Value::Null);
        assert_eq!(json["series"]["gets"], json!([1, null]));
        board.take(look(Some(2.0)), 10);
        assert_eq!(parsed(&board)["gone"], Value::Null);
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut board = Board::default();
        for number in 0..5000 {
            board.take(
                look(Some(f64::from(number) * 1_234.567_89)),
                u64::from(number as u32) * 5,
            );
        }
        let json = parsed(&board);
        let times = json["times"].as_array().unwrap();
        assert_eq!(times.len() as u64 * INTERVAL.as_secs(), 3600);
        assert_eq!(times.last().unwrap(), 4999 * 5);
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        for word in [
            "src=",
            "@import",
            "url(",
            "innerHTML",
            "eval(",
            "href=\"http",
        ] {
            assert!(!PAGE.contains(word), "{word}");
        }
        // The one address is a name space, which nothing is loaded from.
        assert_eq!(PAGE.matches("://").count(), 1);
    }
}
