//! The page of `/metrics`: the replies to `stats` and its subcommands, row by row, as samples.

use std::collections::HashMap;

use corecached_protocol::reply::COMPATIBILITY_VERSION;

use crate::operation::{Pairs, ShardReport};
use crate::shared::Shared;
use crate::stats;

use super::collect::Shown;
use super::families::{Families, Family, Format, Label};
use super::latency::Histograms;
use super::tables::{
    self, BUILD_INFO, COMMANDS, REPORT_AGE, Row, Rows, SLAB_COMMANDS, UP, VERSION,
};

/// The tables, ready to be looked up in.
pub(super) struct Page {
    general: Table,
    settings: Table,
    slabs: Table,
    items: Table,
    shards: Table,
    memory: Table,
    histograms: Histograms,
}

impl Page {
    pub(super) fn new() -> Page {
        Page {
            general: Table::new(tables::GENERAL),
            settings: Table::new(tables::SETTINGS),
            slabs: Table::new(tables::SLABS),
            items: Table::new(tables::ITEMS),
            shards: Table::new(tables::SHARDS),
            memory: Table::new(tables::MEMORY),
            histograms: Histograms::default(),
        }
    }

    /// The whole page, of what all shards have told.
    pub(super) fn render(&mut self, shared: &Shared, told: &[Shown<'_>], format: Format) -> String {
        let reports: Vec<&ShardReport> = told.iter().map(|shown| shown.report).collect();
        let mut families = Families::default();
        families.add(&UP, &[], 1);
        let general = stats::general::render(shared, &reports);
        versions(&mut families, &general);
        self.general.tell(&mut families, &general, "");
        commands(&mut families, &general);
        let settings = stats::settings::render(shared);
        self.settings.tell(&mut families, &settings, "");
        let slabs = stats::slabs::render(&reports);
        self.slabs.tell(&mut families, &slabs, "slab");
        slab_commands(&mut families, &slabs);
        let items = stats::items::render(shared, &reports);
        self.items.tell(&mut families, &items, "slab");
        let shards = stats::shards::render(shared, &reports);
        self.shards.tell(&mut families, &shards, "shard");
        ages(&mut families, told);
        let memory = stats::memory::render(shared, &reports);
        self.memory.tell(&mut families, &memory, "shard");
        self.histograms.tell(&mut families, shared);
        families.into_text(format)
    }
}

/// A table, by the names of its statistics.
struct Table {
    /// Statistics of the server.
    whole: HashMap<&'static str, &'static Row>,
    /// Statistics of a slab class or of a shard, without its number.
    numbered: HashMap<&'static str, &'static Row>,
}

impl Table {
    fn new(rows: Rows) -> Table {
        let numbered = rows.iter();
        let numbered = numbered.filter_map(|row| Some((row.stat.strip_prefix("N:")?, row)));
        let whole = rows.iter().map(|row| (row.stat, row));
        Table {
            whole: whole.filter(|(stat, _)| !stat.starts_with("N:")).collect(),
            numbered: numbered.collect(),
        }
    }

    /// Adds the samples of `pairs`. The number of a slab class or of a shard becomes the label `of`.
    fn tell(&self, families: &mut Families, pairs: &Pairs, of: &'static str) {
        for (name, value) in texts(pairs) {
            let (number, row) = match numbered(name) {
                Some((number, stat)) => (Some(number), self.numbered.get(stat)),
                None => (None, self.whole.get(name)),
            };
            // A test says which statistics are not told, and why.
            let Some(row) = row else {
                continue;
            };
            let Some(value) = row.scale.apply(value) else {
                continue;
            };
            let number = number.as_ref().map(|number| -> Label<'_> { (of, number) });
            let fixed = row
                .labels
                .iter()
                .map(|(name, value)| -> Label<'_> { (*name, value) });
            let labels: Vec<Label<'_>> = number.into_iter().chain(fixed).collect();
            families.add(&row.family, &labels, value);
        }
    }
}

/// Names and values that are text, as all are that are told here.
fn texts(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    let pairs = pairs.iter();
    pairs
        .filter_map(|(name, value)| Some((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?)))
}

/// The number and the name of a statistic of a slab class or of a shard: `5:name`, or `items:5:name`.
fn numbered(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("items:").unwrap_or(name).split_once(':')
}

/// How old the figures of each shard are.
fn ages(families: &mut Families, told: &[Shown<'_>]) {
    for shown in told {
        let labels: [Label<'_>; 1] = [("shard", &shown.report.shard.0)];
        families.add(&REPORT_AGE, &labels, shown.age.as_secs_f64());
    }
}

fn versions(families: &mut Families, general: &Pairs) {
    families.add(&VERSION, &[("version", &COMPATIBILITY_VERSION)], 1);
    let event_loop = texts(general).find(|(name, _)| *name == "libevent");
    let event_loop = event_loop.map_or("", |(_, value)| value);
    let labels: [Label<'_>; 2] = [
        ("version", &env!("CARGO_PKG_VERSION")),
        ("event_loop", &event_loop),
    ];
    families.add(&BUILD_INFO, &labels, 1);
}

/// The part of a statistic in the number of sets that are no `cas`. `cmd_set` counts these, too.
fn part_of_sets(stat: &str, value: &str) -> i64 {
    let value = value.parse().unwrap_or(0);
    match stat {
        "cmd_set" => value,
        "cas_misses" | "cas_hits" | "cas_badval" => -value,
        _ => 0,
    }
}

/// The commands that memcached_exporter makes of two or more statistics, or calls hits.
fn commands(families: &mut Families, general: &Pairs) {
    let sets: i64 = texts(general)
        .map(|(name, value)| part_of_sets(name, value))
        .sum();
    told_as_hits(families, &COMMANDS, &[("command", &"set")], sets);
    for (_, value) in texts(general).filter(|(name, _)| *name == "cmd_flush") {
        let labels: [Label<'_>; 2] = [("command", &"flush"), ("status", &"hit")];
        families.add(&COMMANDS, &labels, value);
    }
}

/// The same of each slab class.
fn slab_commands(families: &mut Families, slabs: &Pairs) {
    let mut sets: Vec<(&str, i64)> = Vec::new();
    for (name, value) in texts(slabs) {
        let Some((class, stat)) = numbered(name) else {
            continue;
        };
        let part = part_of_sets(stat, value);
        match sets.last_mut() {
            // The statistics of a class stand together.
            Some((last, sum)) if *last == class => *sum += part,
            _ => sets.push((class, part)),
        }
    }
    for (class, sets) in sets {
        let labels: [Label<'_>; 2] = [("slab", &class), ("command", &"set")];
        told_as_hits(families, &SLAB_COMMANDS, &labels, sets);
    }
}

fn told_as_hits(families: &mut Families, family: &Family, labels: &[Label<'_>], sets: i64) {
    let labels = [labels, &[("status", &"hit")]].concat();
    // Shards do not count all of a command at once: the difference may be seen before both parts have been counted.
    families.add(family, &labels, sets.max(0));
}
