//! `stats shards`: statistics of our own. They are the version of this program, the mapping of keys to shards, and the
//! load of each shard.

use corecached_engine::KeyHasher;

use crate::base::config::EVICTION;
use crate::base::counters::Group;
use crate::shared::Shared;

use crate::operation::{Pairs, ShardReport};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.text("corecached_version", env!("CARGO_PKG_VERSION"));
    pairs.number("shards", shared.route.len() as u64);
    pairs.text("hash", KeyHasher::NAME);
    if shared.globals.config.shard_port > 0 {
        // A client that knows the seed can make keys that collide (docs/security.md): it is shown only where clients
        // need it.
        pairs.number("hash_seed", shared.globals.hasher.seed());
    }
    pairs.number("shard_port", u64::from(shared.globals.config.shard_port));
    pairs.text("eviction", EVICTION);
    pairs.text("mapping", "((hash>>32)*shards)>>32");
    for report in reports {
        shard_pairs(&mut pairs, shared, report);
    }
    pairs
}

fn shard_pairs(pairs: &mut Pairs, shared: &Shared, report: &ShardReport) {
    let id = report.shard;
    let counters = shared.telemetry.of(id.0);
    let mut number = |name: &str, value: u64| pairs.number(&format!("{}:{name}", id.0), value);
    number("curr_connections", shared.admission.of_shard(id));
    counters.tell(Group::ShardArrivals, &mut number);
    number("curr_items", report.engine.curr_items);
    number("bytes", report.engine.bytes);
    number("memory_bytes", report.engine.charged_bytes);
    let memory = shared.memory.engine(report.shard);
    number("turnover_ms", memory.turnover_ms().unwrap_or(0));
    let now_ms = shared.globals.clock.now_ms();
    number("idle_seconds", memory.idle_ms(now_ms).min(now_ms) / 1000);
    counters.tell(Group::ShardPages, &mut number);
    number("cmd_get", report.engine.cmd_get);
    number("cmd_set", report.engine.cmd_set);
    number("get_hits", report.engine.get_hits);
    counters.tell(Group::ShardLoop, &mut number);
}
