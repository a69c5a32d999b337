//! `stats memory`: where the bytes are, over all shards and for each.

use corecached_engine::MemoryReport;

use crate::shared::Shared;

use super::{Pairs, ShardReport};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.number("limit_maxbytes", shared.budget.limit_bytes());
    pairs.number("uploads_claimed", shared.uploads.claimed_bytes());
    let sum = |part: fn(&MemoryReport) -> u64| reports.iter().map(|it| part(&it.memory)).sum();
    for (name, part) in PARTS {
        pairs.number(name, sum(part));
    }
    for report in reports {
        for (name, part) in PARTS {
            let name = format!("{}:{name}", report.shard.0);
            pairs.number(&name, part(&report.memory));
        }
    }
    pairs
}

type Part = (&'static str, fn(&MemoryReport) -> u64);

/// The parts, which add up to `total`; prefaulted memory is not in it until it is used.
const PARTS: [Part; 8] = [
    ("payload", |memory| memory.payload_bytes),
    ("headers", |memory| memory.header_bytes),
    ("index", |memory| memory.index_bytes),
    ("rounding", |memory| memory.rounding_bytes),
    ("free_chunks", |memory| memory.free_chunk_bytes),
    ("free_pages", |memory| memory.free_page_bytes),
    ("total", MemoryReport::total_bytes),
    ("prefaulted", |memory| memory.prefaulted_bytes),
];
