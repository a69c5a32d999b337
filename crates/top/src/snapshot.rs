//! What a server said at one moment: its answers to `stats` and to the subcommands that it knows.
//!
//! ```text
//!   stats          cmd_get 17                         Snapshot.general
//!   stats shards   0:cmd_get 9, 1:cmd_get 8           Snapshot.shards[0], [1]
//!   stats latency  get:p50_us 12.3                    Snapshot.latency["get"]
//!   stats hotkeys  1:key user%3A7, 1:percent 12.50    Snapshot.hot_keys[0]
//! ```
//!
//! Names that do not fit are left out: they come from another version, or from something that is no cache.

use std::collections::HashMap;

/// Names and values as a server gives them.
pub(crate) type Pairs = Vec<(String, String)>;

/// Most shards that are shown; a server has at most so many.
const SHARDS_MAX: usize = 1024;
/// Most kinds of commands with latencies.
const KINDS_MAX: usize = 32;
/// Most hot keys that are shown.
const HOT_KEYS_MAX: usize = 100;

/// Figures by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(HashMap<String, String>);

impl Figures {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A figure that can be read as a number, and is finite.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        let number: f64 = self.text(name)?.parse().ok()?;
        number.is_finite().then_some(number)
    }

    fn put(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }
}

/// Everything that one look at a server has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) general: Figures,
    /// The version of corecached; other servers have none.
    pub(crate) corecached_version: Option<String>,
    /// By number of the shard; empty if the server does not tell.
    pub(crate) shards: Vec<Figures>,
    /// By kind of command, in the server's order.
    pub(crate) latency: Vec<(String, Figures)>,
    /// The hottest first.
    pub(crate) hot_keys: Vec<Figures>,
}

impl Snapshot {
    /// The answer to `stats`.
    pub(crate) fn take_general(&mut self, pairs: Pairs) {
        self.general = Figures(pairs.into_iter().collect());
    }

    /// The answer to `stats shards`.
    pub(crate) fn take_shards(&mut self, pairs: Pairs) {
        for (name, value) in pairs {
            if name == "corecached_version" {
                self.corecached_version = Some(value);
            } else if let Some((number, name)) = numbered(&name) {
                put_at(&mut self.shards, number, SHARDS_MAX, name, value);
            }
        }
    }

    /// The answer to `stats hotkeys`, whose ranks begin with 1.
    pub(crate) fn take_hot_keys(&mut self, pairs: Pairs) {
        for (name, value) in pairs {
            if let Some((rank @ 1.., name)) = numbered(&name) {
                put_at(&mut self.hot_keys, rank - 1, HOT_KEYS_MAX, name, value);
            }
        }
        self.hot_keys.retain(|key| key.text("key").is_some());
    }

    /// The answer to `stats latency`.
    pub(crate) fn take_latency(&mut self, pairs: Pairs) {
        for (name, value) in pairs {
            let Some((kind, name)) = name.rsplit_once(':') else {
                continue;
            };
            let at = self.latency.iter().position(|(known, _)| known == kind);
            let at = at.unwrap_or(self.latency.len());
            if at == self.latency.len() && at < KINDS_MAX {
                self.latency.push((kind.to_owned(), Figures::default()));
            }
            if let Some((_, figures)) = self.latency.get_mut(at) {
                figures.put(name, value);
            }
        }
    }
}

/// `3:cmd_get` as 3 and `cmd_get`.
fn numbered(name: &str) -> Option<(usize, &str)> {
    let (number, name) = name.split_once(':')?;
    Some((number.parse().ok()?, name))
}

/// Puts a figure into a row, which may be new; rows come in order, so that none is left out before it.
fn put_at(rows: &mut Vec<Figures>, at: usize, max: usize, name: &str, value: String) {
    if at == rows.len() && at < max {
        rows.push(Figures::default());
    }
    if let Some(row) = rows.get_mut(at) {
        row.put(name, value);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pairs(lines: &[(&str, &str)]) -> Pairs {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        lines.iter().map(owned).collect()
    }

    #[test]
    fn answers_become_rows() {
        let mut snapshot = Snapshot::default();
        snapshot.take_general(pairs(&[("cmd_get", "17"), ("version", "1.6.45")]));
        snapshot.take_shards(pairs(&[
            ("corecached_version", "0.2.0"),
            ("shards", "2"),
            ("0:cmd_get", "9"),
            ("0:cmd_set", "1"),
            ("1:cmd_get", "8"),
        ]));
        snapshot.take_hot_keys(pairs(&[
            ("requests", "5"),
            ("1:key", "a%20b"),
            ("1:percent", "12.50"),
        ]));
        snapshot.take_latency(pairs(&[("get:p50_us", "12.3"), ("set:p50_us", "15")]));
        assert_eq!(snapshot.general.number("cmd_get"), Some(17.0));
        assert_eq!(snapshot.corecached_version.as_deref(), Some("0.2.0"));
        assert_eq!(snapshot.shards.len(), 2);
        assert_eq!(snapshot.shards[1].number("cmd_get"), Some(8.0));
        assert_eq!(snapshot.hot_keys[0].text("key"), Some("a%20b"));
        assert_eq!(snapshot.latency[1].0, "set");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut snapshot = Snapshot::default();
        snapshot.take_general(pairs(&[
            ("cmd_get", "nan"),
            ("cmd_set", "x"),
            ("bytes", "1e999"),
        ]));
        for name in ["cmd_get", "cmd_set", "bytes", "none"] {
            assert_eq!(snapshot.general.number(name), None, "{name}");
        }
        snapshot.take_shards(pairs(&[
            ("99999999999:a", "1"),
            ("7:a", "1"),
            ("x:a", "1"),
            (":", ""),
        ]));
        assert!(snapshot.shards.is_empty());
        snapshot.take_hot_keys(pairs(&[("0:key", "a"), ("2:key", "b"), ("1:percent", "3")]));
        assert!(snapshot.hot_keys.is_empty());
        let kinds: Vec<_> = (0..99)
            .map(|kind| (format!("{kind}:p50_us"), "1".to_owned()))
            .collect();
        snapshot.take_latency(kinds);
        assert_eq!(snapshot.latency.len(), KINDS_MAX);
    }
}
