//! `stats shards`: what is ours alone. The version of this program, how keys map to shards, and the load of each shard.

use std::sync::atomic::Ordering;

use corecached_engine::KeyHasher;

use crate::ground::config::EVICTION;
use crate::shared::Shared;

use crate::cell::{Pairs, ShardReport};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.text("corecached_version", env!("CARGO_PKG_VERSION"));
    pairs.number("shards", shared.shards.len() as u64);
    pairs.text("hash", KeyHasher::NAME);
    if shared.config.shard_port > 0 {
        // Who knows it can make keys that collide (docs/security.md): it is told where clients need it.
        pairs.number("hash_seed", shared.hasher.seed());
    }
    pairs.number("shard_port", u64::from(shared.config.shard_port));
    pairs.text("eviction", EVICTION);
    pairs.text("mapping", "((hash>>32)*shards)>>32");
    for report in reports {
        shard_pairs(&mut pairs, shared, report);
    }
    pairs
}

fn shard_pairs(pairs: &mut Pairs, shared: &Shared, report: &ShardReport) {
    let net = &shared.shard(report.shard).net;
    let mut number =
        |name: &str, value: u64| pairs.number(&format!("{}:{name}", report.shard.0), value);
    number(
        "curr_connections",
        net.curr_connections.load(Ordering::Relaxed),
    );
    number("adopted_connections", net.adopted.get());
    number("udp_dropped", net.udp_dropped.get());
    number("curr_items", report.engine.curr_items);
    number("bytes", report.engine.bytes);
    number("memory_bytes", report.engine.charged_bytes);
    let memory = &shared.shard(report.shard).memory;
    number("turnover_ms", memory.turnover_ms().unwrap_or(0));
    let now_ms = shared.clock.now_ms();
    number("idle_seconds", memory.idle_ms(now_ms).min(now_ms) / 1000);
    number("pages_given", memory.pages_given.load(Ordering::Relaxed));
    number("cmd_get", report.engine.cmd_get);
    number("cmd_set", report.engine.cmd_set);
    number("get_hits", report.engine.get_hits);
    number("ticks", net.ticks.get());
    number("parks", net.parks.get());
    number("remote_ops", net.remote_ops.get());
    number("loans", net.loans.get());
    number("messages", net.messages.get());
    number("doorbells", net.doorbells.get());
    number("streams_in_doubt", net.streams_in_doubt.get());
    number("bytes_read", net.bytes_read.get());
    number("bytes_written", net.bytes_written.get());
}
