//! `stats`: exactly memcached's names, in its order. Names of mechanisms that do not exist here stay at 0, so that
//! monitoring finds them.

use std::sync::atomic::Ordering;

use corecached_protocol::reply::COMPATIBILITY_VERSION;
use corecached_reactor::ReactorConfig;

use crate::process::{self, Usage};
use crate::shared::{Counter, NetCounters, Shared};

use super::{Lines, ShardReport, total};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Vec<u8> {
    let mut lines = Lines::default();
    process_lines(&mut lines, shared);
    connection_lines(&mut lines, shared);
    command_lines(&mut lines, shared, reports);
    network_lines(&mut lines, shared);
    index_lines(&mut lines, reports);
    slab_lines(&mut lines, shared, reports);
    log_lines(&mut lines, reports);
    item_lines(&mut lines, shared, reports);
    lines.end()
}

fn net_total(shared: &Shared, counter: impl Fn(&NetCounters) -> &Counter) -> u64 {
    shared
        .shards
        .iter()
        .map(|shard| counter(&shard.net).get())
        .sum()
}

fn process_lines(lines: &mut Lines, shared: &Shared) {
    let Usage { user, system } = process::usage();
    lines.number("pid", u64::from(std::process::id()));
    lines.number("uptime", u64::from(shared.clock.uptime()));
    lines.number("time", shared.clock.unix_now().unsigned_abs());
    lines.text("version", COMPATIBILITY_VERSION);
    // Not libevent, but this is the place where memcached names its event loop.
    lines.text("libevent", "glommio+io_uring");
    lines.number("pointer_size", u64::from(usize::BITS));
    lines.text(
        "rusage_user",
        format!("{}.{:06}", user.as_secs(), user.subsec_micros()),
    );
    lines.text(
        "rusage_system",
        format!("{}.{:06}", system.as_secs(), system.subsec_micros()),
    );
}

fn connection_lines(lines: &mut Lines, shared: &Shared) {
    let open = shared.connections.load(Ordering::Relaxed);
    let buffers = ReactorConfig::default();
    let buffer_count = shared.shards.len() as u64 * u64::from(buffers.buffers);
    let buffer_bytes = buffer_count * u64::from(buffers.buffer_bytes);
    lines.number("max_connections", u64::from(shared.config.conn_limit));
    lines.number("curr_connections", open);
    lines.number(
        "total_connections",
        net_total(shared, |net| &net.total_connections),
    );
    if shared.config.maxconns_fast {
        lines.number(
            "rejected_connections",
            net_total(shared, |net| &net.rejected_connections),
        );
    }
    lines.number("connection_structures", open);
    lines.number("response_obj_oom", 0);
    lines.number("response_obj_count", 0);
    lines.number("response_obj_bytes", 0);
    lines.number("read_buf_count", buffer_count);
    lines.number("read_buf_bytes", buffer_bytes);
    lines.number("read_buf_bytes_free", buffer_bytes);
    lines.number("read_buf_oom", 0);
    lines.number(
        "reserved_fds",
        process::reserved_descriptors(shared.shards.len()),
    );
}

fn command_lines(lines: &mut Lines, shared: &Shared, reports: &[&ShardReport]) {
    lines.number("cmd_get", total(reports, |stats| stats.cmd_get));
    lines.number("cmd_set", total(reports, |stats| stats.cmd_set));
    lines.number("cmd_flush", shared.cmd_flush.load(Ordering::Relaxed));
    lines.number("cmd_touch", total(reports, |stats| stats.cmd_touch));
    lines.number("cmd_meta", 0);
    lines.number("get_hits", total(reports, |stats| stats.get_hits));
    lines.number("get_misses", total(reports, |stats| stats.get_misses));
    lines.number("get_expired", total(reports, |stats| stats.get_expired));
    lines.number("get_flushed", total(reports, |stats| stats.get_flushed));
    lines.number("delete_misses", total(reports, |stats| stats.delete_misses));
    lines.number("delete_hits", total(reports, |stats| stats.delete_hits));
    lines.number("incr_misses", total(reports, |stats| stats.incr_misses));
    lines.number("incr_hits", total(reports, |stats| stats.incr_hits));
    lines.number("decr_misses", total(reports, |stats| stats.decr_misses));
    lines.number("decr_hits", total(reports, |stats| stats.decr_hits));
    lines.number("cas_misses", total(reports, |stats| stats.cas_misses));
    lines.number("cas_hits", total(reports, |stats| stats.cas_hits));
    lines.number("cas_badval", total(reports, |stats| stats.cas_badval));
    lines.number("touch_hits", total(reports, |stats| stats.touch_hits));
    lines.number("touch_misses", total(reports, |stats| stats.touch_misses));
    lines.number(
        "store_too_large",
        total(reports, |stats| stats.store_too_large),
    );
    lines.number(
        "store_no_memory",
        total(reports, |stats| stats.store_no_memory),
    );
    lines.number("auth_cmds", 0);
    lines.number("auth_errors", 0);
}

fn network_lines(lines: &mut Lines, shared: &Shared) {
    if shared.config.idle_timeout_seconds > 0 {
        lines.number("idle_kicks", net_total(shared, |net| &net.idle_kicks));
    }
    let open = shared.connections.load(Ordering::Relaxed);
    let full = !shared.config.maxconns_fast && open >= u64::from(shared.config.conn_limit);
    lines.number("bytes_read", net_total(shared, |net| &net.bytes_read));
    lines.number("bytes_written", net_total(shared, |net| &net.bytes_written));
    lines.number("limit_maxbytes", shared.budget.limit_bytes());
    lines.number("accepting_conns", u64::from(!full));
    lines.number(
        "listen_disabled_num",
        net_total(shared, |net| &net.listen_disabled),
    );
    lines.number(
        "time_in_listen_disabled_us",
        net_total(shared, |net| &net.listen_disabled_us),
    );
    lines.number("threads", shared.shards.len() as u64);
    lines.number("conn_yields", net_total(shared, |net| &net.conn_yields));
}

fn index_lines(lines: &mut Lines, reports: &[&ShardReport]) {
    lines.number(
        "hash_power_level",
        reports
            .iter()
            .map(|report| report.engine.hash_power_level)
            .max()
            .unwrap_or(0),
    );
    lines.number("hash_bytes", total(reports, |stats| stats.hash_bytes));
    lines.number("hash_is_expanding", 0);
}

fn slab_lines(lines: &mut Lines, shared: &Shared, reports: &[&ShardReport]) {
    if shared.config.slab_reassign {
        lines.number(
            "slab_reassign_rescues",
            total(reports, |stats| stats.slab_reassign_rescues),
        );
        lines.number("slab_reassign_chunk_rescues", 0);
        lines.number(
            "slab_reassign_inline_reclaim",
            total(reports, |stats| stats.slab_reassign_evictions),
        );
        lines.number(
            "slab_reassign_busy_items",
            total(reports, |stats| stats.slab_reassign_busy_items),
        );
        lines.number("slab_reassign_busy_deletes", 0);
        lines.number("slab_reassign_busy_nomem", 0);
        lines.number("slab_reassign_last_busy_status", 0);
        lines.number("slab_reassign_running", 0);
        lines.number("slabs_moved", total(reports, |stats| stats.slabs_moved));
    }
    if shared.config.lru_crawler {
        lines.number("lru_crawler_running", 0);
        lines.number("lru_crawler_starts", 0);
    }
    if shared.config.lru_maintainer {
        lines.number("lru_maintainer_juggles", 0);
    }
}

fn log_lines(lines: &mut Lines, reports: &[&ShardReport]) {
    lines.number("malloc_fails", total(reports, |stats| stats.malloc_fails));
    lines.number("log_worker_dropped", 0);
    lines.number("log_worker_written", 0);
    lines.number("log_watcher_skipped", 0);
    lines.number("log_watcher_sent", 0);
    lines.number("log_watchers", 0);
    lines.number("unexpected_napi_ids", 0);
    lines.number("round_robin_fallback", 0);
}

fn item_lines(lines: &mut Lines, shared: &Shared, reports: &[&ShardReport]) {
    lines.number("bytes", total(reports, |stats| stats.bytes));
    lines.number("curr_items", total(reports, |stats| stats.curr_items));
    lines.number("total_items", total(reports, |stats| stats.total_items));
    lines.number(
        "slab_global_page_pool",
        total(reports, |stats| stats.slab_global_page_pool),
    );
    lines.number(
        "expired_unfetched",
        total(reports, |stats| stats.expired_unfetched),
    );
    lines.number(
        "evicted_unfetched",
        total(reports, |stats| stats.evicted_unfetched),
    );
    if shared.config.lru_maintainer {
        lines.number("evicted_active", 0);
    }
    lines.number("evictions", total(reports, |stats| stats.evictions));
    lines.number("reclaimed", total(reports, |stats| stats.reclaimed));
    lines.number(
        "crawler_reclaimed",
        total(reports, |stats| stats.crawler_reclaimed),
    );
    lines.number(
        "crawler_items_checked",
        total(reports, |stats| stats.crawler_items_checked),
    );
    lines.number("lrutail_reflocked", 0);
    if shared.config.lru_maintainer {
        for name in [
            "moves_to_cold",
            "moves_to_warm",
            "moves_within_lru",
            "direct_reclaims",
            "lru_bumps_dropped",
        ] {
            lines.number(name, 0);
        }
    }
}
