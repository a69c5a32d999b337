//! `stats hotkeys`, our own: the keys that are asked for most, with their share of all requests.

use corecached_insight::merge;
use corecached_protocol::uri;

use crate::operation::{HotKeysReport, Pairs};
use crate::shared::Shared;

/// Keys that are shown.
const KEYS_SHOWN: usize = 20;

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[HotKeysReport]) -> Pairs {
    let mut pairs = Pairs::default();
    if !shared.globals.config.hot_keys {
        pairs.text("hotkeys_status", "disabled");
        return pairs;
    }
    let shards: Vec<_> = reports
        .iter()
        .map(|report| (report.requests, report.unseen, report.keys.clone()))
        .collect();
    let shares = merge(&shards, KEYS_SHOWN);
    pairs.number("requests", shares.requests);
    for (rank, key) in (1..).zip(&shares.keys) {
        let mut name = Vec::new();
        uri::encode(&mut name, &key.key);
        pairs.text(&format!("{rank}:key"), name);
        pairs.text(&format!("{rank}:percent"), percent(key.share));
        pairs.text(&format!("{rank}:error_percent"), percent(key.error));
        pairs.number(&format!("{rank}:requests"), key.requests);
        pairs.text(&format!("{rank}:changes_percent"), percent(key.changes));
        let shard = shared.route.owner_of(corecached_engine::KeyHash(key.hash));
        pairs.number(&format!("{rank}:shard"), u64::from(shard.0));
    }
    pairs
}

fn percent(part: f64) -> String {
    format!("{:.2}", 100.0 * part)
}
