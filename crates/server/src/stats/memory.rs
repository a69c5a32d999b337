//! `stats memory`: the bytes by purpose, over all shards and for each shard.

use std::sync::atomic::{AtomicU64, Ordering};

use corecached_engine::MemoryReport;

use crate::memory::conn_memory::ConnMemory;
use crate::shared::Shared;

use crate::operation::{Pairs, ShardReport};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.number("limit_maxbytes", shared.memory.budget.limit_bytes());
    pairs.number("uploads_claimed", shared.memory.uploads.claimed_bytes());
    let sum = |part: fn(&MemoryReport) -> u64| reports.iter().map(|it| part(&it.memory)).sum();
    for (name, part) in ROWS {
        pairs.number(name, sum(part));
    }
    conn_pairs(&mut pairs, shared);
    for report in reports {
        for (name, part) in ROWS {
            let name = format!("{}:{name}", report.shard.0);
            pairs.number(&name, part(&report.memory));
        }
    }
    pairs
}

/// Bytes of connections outside the memory limit, over all shards; `conn_mem_limit` bounds the sum of the first three
/// parts.
fn conn_pairs(pairs: &mut Pairs, shared: &Shared) {
    let sum = |part: fn(&ConnMemory) -> &AtomicU64| -> u64 {
        let parts = shared.memory.all_conns().iter();
        parts
            .map(|memory| part(memory).load(Ordering::Relaxed))
            .sum()
    };
    pairs.number("conn_mem_limit", shared.globals.config.conn_mem_limit_bytes);
    pairs.number("conn_input", sum(|memory| &memory.input));
    pairs.number("conn_output", sum(|memory| &memory.output));
    pairs.number("conn_work", sum(|memory| &memory.work));
    pairs.number("conn_table", sum(|memory| &memory.table));
    pairs.number("conn_pools", sum(|memory| &memory.pools));
    pairs.number("watchers", shared.watch.held_bytes());
    pairs.number("insight", shared.insight.held_bytes());
    pairs.number("latency", shared.latency.held_bytes());
    pairs.number("conn_mem_closed", shared.telemetry.closed_for_memory());
}

type Row = (&'static str, fn(&MemoryReport) -> u64);

/// The rows before `total` add up to it; prefaulted memory counts only once it is used.
const ROWS: [Row; 8] = [
    ("payload", |memory| memory.payload_bytes),
    ("headers", |memory| memory.header_bytes),
    ("index", |memory| memory.index_bytes),
    ("rounding", |memory| memory.rounding_bytes),
    ("free_chunks", |memory| memory.free_chunk_bytes),
    ("free_pages", |memory| memory.free_page_bytes),
    ("total", MemoryReport::total_bytes),
    ("prefaulted", |memory| memory.prefaulted_bytes),
];
