//! The replies to `stats` and its subcommands. Names, order and meaning are memcached's; statistics of our own are in
//! `stats shards`, `stats memory`, `stats hotkeys`, `stats mrc` and `stats latency`.

pub(crate) mod general;
pub(crate) mod hot_keys;
pub(crate) mod items;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod mrc;
pub(crate) mod settings;
pub(crate) mod shards;
pub(crate) mod slabs;

use corecached_engine::{ClassStats, EngineStats};

use crate::operation::ShardReport;

/// Sums a counter over the shards.
fn total(reports: &[&ShardReport], counter: impl Fn(&EngineStats) -> u64) -> u64 {
    reports.iter().map(|report| counter(&report.engine)).sum()
}

/// A slab class over all shards.
struct ClassTotal<'a> {
    class_id: u8,
    parts: Vec<&'a ClassStats>,
}

impl ClassTotal<'_> {
    fn sum(&self, counter: impl Fn(&ClassStats) -> u64) -> u64 {
        self.parts.iter().map(|class| counter(class)).sum()
    }

    fn max(&self, value: impl Fn(&ClassStats) -> u64) -> u64 {
        self.parts
            .iter()
            .map(|class| value(class))
            .max()
            .unwrap_or(0)
    }
}

/// The slab classes for which `wanted` is true on at least one shard, by number.
fn class_totals<'a>(
    reports: &[&'a ShardReport],
    wanted: impl Fn(&ClassStats) -> bool,
) -> Vec<ClassTotal<'a>> {
    let mut totals: Vec<ClassTotal<'a>> = Vec::new();
    for class in reports.iter().flat_map(|report| &report.classes) {
        match totals.binary_search_by_key(&class.class_id, |total| total.class_id) {
            Ok(at) => totals[at].parts.push(class),
            Err(at) => totals.insert(
                at,
                ClassTotal {
                    class_id: class.class_id,
                    parts: vec![class],
                },
            ),
        }
    }
    totals.retain(|total| total.parts.iter().any(|class| wanted(class)));
    totals
}
