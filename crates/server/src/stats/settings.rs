//! `stats settings`: the command line as it is in force, under memcached's names and in its order.

use std::sync::atomic::Ordering;

use crate::config::{Config, SLAB_PAGE_BYTES};
use crate::shared::Shared;

use super::Lines;

/// Client flags have four bytes, as in memcached's default build.
const CLIENT_FLAGS_BYTES: u64 = 4;
/// What memcached shows for `-f` and `-n` without them; the engine's own classes are finer.
const DEFAULT_GROWTH_FACTOR: f64 = 1.25;
const DEFAULT_CHUNK_SIZE: u32 = 48;

/// The whole reply.
pub(crate) fn render(shared: &Shared) -> Vec<u8> {
    let mut lines = Lines::default();
    let config = &shared.config;
    lines.number("maxbytes", shared.budget.limit_bytes());
    connection_lines(&mut lines, config, shared.verbosity.load(Ordering::Relaxed));
    memory_lines(&mut lines, config);
    command_lines(&mut lines, config);
    maintenance_lines(&mut lines, config);
    lru_lines(&mut lines, config);
    buffer_lines(&mut lines, config);
    lines.end()
}

fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

fn connection_lines(lines: &mut Lines, config: &Config, verbosity: u8) {
    lines.number("maxconns", u64::from(config.conn_limit));
    lines.text("tcpport", config.tcp_port.number().to_string());
    lines.number("udpport", u64::from(config.udp_port));
    lines.text("inter", config.listen_text.as_deref().unwrap_or("NULL"));
    lines.number("verbosity", u64::from(verbosity));
    lines.number("oldest", 0);
    lines.text("evictions", if config.evictions { "on" } else { "off" });
    match &config.unix_socket {
        Some(path) => lines.text("domain_socket", path.as_os_str().as_encoded_bytes()),
        None => lines.text("domain_socket", "NULL"),
    }
    lines.text("umask", format!("{:o}", config.unix_mask));
    lines.text("shutdown_command", yes_no(config.shutdown_enabled));
}

fn memory_lines(lines: &mut Lines, config: &Config) {
    lines.text(
        "growth_factor",
        format!(
            "{:.2}",
            config.growth_factor.unwrap_or(DEFAULT_GROWTH_FACTOR)
        ),
    );
    lines.number(
        "chunk_size",
        u64::from(config.chunk_size_min.unwrap_or(DEFAULT_CHUNK_SIZE)),
    );
    lines.number("num_threads", config.threads as u64);
    lines.number("num_threads_per_udp", config.threads as u64);
    lines.text("stat_key_prefix", [config.prefix_delimiter]);
    lines.text("detail_enabled", yes_no(config.detail_enabled));
    lines.number("reqs_per_event", u64::from(config.reqs_per_event));
    lines.text("cas_enabled", yes_no(config.cas_enabled));
    lines.text("tcp_backlog", config.backlog.to_string());
    lines.text("binding_protocol", config.binding_protocol.name());
    lines.text("auth_enabled_sasl", "no");
    lines.text("auth_enabled_ascii", "no");
    lines.number("item_size_max", config.item_size_max);
    lines.text("maxconns_fast", yes_no(config.maxconns_fast));
    lines.number("hashpower_init", u64::from(config.hashpower));
    lines.text("slab_reassign", yes_no(config.slab_reassign));
    lines.number("slab_automove", u64::from(config.slab_automove));
    lines.text(
        "slab_automove_ratio",
        format!("{:.2}", config.slab_automove_ratio),
    );
    lines.number(
        "slab_automove_window",
        u64::from(config.slab_automove_window),
    );
    lines.number("slab_chunk_max", config.slab_chunk_max.min(SLAB_PAGE_BYTES));
}

fn command_lines(lines: &mut Lines, config: &Config) {
    lines.text("lru_crawler", yes_no(config.lru_crawler));
    lines.number("lru_crawler_sleep", u64::from(config.lru_crawler_sleep));
    lines.number("lru_crawler_tocrawl", u64::from(config.lru_crawler_tocrawl));
    lines.number("tail_repair_time", u64::from(config.tail_repair_time));
    lines.text("flush_enabled", yes_no(config.flush_enabled));
    lines.text("dump_enabled", yes_no(config.dump_enabled));
}

fn maintenance_lines(lines: &mut Lines, config: &Config) {
    lines.text("hash_algorithm", config.hash_algorithm);
    lines.text("lru_maintainer_thread", yes_no(config.lru_maintainer));
    lines.text("lru_segmented", yes_no(config.lru_segmented));
}

fn lru_lines(lines: &mut Lines, config: &Config) {
    lines.number("hot_lru_pct", u64::from(config.hot_lru_pct));
    lines.number("warm_lru_pct", u64::from(config.warm_lru_pct));
    lines.text("hot_max_factor", format!("{:.2}", config.hot_max_factor));
    lines.text("warm_max_factor", format!("{:.2}", config.warm_max_factor));
    lines.text("temp_lru", yes_no(config.temp_lru));
    lines.number("temporary_ttl", u64::from(config.temporary_ttl));
    lines.number("idle_timeout", u64::from(config.idle_timeout_seconds));
}

fn buffer_lines(lines: &mut Lines, config: &Config) {
    lines.number("watcher_logbuf_size", config.watcher_logbuf_bytes);
    lines.number("worker_logbuf_size", config.worker_logbuf_bytes);
    lines.number("read_buf_mem_limit", config.read_buf_mem_limit_bytes);
    lines.text("track_sizes", yes_no(config.track_sizes));
    lines.text("inline_ascii_response", "no");
    if config.drop_privileges {
        lines.text("drop_privileges", "yes");
    }
    lines.number("num_napi_ids", u64::from(config.napi_ids));
    lines.text("memory_file", "NULL");
    lines.number("client_flags_size", CLIENT_FLAGS_BYTES);
}
