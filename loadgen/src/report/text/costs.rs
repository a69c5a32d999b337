//! What a run has cost the client and the server, and what the server tells of itself.

use super::line::line;
use crate::report::model::{ClientUsage, ConnectionShares, RunResult, ServerStats};
use crate::server_process::ProcessUsage;
use crate::units::{format_bytes, format_count, format_share};

pub(super) fn costs(result: &RunResult, out: &mut String) {
    let client = &result.client;
    line!(
        out,
        "client     {:.2} us CPU per request (spinning left out), busiest worker {} busy; {:.0} B out, {:.0} B in per request",
        client.cpu_us_per_request,
        format_share(client.busiest_worker),
        client.sent_bytes_per_request,
        client.received_bytes_per_request
    );
    line!(out, "           {}", own_waits(client));
    connections(&result.connections, out);
    if let Some(server) = &result.server {
        server_costs(server, out);
    }
    result
        .server_stats
        .iter()
        .for_each(|stats| server_stats(stats, out));
    if let Some(preload) = &result.preload {
        line!(
            out,
            "preload    {} keys in {:.1} s, {} refused",
            format_count(preload.keys as f64),
            preload.seconds,
            preload.errors
        );
    }
}

/// How long the workers were kept from running, as far as the kernel says.
fn own_waits(client: &ClientUsage) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), format_share);
    format!(
        "waiting for a CPU {}, stolen by the hypervisor {}, of the workers' time",
        share(client.delayed_share),
        share(client.stolen_share)
    )
}

/// Servers or shards listed one by one; more are summed up.
const GROUPS_LISTED: usize = 8;

fn connections(shares: &[ConnectionShares], out: &mut String) {
    let each = |lowest: u64, highest: u64| {
        format!("{lowest} (lowest) to {highest} (highest) requests on each")
    };
    if let [only] = shares {
        let counts = each(only.lowest, only.highest);
        line!(out, "connections {}: {counts}", only.connections);
    } else if shares.len() <= GROUPS_LISTED {
        for share in shares {
            let counts = each(share.lowest, share.highest);
            line!(
                out,
                "connections {} to {}: {counts}",
                share.connections,
                share.server
            );
        }
    } else {
        let lowest = shares.iter().map(|share| share.lowest).min().unwrap_or(0);
        let highest = shares.iter().map(|share| share.highest).max().unwrap_or(0);
        let count: usize = shares.iter().map(|share| share.connections).sum();
        let counts = each(lowest, highest);
        line!(
            out,
            "connections {count} to {} servers or shards: {counts}",
            shares.len()
        );
    }
}

fn server_costs(server: &ProcessUsage, out: &mut String) {
    let split = match (server.user_us_per_request, server.system_us_per_request) {
        (Some(user), Some(system)) => format!("{user:.2} user, {system:.2} system"),
        _ => "too little to tell user from system".to_owned(),
    };
    let delay = server.delayed_us_per_request.map_or_else(
        || "unknown".to_owned(),
        |us| format!("{us:.2} us per request"),
    );
    line!(
        out,
        "server     {:.2} us CPU per request ({split}), {:.2} of {} CPUs busy, waiting for a CPU {delay}, {} resident",
        server.us_per_request(),
        server.cpus_busy,
        server.cpus_allowed,
        format_bytes(server.resident_bytes as f64)
    );
}

fn server_stats(stats: &ServerStats, out: &mut String) {
    let changes: Vec<String> = stats
        .changes
        .iter()
        .map(|(name, change)| format!("{name} {change:+}"))
        .collect();
    let hit = stats.hit_share.map_or(String::new(), |share| {
        format!("hit rate {}", format_share(share))
    });
    let items = match (stats.items, stats.item_bytes, stats.limit_bytes) {
        (Some(items), Some(bytes), Some(limit)) => format!(
            "{} items in {} of {}",
            format_count(items as f64),
            format_bytes(bytes as f64),
            format_bytes(limit as f64)
        ),
        _ => String::new(),
    };
    let parts: Vec<String> = [hit, items, changes.join(", ")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    // A server that says nothing of itself has no line.
    if !parts.is_empty() {
        line!(out, "stats      {}", parts.join("; "));
    }
}
