//! Which family each statistic belongs to. The names are those of Prometheus' memcached_exporter where it has one, so
//! that dashboards and rules for it find them here; the others are made like them. What memcached does not have begins
//! with `corecached_`.
//!
//! A row: the name that `stats` tells, the kind, the name of the samples, and what it is. `N:` stands for the number of
//! a slab class or of a shard, which becomes a label. Then there may be further labels, and a unit in which the
//! statistic is told while the family has seconds. The description may be left out after the first row of a family.

use std::borrow::Cow;

use super::families::{Family, Kind};

/// A statistic, and the samples that it becomes.
#[derive(Debug)]
pub(super) struct Row {
    /// The name of the statistic.
    pub(super) stat: &'static str,
    /// The family of its samples.
    pub(super) family: Family,
    /// The labels of its samples, besides the number.
    pub(super) labels: &'static [(&'static str, &'static str)],
    /// What is done to the value.
    pub(super) scale: Scale,
}

/// A table.
pub(super) type Rows = &'static [Row];

/// How a value is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// As it is.
    Same,
    /// From microseconds to seconds.
    Micros,
    /// From milliseconds to seconds.
    Millis,
    /// `yes` is 1, `no` is 0.
    Switch,
}

impl Scale {
    /// The value of a sample; `None` if there is no number to tell.
    pub(super) fn apply(self, value: &str) -> Option<Cow<'_, str>> {
        let seconds = |parts: u64, digits: usize| {
            let whole: u64 = value.parse().ok()?;
            let (seconds, rest) = (whole / parts, whole % parts);
            Some(Cow::Owned(format!("{seconds}.{rest:0digits$}")))
        };
        match self {
            Scale::Same => {
                let number: f64 = value.parse().ok()?;
                number.is_finite().then_some(Cow::Borrowed(value))
            }
            Scale::Micros => seconds(1_000_000, 6),
            Scale::Millis => seconds(1_000, 3),
            Scale::Switch => Some(Cow::Borrowed(if value == "yes" { "1" } else { "0" })),
        }
    }
}

macro_rules! rows {
    ($($stat:literal $kind:ident $name:literal $($help:literal)? $([$($label:ident = $value:literal)+])? $(/ $scale:ident)?;)*) => {
        &[$(Row {
            stat: $stat,
            family: Family { name: $name, kind: Kind::$kind, help: concat!($($help)?) },
            labels: &[$($((stringify!($label), $value)),+)?],
            scale: rows!(@scale $($scale)?),
        }),*]
    };
    (@scale) => { Scale::Same };
    (@scale $scale:ident) => { Scale::$scale };
}

/// Whether the figures could be had; without them there is no page.
pub(super) const UP: Family = Family {
    name: "memcached_up",
    kind: Kind::Gauge,
    help: "Whether the server has told its statistics.",
};
/// Names the shards whose figures are not of now.
pub(super) const REPORT_AGE: Family = Family {
    name: "corecached_shard_report_age_seconds",
    kind: Kind::Gauge,
    help: "Age of the shard's figures: 0 unless it has not answered within a second.",
};
/// The version of memcached.
pub(super) const VERSION: Family = Family {
    name: "memcached_version",
    kind: Kind::Gauge,
    help: "The version of memcached that the server is compatible with.",
};
/// The version of this program.
pub(super) const BUILD_INFO: Family = Family {
    name: "corecached_build_info",
    kind: Kind::Gauge,
    help: "The version of the server, and how it waits for sockets.",
};
/// Commands.
pub(super) const COMMANDS: Family = Family {
    name: "memcached_commands_total",
    kind: Kind::Counter,
    help: "Commands by name and outcome.",
};
/// Commands by slab class.
pub(super) const SLAB_COMMANDS: Family = Family {
    name: "memcached_slab_commands_total",
    kind: Kind::Counter,
    help: "Commands on items of the slab class, by name and outcome.",
};

/// `stats`.
pub(super) const GENERAL: Rows = rows! {
    "pid" Gauge "memcached_process_id" "The number of the process.";
    "uptime" Gauge "memcached_uptime_seconds" "Seconds since the start.";
    "time" Gauge "memcached_time_seconds" "The time of the server, in seconds since 1970.";
    "rusage_user" Counter "memcached_process_user_cpu_seconds_total" "CPU time of the process in user mode.";
    "rusage_system" Counter "memcached_process_system_cpu_seconds_total" "CPU time of the process in the kernel.";
    "max_connections" Gauge "memcached_max_connections" "The limit on connections (-c).";
    "curr_connections" Gauge "memcached_current_connections" "Connections that are open.";
    "total_connections" Counter "memcached_connections_total" "Connections that were accepted.";
    "rejected_connections" Counter "memcached_connections_rejected_total" "Connections that were refused because of -c.";
    "connection_structures" Gauge "memcached_connection_structures" "Connections that memory is held for.";
    "response_obj_oom" Counter "memcached_response_objects_oom_total" "Connections closed for want of memory for replies.";
    "response_obj_count" Gauge "memcached_response_objects" "Always 0: there are no such objects.";
    "response_obj_bytes" Gauge "memcached_response_objects_bytes" "Always 0: there are no such objects.";
    "read_buf_count" Gauge "memcached_read_buffers" "Receive buffers.";
    "read_buf_bytes" Gauge "memcached_read_buffers_bytes" "Bytes of receive buffers.";
    "read_buf_bytes_free" Gauge "memcached_read_buffers_free_bytes" "Bytes of receive buffers that are not in use.";
    "read_buf_oom" Counter "memcached_read_buffers_oom_total" "Connections closed for want of memory for input.";
    "reserved_fds" Gauge "memcached_reserved_file_descriptors" "File descriptors besides those of connections.";
    "cmd_get" Counter "memcached_command_requests_total" "Commands by name, whatever their outcome." [command = "get"];
    "cmd_set" Counter "memcached_command_requests_total" [command = "set"];
    "cmd_flush" Counter "memcached_command_requests_total" [command = "flush"];
    "cmd_touch" Counter "memcached_command_requests_total" [command = "touch"];
    "cmd_meta" Counter "memcached_command_requests_total" [command = "meta"];
    "get_hits" Counter "memcached_commands_total" "Commands by name and outcome." [command = "get" status = "hit"];
    "get_misses" Counter "memcached_commands_total" [command = "get" status = "miss"];
    "get_expired" Counter "memcached_gets_expired_total" "Gets that missed because the time of the item was over.";
    "get_flushed" Counter "memcached_gets_flushed_total" "Gets that missed because of flush_all.";
    "delete_misses" Counter "memcached_commands_total" [command = "delete" status = "miss"];
    "delete_hits" Counter "memcached_commands_total" [command = "delete" status = "hit"];
    "incr_misses" Counter "memcached_commands_total" [command = "incr" status = "miss"];
    "incr_hits" Counter "memcached_commands_total" [command = "incr" status = "hit"];
    "decr_misses" Counter "memcached_commands_total" [command = "decr" status = "miss"];
    "decr_hits" Counter "memcached_commands_total" [command = "decr" status = "hit"];
    "cas_misses" Counter "memcached_commands_total" [command = "cas" status = "miss"];
    "cas_hits" Counter "memcached_commands_total" [command = "cas" status = "hit"];
    "cas_badval" Counter "memcached_commands_total" [command = "cas" status = "badval"];
    "touch_hits" Counter "memcached_commands_total" [command = "touch" status = "hit"];
    "touch_misses" Counter "memcached_commands_total" [command = "touch" status = "miss"];
    "store_too_large" Counter "memcached_item_too_large_total" "Stores that failed because the item was larger than -I.";
    "store_no_memory" Counter "memcached_item_no_memory_total" "Stores that failed for want of memory.";
    "auth_cmds" Counter "memcached_auth_commands_total" "Attempts to authenticate.";
    "auth_errors" Counter "memcached_auth_errors_total" "Attempts to authenticate that failed.";
    "idle_kicks" Counter "memcached_connections_idle_closed_total" "Connections closed by -o idle_timeout.";
    "bytes_read" Counter "memcached_read_bytes_total" "Bytes that were received.";
    "bytes_written" Counter "memcached_written_bytes_total" "Bytes that were sent.";
    "limit_maxbytes" Gauge "memcached_limit_bytes" "The limit on memory for items and their index (-m).";
    "accepting_conns" Gauge "memcached_accepting_connections" "Whether connections are accepted.";
    "listen_disabled_num" Counter "memcached_connections_listener_disabled_total" "Times that accepting stopped because of -c.";
    "time_in_listen_disabled_us" Counter "memcached_connections_listener_disabled_seconds_total" "Time in which accepting was stopped." / Micros;
    "threads" Gauge "memcached_threads" "Shards, each with its thread (-t).";
    "conn_yields" Counter "memcached_connections_yielded_total" "Times that a connection had more requests than -R in a turn.";
    "hash_power_level" Gauge "memcached_hash_power_level" "Base-2 logarithm of the places of the largest shard's index.";
    "hash_bytes" Gauge "memcached_hash_bytes" "Bytes of the index.";
    "hash_is_expanding" Gauge "memcached_hash_is_expanding" "Always 0: the index grows in small steps.";
    "slab_reassign_rescues" Counter "memcached_slab_reassign_rescues_total" "Items that were moved so that their page could go.";
    "slab_reassign_chunk_rescues" Counter "memcached_slab_reassign_chunk_rescues_total" "Chunks of large items that were moved so that their page could go.";
    "slab_reassign_inline_reclaim" Counter "memcached_slab_reassign_inline_reclaims_total" "Items that were evicted so that their page could go.";
    "slab_reassign_busy_items" Counter "memcached_slab_reassign_busy_items_total" "Pages that could not go because of items in use.";
    "slab_reassign_busy_deletes" Counter "memcached_slab_reassign_busy_deletes_total" "Always 0: no item in use is deleted.";
    "slab_reassign_busy_nomem" Counter "memcached_slab_reassign_busy_nomem_total" "Always 0: no move waits for memory.";
    "slab_reassign_running" Gauge "memcached_slab_reassign_running" "Whether a page is on its way to another class.";
    "slabs_moved" Counter "memcached_slab_pages_moved_total" "Pages that were moved between classes.";
    "lru_crawler_running" Gauge "memcached_lru_crawler_running" "Whether a crawl that a client asked for is under way.";
    "lru_crawler_starts" Counter "memcached_lru_crawler_starts_total" "Crawls that were started.";
    "lru_maintainer_juggles" Counter "memcached_lru_maintainer_juggles_total" "Always 0: there are no such lists.";
    "malloc_fails" Counter "memcached_malloc_fails_total" "Always 0: no such failure is survived.";
    "log_worker_dropped" Counter "memcached_log_worker_dropped_total" "Lines for watchers for which there was no room.";
    "log_worker_written" Counter "memcached_log_worker_written_total" "Lines for watchers.";
    "log_watcher_skipped" Counter "memcached_log_watcher_skipped_total" "Lines that a watcher was too slow for.";
    "log_watcher_sent" Counter "memcached_log_watcher_sent_total" "Lines that were sent to watchers.";
    "log_watchers" Gauge "memcached_log_watchers" "Connections that watch.";
    "ssl_new_sessions" Counter "memcached_ssl_new_sessions_total" "TLS sessions that began with certificates.";
    "ssl_handshake_errors" Counter "memcached_ssl_handshake_errors_total" "TLS handshakes that failed.";
    "ssl_proto_errors" Counter "memcached_ssl_protocol_errors_total" "TLS connections that ended with an error later.";
    "time_since_server_cert_refresh" Gauge "memcached_ssl_certificate_age_seconds" "Time since the certificates were read.";
    "unexpected_napi_ids" Counter "memcached_unexpected_napi_ids_total" "Always 0: NAPI ids are not looked at.";
    "round_robin_fallback" Counter "memcached_round_robin_fallback_total" "Always 0: NAPI ids are not looked at.";
    "bytes" Gauge "memcached_current_bytes" "Bytes of items, with their headers.";
    "curr_items" Gauge "memcached_current_items" "Items.";
    "total_items" Counter "memcached_items_total" "Items that were stored.";
    "slab_global_page_pool" Gauge "memcached_slab_global_page_pool" "Pages that no slab class uses.";
    "expired_unfetched" Counter "memcached_items_expired_unfetched_total" "Items whose time was over before they were asked for.";
    "evicted_unfetched" Counter "memcached_items_evicted_unfetched_total" "Items that were evicted before they were asked for.";
    "evicted_active" Counter "memcached_items_evicted_active_total" "Always 0: there are no such lists.";
    "evictions" Counter "memcached_items_evicted_total" "Items that were evicted for their memory.";
    "reclaimed" Counter "memcached_items_reclaimed_total" "Dead items whose memory was used again.";
    "crawler_reclaimed" Counter "memcached_lru_crawler_reclaimed_total" "Dead items that were found in the background.";
    "crawler_items_checked" Counter "memcached_lru_crawler_items_checked_total" "Items that were looked at in the background.";
    "lrutail_reflocked" Counter "memcached_lrutail_reflocked_total" "Always 0: no item is locked.";
    "moves_to_cold" Counter "memcached_lru_crawler_moves_to_cold_total" "Always 0: there are no such lists.";
    "moves_to_warm" Counter "memcached_lru_crawler_moves_to_warm_total" "Always 0: there are no such lists.";
    "moves_within_lru" Counter "memcached_lru_crawler_moves_within_lru_total" "Always 0: there are no such lists.";
    "direct_reclaims" Counter "memcached_direct_reclaims_total" "Always 0: there are no such lists.";
    "lru_bumps_dropped" Counter "memcached_lru_bumps_dropped_total" "Always 0: there are no such lists.";
};

/// Those of `stats settings` that memcached_exporter reads.
pub(super) const SETTINGS: Rows = rows! {
    "lru_crawler" Gauge "memcached_lru_crawler_enabled" "Whether dead items are looked for in the background." / Switch;
    "lru_crawler_sleep" Gauge "memcached_lru_crawler_sleep" "The setting lru_crawler_sleep, which has no effect.";
    "lru_crawler_tocrawl" Gauge "memcached_lru_crawler_to_crawl" "The setting lru_crawler_tocrawl, which has no effect.";
    "lru_maintainer_thread" Gauge "memcached_lru_crawler_maintainer_thread" "The setting lru_maintainer, which has no effect." / Switch;
    "hot_lru_pct" Gauge "memcached_lru_crawler_hot_percent" "The setting hot_lru_pct, which has no effect.";
    "warm_lru_pct" Gauge "memcached_lru_crawler_warm_percent" "The setting warm_lru_pct, which has no effect.";
    "hot_max_factor" Gauge "memcached_lru_crawler_hot_max_factor" "The setting hot_max_factor, which has no effect.";
    "warm_max_factor" Gauge "memcached_lru_crawler_warm_max_factor" "The setting warm_max_factor, which has no effect.";
};

/// `stats slabs`.
pub(super) const SLABS: Rows = rows! {
    "active_slabs" Gauge "memcached_active_slabs" "Slab classes that have pages.";
    "total_malloced" Gauge "memcached_malloced_bytes" "Bytes of the pages of all slab classes.";
    "N:chunk_size" Gauge "memcached_slab_chunk_size_bytes" "Bytes of a chunk of the slab class.";
    "N:chunks_per_page" Gauge "memcached_slab_chunks_per_page" "Chunks of a page of the slab class.";
    "N:total_pages" Gauge "memcached_slab_current_pages" "Pages of the slab class.";
    "N:total_chunks" Gauge "memcached_slab_current_chunks" "Chunks of the slab class.";
    "N:used_chunks" Gauge "memcached_slab_chunks_used" "Chunks that are in use.";
    "N:free_chunks" Gauge "memcached_slab_chunks_free" "Chunks that are not in use.";
    "N:free_chunks_end" Gauge "memcached_slab_chunks_free_end" "Always 0: pages are cut into chunks at once.";
    "N:get_hits" Counter "memcached_slab_commands_total" "Commands on items of the slab class, by name and outcome." [command = "get" status = "hit"];
    "N:delete_hits" Counter "memcached_slab_commands_total" [command = "delete" status = "hit"];
    "N:incr_hits" Counter "memcached_slab_commands_total" [command = "incr" status = "hit"];
    "N:decr_hits" Counter "memcached_slab_commands_total" [command = "decr" status = "hit"];
    "N:cas_hits" Counter "memcached_slab_commands_total" [command = "cas" status = "hit"];
    "N:cas_badval" Counter "memcached_slab_commands_total" [command = "cas" status = "badval"];
    "N:touch_hits" Counter "memcached_slab_commands_total" [command = "touch" status = "hit"];
};

/// `stats items`.
pub(super) const ITEMS: Rows = rows! {
    "N:number" Gauge "memcached_slab_current_items" "Items of the slab class.";
    "N:number_hot" Gauge "memcached_slab_hot_items" "Always 0: there are no such lists.";
    "N:number_warm" Gauge "memcached_slab_warm_items" "Always 0: there are no such lists.";
    "N:number_cold" Gauge "memcached_slab_cold_items" "Items of the slab class.";
    "N:number_temp" Gauge "memcached_slab_temporary_items" "Always 0: there are no such lists.";
    "N:age_hot" Gauge "memcached_slab_hot_age_seconds" "Always 0: there are no such lists.";
    "N:age_warm" Gauge "memcached_slab_warm_age_seconds" "Always 0: there are no such lists.";
    "N:age" Gauge "memcached_slab_items_age_seconds" "Time since the last use of the item that would be evicted next.";
    "N:mem_requested" Gauge "memcached_slab_mem_requested_bytes" "Bytes of the items of the slab class.";
    "N:evicted" Counter "memcached_slab_items_evicted_total" "Items that were evicted.";
    "N:evicted_nonzero" Counter "memcached_slab_items_evicted_nonzero_total" "Items with a time to live that were evicted before it was over.";
    "N:evicted_time" Gauge "memcached_slab_items_evicted_time_seconds" "Time since the last use of the item that was evicted last.";
    "N:outofmemory" Counter "memcached_slab_items_outofmemory_total" "Stores for which there was no memory.";
    "N:tailrepairs" Counter "memcached_slab_items_tailrepairs_total" "Always 0: no reference is lost.";
    "N:reclaimed" Counter "memcached_slab_items_reclaimed_total" "Dead items whose memory was used again.";
    "N:expired_unfetched" Counter "memcached_slab_items_expired_unfetched_total" "Items whose time was over before they were asked for.";
    "N:evicted_unfetched" Counter "memcached_slab_items_evicted_unfetched_total" "Items that were evicted before they were asked for.";
    "N:evicted_active" Counter "memcached_slab_items_evicted_active_total" "Always 0: there are no such lists.";
    "N:crawler_reclaimed" Counter "memcached_slab_items_crawler_reclaimed_total" "Dead items that were found in the background.";
    "N:crawler_items_checked" Counter "memcached_slab_items_crawler_checked_total" "Items that were looked at in the background.";
    "N:lrutail_reflocked" Counter "memcached_slab_items_lrutail_reflocked_total" "Always 0: no item is locked.";
    "N:moves_to_cold" Unknown "memcached_slab_items_moves_to_cold" "Always 0: there are no such lists.";
    "N:moves_to_warm" Unknown "memcached_slab_items_moves_to_warm" "Always 0: there are no such lists.";
    "N:moves_within_lru" Unknown "memcached_slab_items_moves_within_lru" "Always 0: there are no such lists.";
    "N:direct_reclaims" Counter "memcached_slab_items_direct_reclaims_total" "Always 0: there are no such lists.";
    "N:hits_to_hot" Counter "memcached_slab_lru_hits_total" "Gets that found an item of the slab class, by list." [lru = "hot"];
    "N:hits_to_warm" Counter "memcached_slab_lru_hits_total" [lru = "warm"];
    "N:hits_to_cold" Counter "memcached_slab_lru_hits_total" [lru = "cold"];
    "N:hits_to_temp" Counter "memcached_slab_lru_hits_total" [lru = "temporary"];
};

/// `stats shards`.
pub(super) const SHARDS: Rows = rows! {
    "N:curr_connections" Gauge "corecached_shard_current_connections" "Connections of the shard.";
    "N:adopted_connections" Counter "corecached_shard_connections_adopted_total" "Connections that were taken over from other shards.";
    "N:udp_dropped" Counter "corecached_shard_udp_dropped_total" "Datagrams that were no request, and replies by UDP that were not sent.";
    "N:curr_items" Gauge "corecached_shard_current_items" "Items of the shard.";
    "N:bytes" Gauge "corecached_shard_current_bytes" "Bytes of the shard's items, with their headers.";
    "N:memory_bytes" Gauge "corecached_shard_charged_bytes" "The shard's part of the memory limit.";
    "N:turnover_ms" Gauge "corecached_shard_turnover_seconds" "Time in which the shard's memory is evicted once; 0 if nothing is." / Millis;
    "N:idle_seconds" Gauge "corecached_shard_idle_seconds" "Time since the shard's memory was last used.";
    "N:pages_given" Counter "corecached_shard_pages_given_total" "Pages that went to other shards.";
    "N:cmd_get" Counter "corecached_shard_command_requests_total" "Commands that the shard has executed, also by reading another shard's memory." [command = "get"];
    "N:cmd_set" Counter "corecached_shard_command_requests_total" [command = "set"];
    "N:get_hits" Counter "corecached_shard_get_hits_total" "Gets of the shard that found an item.";
    "N:ticks" Counter "corecached_shard_ticks_total" "Turns of the shard's loop.";
    "N:parks" Counter "corecached_shard_parks_total" "Times that the shard went to sleep.";
    "N:remote_ops" Counter "corecached_shard_remote_operations_total" "Operations of the shard's connections that other shards' engines have run.";
    "N:loans" Counter "corecached_shard_loans_total" "Batches of operations that were run on a borrowed shard.";
    "N:messages" Counter "corecached_shard_messages_total" "Batches of operations that were sent to another shard.";
    "N:doorbells" Counter "corecached_shard_doorbells_total" "Times that another shard was woken.";
    "N:streams_in_doubt" Counter "corecached_shard_streams_in_doubt_total" "Connections closed because of a fault of the server.";
    "N:bytes_read" Counter "corecached_shard_read_bytes_total" "Bytes that the shard's connections have received.";
    "N:bytes_written" Counter "corecached_shard_written_bytes_total" "Bytes that the shard's connections have sent.";
};

/// `stats memory`.
pub(super) const MEMORY: Rows = rows! {
    "uploads_claimed" Gauge "corecached_uploads_claimed_bytes" "Bytes that half-sent values may take.";
    "payload" Gauge "corecached_memory_bytes" "Bytes of the memory limit that are in use, by purpose." [purpose = "payload"];
    "headers" Gauge "corecached_memory_bytes" [purpose = "headers"];
    "index" Gauge "corecached_memory_bytes" [purpose = "index"];
    "rounding" Gauge "corecached_memory_bytes" [purpose = "rounding"];
    "free_chunks" Gauge "corecached_memory_bytes" [purpose = "free_chunks"];
    "free_pages" Gauge "corecached_memory_bytes" [purpose = "free_pages"];
    "total" Gauge "corecached_memory_charged_bytes" "Bytes of the memory limit that are in use.";
    "prefaulted" Gauge "corecached_memory_prefaulted_bytes" "Bytes that are mapped and not in use (-o prefault).";
    "conn_mem_limit" Gauge "corecached_connection_memory_limit_bytes" "The limit on memory of connections (-o conn_mem_limit).";
    "conn_input" Gauge "corecached_connection_memory_bytes" "Bytes that connections hold, by purpose." [purpose = "input"];
    "conn_output" Gauge "corecached_connection_memory_bytes" [purpose = "output"];
    "conn_work" Gauge "corecached_connection_memory_bytes" [purpose = "work"];
    "conn_table" Gauge "corecached_connection_memory_bytes" [purpose = "table"];
    "conn_pools" Gauge "corecached_connection_memory_bytes" [purpose = "pools"];
    "watchers" Gauge "corecached_watchers_bytes" "Bytes of lines that wait for watchers.";
    "insight" Gauge "corecached_insight_bytes" "Bytes of stats hotkeys and stats mrc.";
    "latency" Gauge "corecached_latency_bytes" "Bytes of stats latency: its buckets, and commands under way.";
    "conn_mem_closed" Counter "corecached_connections_closed_for_memory_total" "Connections closed because of -o conn_mem_limit.";
    "N:payload" Gauge "corecached_shard_memory_bytes" "Bytes of the shard's part of the memory limit, by purpose." [purpose = "payload"];
    "N:headers" Gauge "corecached_shard_memory_bytes" [purpose = "headers"];
    "N:index" Gauge "corecached_shard_memory_bytes" [purpose = "index"];
    "N:rounding" Gauge "corecached_shard_memory_bytes" [purpose = "rounding"];
    "N:free_chunks" Gauge "corecached_shard_memory_bytes" [purpose = "free_chunks"];
    "N:free_pages" Gauge "corecached_shard_memory_bytes" [purpose = "free_pages"];
    "N:prefaulted" Gauge "corecached_shard_memory_prefaulted_bytes" "Bytes of the shard that are mapped and not in use.";
};
