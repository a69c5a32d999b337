//! Every statistic becomes a sample, every line is OpenMetrics, and every family is documented.

#[path = "../../tests/wire/metrics/checker.rs"]
mod checker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::base::config::Config;
use crate::operation::{Pairs, ShardReport};
use crate::run::{Built, build};
use crate::shared::Shared;
use crate::stats;

use super::collect::Shown;
use super::families::{Family, Format, Kind};
use super::latency::DURATIONS;
use super::page::Page;
use super::tables::{
    BUILD_INFO, COMMANDS, GENERAL, ITEMS, MEMORY, REPORT_AGE, Rows, SETTINGS, SHARDS,
    SLAB_COMMANDS, SLABS, Scale, UP, VERSION,
};
use checker::check;

const DOCUMENTATION: &str = include_str!("../../../../docs/metrics.md");

/// Statistics that have no row, and why.
const UNTOLD: [(&str, &str); 14] = [
    ("version", "a label of memcached_version"),
    ("libevent", "a label of corecached_build_info"),
    ("pointer_size", "never changes"),
    ("slab_reassign_last_busy_status", "a word"),
    ("N:cmd_set", "in memcached_slab_commands_total, without cas"),
    ("corecached_version", "a label of corecached_build_info"),
    ("shards", "the same as memcached_threads"),
    ("hash", "a word"),
    ("hash_seed", "a secret"),
    ("shard_port", "a setting"),
    ("eviction", "a word"),
    ("mapping", "a formula"),
    ("limit_maxbytes", "in stats memory the same as in stats"),
    ("N:total", "the same as corecached_shard_charged_bytes"),
];

/// A server of two shards without sockets, with the statistics that options bring, and reports of its shards in which
/// one slab class is in use.
fn server() -> (Arc<Shared>, Vec<ShardReport>) {
    let config = Config {
        threads: 2,
        idle_timeout_seconds: 60,
        temp_lru: true,
        shard_port: 1,
        ..Config::default()
    };
    let built = build(config, None, Vec::new());
    let Built { shared, parts, .. } = built.unwrap_or_else(|error| panic!("{error}"));
    let reports = parts.into_iter().map(|mut parts| {
        let mut report = ShardReport::of(parts.id, &parts.owner.resume().engine);
        report.engine.cmd_set = 7;
        report.engine.cas_hits = 2;
        report.engine.get_hits = 3;
        let class = &mut report.classes[4];
        (class.number, class.total_pages) = (5, 1);
        (class.cmd_set, class.cas_hits, class.cas_badval) = (6, 2, 1);
        report
    });
    let reports = reports.collect();
    (shared, reports)
}

/// The names in a reply, with `N:` for numbers.
fn names(pairs: &Pairs) -> BTreeSet<String> {
    let names = pairs.iter().map(|(name, _)| {
        let name = str::from_utf8(name).unwrap();
        match name.rsplit_once(':') {
            Some((_, stat)) => format!("N:{stat}"),
            None => name.to_owned(),
        }
    });
    names.collect()
}

#[test]
fn every_statistic_has_a_row_or_a_reason() {
    let (shared, reports) = server();
    let reports: Vec<_> = reports.iter().collect();
    let untold: BTreeMap<_, _> = UNTOLD.into_iter().collect();
    let tables: [(Rows, Pairs); 5] = [
        (GENERAL, stats::general::render(&shared, &reports)),
        (SLABS, stats::slabs::render(&reports)),
        (ITEMS, stats::items::render(&shared, &reports)),
        (SHARDS, stats::shards::render(&shared, &reports)),
        (MEMORY, stats::memory::render(&shared, &reports)),
    ];
    for (rows, pairs) in tables {
        let told = names(&pairs);
        let of_rows: BTreeSet<_> = rows.iter().map(|row| row.stat).collect();
        assert_eq!(of_rows.len(), rows.len(), "a statistic has two rows");
        for stat in &told {
            let is_untold = untold.contains_key(&**stat);
            assert!(of_rows.contains(&**stat) || is_untold, "{stat} has no row");
        }
        // Certificates are at hand only in tests over the wire.
        let without_tls = of_rows
            .iter()
            .filter(|it| !it.contains("ssl_") && !it.contains("_cert_"));
        for stat in without_tls {
            assert!(told.contains(*stat), "nobody tells {stat}");
        }
    }
    let settings = names(&stats::settings::render(&shared));
    let rows = SETTINGS.iter().map(|row| row.stat);
    assert!(rows.into_iter().all(|stat| settings.contains(stat)));
}

#[test]
fn every_line_is_open_metrics() {
    let (shared, reports) = server();
    let ages = [Duration::ZERO, Duration::from_millis(2500)];
    let shards = reports.iter().zip(ages);
    let shards: Vec<_> = shards.map(|(report, age)| Shown { report, age }).collect();
    let mut page = Page::new();
    let told = check(&page.render(&shared, &shards, Format::OpenMetrics));
    for (name, labels, value) in [
        ("memcached_up", &[][..], 1.0),
        (
            "memcached_commands_total",
            &[("command", "get"), ("status", "hit")],
            6.0,
        ),
        (
            "memcached_commands_total",
            &[("command", "set"), ("status", "hit")],
            10.0,
        ),
        (
            "memcached_commands_total",
            &[("command", "flush"), ("status", "hit")],
            0.0,
        ),
        (
            "memcached_command_requests_total",
            &[("command", "set")],
            14.0,
        ),
        ("memcached_lru_crawler_enabled", &[], 1.0),
        ("memcached_slab_current_items", &[("slab", "5")], 10.0),
        (
            "memcached_slab_commands_total",
            &[("slab", "5"), ("command", "set"), ("status", "hit")],
            6.0,
        ),
        ("corecached_shard_get_hits_total", &[("shard", "1")], 3.0),
        (
            "corecached_shard_report_age_seconds",
            &[("shard", "0")],
            0.0,
        ),
        (
            "corecached_shard_report_age_seconds",
            &[("shard", "1")],
            2.5,
        ),
    ] {
        assert_eq!(told.value(name, labels), Some(value), "{name} {labels:?}");
    }
    let plain = page.render(&shared, &shards, Format::Plain);
    assert!(plain.contains("\n# TYPE memcached_commands_total counter\n"));
    assert!(!plain.contains("# EOF"));
    // A secret of the server, though `stats shards` tells it to clients.
    assert!(!plain.contains(&shared.globals.hasher.seed().to_string()));
}

/// All families, each once.
fn families() -> BTreeMap<&'static str, Family> {
    let tables = [GENERAL, SETTINGS, SLABS, ITEMS, SHARDS, MEMORY].concat_rows();
    let rest = [
        UP,
        VERSION,
        BUILD_INFO,
        COMMANDS,
        SLAB_COMMANDS,
        DURATIONS,
        REPORT_AGE,
    ];
    let mut families = BTreeMap::new();
    for family in tables.chain(rest) {
        let known = families.entry(family.name).or_insert(family);
        assert_eq!(known.kind, family.kind, "{}", family.name);
        let is_first = family.help.is_empty() || known.help == family.help;
        assert!(is_first, "{} is described in two ways", family.name);
    }
    families
}

/// The families of all rows of several tables.
trait ConcatRows {
    fn concat_rows(self) -> impl Iterator<Item = Family>;
}

impl<const N: usize> ConcatRows for [Rows; N] {
    fn concat_rows(self) -> impl Iterator<Item = Family> {
        self.into_iter().flatten().map(|row| row.family)
    }
}

#[test]
fn every_family_is_described_and_named_by_its_kind() {
    for (name, family) in families() {
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
        assert_eq!(
            family.kind == Kind::Counter,
            name.ends_with("_total"),
            "{name}"
        );
    }
}

#[test]
fn every_family_is_documented() {
    let rows = DOCUMENTATION.lines().filter(|line| line.starts_with("| `"));
    let mut documented = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if let ("counter" | "gauge" | "unknown" | "histogram", name) = (cells[2], cells[1]) {
            documented.insert(name.trim_matches('`'), cells[2]);
        }
    }
    let kinds = families().into_values().map(|family| {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Unknown => "unknown",
        };
        (family.name, kind)
    });
    let kinds: BTreeMap<_, _> = kinds.collect();
    assert_eq!(documented, kinds);
}

#[test]
fn values_become_seconds_and_numbers() {
    for (scale, value, told) in [
        (Scale::Same, "12.000345", Some("12.000345")),
        (
            Scale::Same,
            "18446744073709551615",
            Some("18446744073709551615"),
        ),
        (Scale::Same, "none", None),
        (Scale::Same, "NaN", None),
        (Scale::Micros, "1000045", Some("1.000045")),
        (Scale::Millis, "999", Some("0.999")),
        (Scale::Millis, "x", None),
        (Scale::Switch, "yes", Some("1")),
        (Scale::Switch, "no", Some("0")),
    ] {
        assert_eq!(scale.apply(value).as_deref(), told, "{value}");
    }
}
