//! `stats`: exactly memcached's names, in its order. Names of mechanisms that do not exist here stay at 0, so that
//! monitoring finds them.

use std::sync::atomic::{AtomicU64, Ordering};

use corecached_protocol::reply::COMPATIBILITY_VERSION;
use corecached_reactor::{Io, ReactorConfig};

use crate::base::counters::Group;
use crate::listen::Transport;
use crate::operation::{Pairs, ShardReport};
use crate::process::{self, Usage};
use crate::shared::Shared;

use super::total;

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    process_pairs(&mut pairs, shared);
    connection_pairs(&mut pairs, shared);
    command_pairs(&mut pairs, shared, reports);
    network_pairs(&mut pairs, shared);
    index_pairs(&mut pairs, reports);
    slab_pairs(&mut pairs, shared, reports);
    log_pairs(&mut pairs, shared);
    item_pairs(&mut pairs, shared, reports);
    pairs
}

/// The lines of a group of network counters.
fn counted(pairs: &mut Pairs, shared: &Shared, group: Group) {
    let telemetry = &shared.telemetry;
    telemetry.tell(group, |name, value| pairs.number(name, value));
}

fn process_pairs(pairs: &mut Pairs, shared: &Shared) {
    let Usage { user, system } = process::usage();
    pairs.number("pid", u64::from(std::process::id()));
    pairs.number("uptime", u64::from(shared.globals.clock.uptime()));
    pairs.number("time", shared.globals.clock.unix_now().unsigned_abs());
    pairs.text("version", COMPATIBILITY_VERSION);
    // This is not libevent, but memcached names its event loop in this place.
    pairs.text(
        "libevent",
        match shared.globals.config.driver() {
            Io::Uring => "glommio+io_uring",
            Io::Epoll => "epoll",
        },
    );
    pairs.number("pointer_size", u64::from(usize::BITS));
    pairs.text(
        "rusage_user",
        format!("{}.{:06}", user.as_secs(), user.subsec_micros()),
    );
    pairs.text(
        "rusage_system",
        format!("{}.{:06}", system.as_secs(), system.subsec_micros()),
    );
}

fn connection_pairs(pairs: &mut Pairs, shared: &Shared) {
    let open = shared.admission.open();
    let buffers = ReactorConfig::default();
    let buffer_count = shared.route.len() as u64 * u64::from(buffers.buffers);
    let buffer_bytes = buffer_count * u64::from(buffers.buffer_bytes);
    pairs.number(
        "max_connections",
        u64::from(shared.globals.config.conn_limit),
    );
    pairs.number("curr_connections", open + udp_sockets(shared));
    counted(pairs, shared, Group::Accepted);
    if shared.globals.config.maxconns_fast {
        counted(pairs, shared, Group::Refused);
    }
    pairs.number("connection_structures", open);
    counted(pairs, shared, Group::ShortOfOutput);
    pairs.number("response_obj_count", 0);
    pairs.number("response_obj_bytes", 0);
    pairs.number("read_buf_count", buffer_count);
    pairs.number("read_buf_bytes", buffer_bytes);
    pairs.number("read_buf_bytes_free", buffer_bytes);
    counted(pairs, shared, Group::ShortOfInput);
    pairs.number(
        "reserved_fds",
        process::reserved_descriptors(shared.route.len()),
    );
}

fn command_pairs(pairs: &mut Pairs, shared: &Shared, reports: &[&ShardReport]) {
    pairs.number("cmd_get", total(reports, |stats| stats.cmd_get));
    pairs.number("cmd_set", total(reports, |stats| stats.cmd_set));
    pairs.number("cmd_flush", shared.telemetry.flushes());
    pairs.number("cmd_touch", total(reports, |stats| stats.cmd_touch));
    pairs.number("cmd_meta", total(reports, |stats| stats.cmd_meta));
    pairs.number("get_hits", total(reports, |stats| stats.get_hits));
    pairs.number("get_misses", total(reports, |stats| stats.get_misses));
    pairs.number("get_expired", total(reports, |stats| stats.get_expired));
    pairs.number("get_flushed", total(reports, |stats| stats.get_flushed));
    pairs.number("delete_misses", total(reports, |stats| stats.delete_misses));
    pairs.number("delete_hits", total(reports, |stats| stats.delete_hits));
    pairs.number("incr_misses", total(reports, |stats| stats.incr_misses));
    pairs.number("incr_hits", total(reports, |stats| stats.incr_hits));
    pairs.number("decr_misses", total(reports, |stats| stats.decr_misses));
    pairs.number("decr_hits", total(reports, |stats| stats.decr_hits));
    pairs.number("cas_misses", total(reports, |stats| stats.cas_misses));
    pairs.number("cas_hits", total(reports, |stats| stats.cas_hits));
    pairs.number("cas_badval", total(reports, |stats| stats.cas_badval));
    pairs.number("touch_hits", total(reports, |stats| stats.touch_hits));
    pairs.number("touch_misses", total(reports, |stats| stats.touch_misses));
    pairs.number(
        "store_too_large",
        total(reports, |stats| stats.store_too_large),
    );
    pairs.number(
        "store_no_memory",
        total(reports, |stats| stats.store_no_memory),
    );
    counted(pairs, shared, Group::Auth);
}

/// Number of UDP sockets. memcached counts them as connections, though not against the limit `-c`.
fn udp_sockets(shared: &Shared) -> u64 {
    let transports = shared
        .admission
        .listeners()
        .iter()
        .map(|info| info.transport);
    let addresses = transports.filter(|&it| it == Transport::Udp).count();
    (addresses * shared.route.len()) as u64
}

fn network_pairs(pairs: &mut Pairs, shared: &Shared) {
    if shared.globals.config.idle_timeout_seconds > 0 {
        counted(pairs, shared, Group::Idle);
    }
    let is_full = !shared.globals.config.maxconns_fast && shared.admission.is_full();
    counted(pairs, shared, Group::Bytes);
    pairs.number("limit_maxbytes", shared.memory.budget.limit_bytes());
    pairs.number("accepting_conns", u64::from(!is_full));
    counted(pairs, shared, Group::Listening);
    pairs.number("threads", shared.route.len() as u64);
    counted(pairs, shared, Group::Turns);
}

fn index_pairs(pairs: &mut Pairs, reports: &[&ShardReport]) {
    pairs.number(
        "hash_power_level",
        reports
            .iter()
            .map(|report| report.engine.hash_power_level)
            .max()
            .unwrap_or(0),
    );
    pairs.number("hash_bytes", total(reports, |stats| stats.hash_bytes));
    pairs.number("hash_is_expanding", 0);
}

fn slab_pairs(pairs: &mut Pairs, shared: &Shared, reports: &[&ShardReport]) {
    if shared.globals.config.slab_reassign {
        pairs.number(
            "slab_reassign_rescues",
            total(reports, |stats| stats.slab_reassign_rescues),
        );
        pairs.number(
            "slab_reassign_chunk_rescues",
            total(reports, |stats| stats.slab_reassign_chunk_rescues),
        );
        pairs.number(
            "slab_reassign_inline_reclaim",
            total(reports, |stats| stats.slab_reassign_evictions),
        );
        pairs.number(
            "slab_reassign_busy_items",
            total(reports, |stats| stats.slab_reassign_busy_items),
        );
        pairs.number("slab_reassign_busy_deletes", 0);
        pairs.number("slab_reassign_busy_nomem", 0);
        // No move of a page waits for an item here.
        pairs.text("slab_reassign_last_busy_status", "none");
        pairs.number(
            "slab_reassign_running",
            total(reports, |stats| stats.slab_reassign_running).min(1),
        );
        pairs.number("slabs_moved", total(reports, |stats| stats.slabs_moved));
    }
    if shared.globals.tuning.lru_crawler.is_on() {
        pairs.number(
            "lru_crawler_running",
            u64::from(shared.crawler.is_running()),
        );
        pairs.number("lru_crawler_starts", shared.crawler.starts());
    }
    if shared.globals.config.lru_maintainer {
        pairs.number("lru_maintainer_juggles", 0);
    }
}

fn log_pairs(pairs: &mut Pairs, shared: &Shared) {
    // Nothing that memcached counts here can fail and be survived: docs/differences.md.
    pairs.number("malloc_fails", 0);
    let watch = &shared.watch;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    pairs.number("log_worker_dropped", count(&watch.dropped));
    pairs.number("log_worker_written", count(&watch.written));
    pairs.number("log_watcher_skipped", count(&watch.skipped));
    pairs.number("log_watcher_sent", count(&watch.sent));
    pairs.number("log_watchers", watch.watchers());
    tls_pairs(pairs, shared);
    pairs.number("unexpected_napi_ids", 0);
    pairs.number("round_robin_fallback", 0);
}

fn tls_pairs(pairs: &mut Pairs, shared: &Shared) {
    let Some(tls) = &shared.admission.tls else {
        return;
    };
    if shared.globals.config.ssl.session_cache {
        counted(pairs, shared, Group::TlsSessions);
    }
    counted(pairs, shared, Group::TlsErrors);
    let age = tls.seconds_since_refresh(shared.globals.clock.now().0);
    pairs.number("time_since_server_cert_refresh", u64::from(age));
}

fn item_pairs(pairs: &mut Pairs, shared: &Shared, reports: &[&ShardReport]) {
    pairs.number("bytes", total(reports, |stats| stats.bytes));
    pairs.number("curr_items", total(reports, |stats| stats.curr_items));
    pairs.number("total_items", total(reports, |stats| stats.total_items));
    pairs.number(
        "slab_global_page_pool",
        total(reports, |stats| stats.slab_global_page_pool),
    );
    pairs.number(
        "expired_unfetched",
        total(reports, |stats| stats.expired_unfetched),
    );
    pairs.number(
        "evicted_unfetched",
        total(reports, |stats| stats.evicted_unfetched),
    );
    if shared.globals.config.lru_maintainer {
        pairs.number("evicted_active", 0);
    }
    pairs.number("evictions", total(reports, |stats| stats.evictions));
    pairs.number("reclaimed", total(reports, |stats| stats.reclaimed));
    pairs.number(
        "crawler_reclaimed",
        total(reports, |stats| stats.crawler_reclaimed),
    );
    pairs.number(
        "crawler_items_checked",
        total(reports, |stats| stats.crawler_items_checked),
    );
    pairs.number("lrutail_reflocked", 0);
    if shared.globals.config.lru_maintainer {
        for name in [
            "moves_to_cold",
            "moves_to_warm",
            "moves_within_lru",
            "direct_reclaims",
            "lru_bumps_dropped",
        ] {
            pairs.number(name, 0);
        }
    }
}
